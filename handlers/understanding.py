"""What a message in free words is about: intent, situations of the law, urgency, and what it already tells.

Pure and deterministic. The rules are lists of phrases in `messages/lexicon/*.toml`, which a county edits; this module
only weighs what `handlers.hearing` found. It suggests: a person confirms, and nothing is rejected or lowered by these
rules alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from handlers.facts import Facts, ages, facts_in
from handlers.hearing import Book, Heard, Rule, book
from messages import plain

Urgency = Literal["immediate_danger", "urgent", "normal", "unknown"]
Kind = Literal["danger", "report", "benefit", "greeting", "advert", "question", "other"]

_ENOUGH = 3
"""Weights of the rules for one situation that together make it worth suggesting."""
_ALARMING = 5
"""Points of small signs that together are danger; messages/lexicon/danger.toml explains them to the county."""
_ALARMING_NOW = 4
"""The same with a word of the present, which says that it is not over."""
_GRAVE = 7
"""So many that they are danger without a word of the present, also where a situation is known, unless it is
something found or told of."""
_WORRYING = 4
"""Points of small signs that are worth a human look when a child is spoken of and nothing else was understood."""
_CALM = 3
"""Points more that it takes where the message says that all is well."""
_CHILDREN = frozenset({"[child]", "[girl]"})
_PEOPLE = frozenset({"[child]", "[girl]", "[me]", "[adult]", "[person]", "[help]"})
"""Small signs are danger only where people are spoken of: beasts, weather and tools are dangerous every day."""
_VAGUE = frozenset({"", "greeting"})
"""What a message may be besides, and still be looked at for small signs."""
_SUGGESTED = 3
"""Situations that are offered at most; the first two are shown."""
_LONGEST = 3000
"""Characters that are read; WeChat sends at most 2048 bytes, so this is only a guard."""
_SHORT = 16
"""A greeting is short; a long message with a polite word in it is something else."""
_STATUTORY_GIRL_AGE = 14
"""Under this age any sexual contact with a girl is situation 2 (opinion of 2020, article 4)."""


@dataclass(frozen=True)
class Understanding:
    """What the rules make of one message; every field is a suggestion."""

    intent: str
    """report, emergency, progress_query, supplement, accept_task, record_visit, chitchat or spam."""
    situations: tuple[int, ...]
    """Codes 1 to 9 of the reportable situations, best first; empty when none fits."""
    urgency: Urgency
    because: tuple[str, ...]
    """The names of the rules that decided, as they stand in the lexicon."""
    topic: Literal["", "greeting", "question", "benefit"] = ""
    """For harmless or everyday talk what it is."""
    age: int | None = None
    """Years; from a school year it is the usual age there."""
    sex: Literal["female", "male"] | None = None
    injuries: tuple[str, ...] = ()
    """Codes of [injury] in labels.toml."""
    times: tuple[str, ...] = ()
    """Time words as they were said."""
    relation: str | None = None
    """Who is named as the one who does it or is with the child, as it was said."""
    place: str | None = None
    where: str | None = None
    """Where the child is now, where the words say so."""
    reach: str | None = None
    """Whether whoever did it still comes near the child, as it was said."""

    @property
    def kind(self) -> Kind:
        """Where the message goes: danger and report wake somebody, benefit only the village officer."""
        if self.urgency == "immediate_danger":
            return "danger"
        if self.intent == "spam":
            return "advert"
        if self.topic and self.urgency != "urgent":
            return self.topic
        if self.intent == "progress_query":
            return "question"
        return "report" if self.intent == "report" or self.situations else "other"


def as_json(understanding: Understanding) -> dict[str, object]:
    """The contract of `tongban understand`: intent, situations, urgency, because."""
    return {
        "intent": understanding.intent,
        "situations": list(understanding.situations),
        "urgency": understanding.urgency,
        "because": list(understanding.because),
    }


@lru_cache(maxsize=16)  # a turn asks several times about the same words
def understand(text: str, role: str | None = None) -> Understanding:
    """Read `text` as said by somebody with `role` (of labels.toml, or teacher, villager, caseworker, supervisor)."""
    read = _read(text)
    if read is None:
        return Understanding("chitchat", (), "unknown", ())
    words, heard, said, fired, facts = book(), read.heard, read.said, read.fired, read.facts
    frame = _frame(said, fired)
    if frame:
        return _harmless(frame, said, words, facts)
    signs, hints = [rule for rule in fired if rule.alarm], [rule for rule in fired if rule.hint]
    fired = [rule for rule in fired if not rule.alarm and not rule.hint]
    endangering = [rule for rule in fired if _is_now(rule, said)]
    if _is_about_child(heard):
        fired += hints
    scores = _scores(fired, facts)
    calm = _CALM if "calm" in said else 0
    likely = [code for code in scores if scores[code] >= _ENOUGH + calm]
    points = sum(rule.alarm for rule in signs) - calm if heard.spans.keys() & _PEOPLE else 0
    if not endangering and _is_alarming(points, said, known=bool(likely)):
        endangering = signs
    elif not endangering and likely and "cry" in said:
        endangering = fired
    if endangering:
        first = _scores(fired if endangering is signs else endangering, facts)
        second = _scores((*fired, *signs), facts)
        ordered = sorted(second, key=lambda code: (-first.get(code, 0), -second[code]))
        return Understanding("emergency", tuple(ordered[:_SUGGESTED]), "immediate_danger", _names(endangering), **facts)
    if likely:
        intent = _intent_with_situation(said, role)
        ordered = sorted(likely, key=lambda code: -scores[code])
        return Understanding(intent, tuple(ordered[:_SUGGESTED]), "urgent", _names(fired), **facts)
    sign = _everyday(said, role, read.length)
    if sign in _VAGUE and points >= _WORRYING and heard.spans.keys() & _CHILDREN:
        return Understanding("report", tuple(_scores(signs, facts)), "urgent", _names(signs), **facts)
    intent, topic = _INTENTS.get(sign, ("chitchat", ""))
    because = (words.names[sign],) if sign else ()
    return Understanding(intent, (), "normal", (*because, *_names(fired)), topic, **facts)


@dataclass(frozen=True)
class _Read:
    """What stands in a message, whoever says it."""

    length: int
    heard: Heard
    said: set[str]
    fired: Sequence[Rule]
    facts: Facts


@lru_cache(maxsize=16)  # for different roles
def _read(text: str) -> _Read | None:
    words = book()
    raw = plain(text[:_LONGEST])
    if not words.readable.search(words.placeholder.sub("", raw)):
        return None
    heard = words.hear(raw)
    if young := ages(raw):
        heard.spans["[child]"] = sorted([*heard.spans.get("[child]", ()), *young])
    fired = heard.names(words.phrases)
    return _Read(
        len(raw), heard, heard.names(words.signs), [rule for rule in words.rules if rule.name in fired],
        facts_in(raw, heard),
    )  # fmt: skip


def told(text: str) -> Facts | None:
    """What the words already tell, without what they are about; None where nothing is readable."""
    read = _read(text)
    return read.facts if read else None


# The decisions.


def _is_now(rule: Rule, said: set[str]) -> bool:
    """Whether what the rule found is danger at this moment."""
    match rule.danger:
        case "always":
            return True
        case "now":
            return "past" not in said or bool(said & {"present", "present_weak"})
        case "if_now":
            return "present" in said or ("past" not in said and bool(said & {"present_weak", "present_faint"}))
    return False


def _is_alarming(points: int, said: set[str], *, known: bool) -> bool:
    """Whether small signs, none of which is enough alone, together are danger at this moment.

    `known`: a situation was recognised, so somebody is woken anyway, and danger needs a word of the present.
    """
    now = bool(said & {"present", "present_weak"})
    if points < (_ALARMING_NOW if now else _ALARMING):
        return False
    return now or not ("past" in said or (known and (points < _GRAVE or "told" in said)))


def _is_about_child(heard: Heard) -> bool:
    """Whether a child is spoken of, or speaks of somebody grown up."""
    return bool(heard.spans.keys() & _CHILDREN) or {"[me]", "[adult]"} <= heard.spans.keys()


def _frame(said: set[str], fired: Sequence[Rule]) -> str | None:
    """The frame that makes frightening words harmless: an advert, the news, a play, a training, a what-if, a joke."""
    if "cry" in said:
        return None
    advert = "spam" if "spam" in said else "spam_weak" if "spam_weak" in said and not fired else None
    if advert:
        return advert
    told = [name for name in ("news", "play", "training") if name in said]
    if told and "own_child" not in said:
        return told[0]
    if "hypothetical" in said and not said & {"own_child", "present"}:
        return "hypothetical"
    if "joke" in said and "present" not in said and all(rule.joking for rule in fired if rule.danger):
        return "joke"
    return None


def _harmless(frame: str, said: set[str], words: Book, facts: Facts) -> Understanding:
    if frame.startswith("spam"):
        return Understanding("spam", (), "normal", (words.names[frame],), **facts)
    topic: Literal["", "question"] = "question" if frame == "hypothetical" or "question" in said else ""
    return Understanding("chitchat", (), "normal", (words.names[frame],), topic, **facts)


def _scores(rules: Iterable[Rule], facts: Facts) -> dict[int, int]:
    """Situation → weight. What age and sex decide is decided here."""
    scores: dict[int, int] = {}
    for rule in rules:
        for code, weight in _codes(rule, facts["age"], facts["sex"]):
            scores[code] = scores.get(code, 0) + weight
    return scores


def _codes(rule: Rule, age: int | None, sex: str | None) -> list[tuple[int, int]]:
    if rule.situation is None:
        return []
    if isinstance(rule.situation, int):
        return [(rule.situation, rule.weight)]
    if sex == "male":
        return [(9, rule.weight)]
    older = 3 if rule.situation == "pregnancy" else 9
    if age is None:
        return [(2, rule.weight), (older, rule.weight - 1)]
    return [(2 if age < _STATUTORY_GIRL_AGE else older, rule.weight)]


def _intent_with_situation(said: set[str], role: str | None) -> str:
    if "supplement" in said:
        return "supplement"
    if "record_visit" in said and "survey" not in said and _visits(role):
        return "record_visit"
    return "report"


_INTENTS: dict[str, tuple[str, Literal["", "greeting", "question", "benefit"]]] = {
    "resolved_small": ("chitchat", ""),
    "supplement": ("supplement", ""),
    "accept_task": ("accept_task", ""),
    "figures": ("progress_query", ""),
    "progress_query": ("progress_query", ""),
    "record_visit": ("record_visit", ""),
    "question": ("chitchat", "question"),
    "benefit": ("report", "benefit"),
    "need": ("report", ""),
    "greeting": ("chitchat", "greeting"),
}
"""Sign of intents.toml → intent and topic, in the order in which they are tried."""


def _everyday(said: set[str], role: str | None, length: int) -> str:
    """The sign that decides a message in which none of the nine situations was found, "" for none."""
    impossible = set()
    if not _visits(role):
        impossible |= {"accept_task", "record_visit", "figures"}
    if said & {"benefit", "need"}:
        impossible |= {"question"}
    if length > _SHORT:
        impossible |= {"greeting"}
    return next((sign for sign in _INTENTS if sign in said and sign not in impossible), "")


def _visits(role: str | None) -> bool:
    """Whether this person visits children or takes tasks; an unknown role may be anybody."""
    return role not in {"villager", "citizen"}


def _names(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(rule.name for rule in sorted(rules, key=lambda rule: -rule.weight))
