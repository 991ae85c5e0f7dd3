"""Hears a message with the ears of the lexicon: which words stand where, also mistyped and in dialect.

The lexicon is `messages/lexicon/*.toml`; `docs/understanding.md` says how a county reads and edits it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Literal, Protocol, TypeVar, cast

import ahocorasick

from messages import lexicon, plain

# The sounds of 47,000 words, of which each letter for itself needs none, take 45 MB: pypinyin's own switches.
os.environ |= {"PYPINYIN_NO_PHRASES": "true", "PYPINYIN_NO_DICT_COPY": "true"}
from pypinyin import Style, pinyin

Span = tuple[int, int]
Phrase = tuple[tuple[str, ...], ...]
"""Parts that must all be there in any order; a part is a run of words in order with small gaps."""
Phrases = Mapping[str, Sequence[Phrase]]
"""By their first word: nearly every phrase falls there, so only those whose first word was heard are looked at."""
Index = dict[str, list[tuple[str, Phrase]]]
"""First word → phrases that begin with it, each with the name of the sign or rule it belongs to."""

_GAP = 8
"""Between two words of a phrase there may be this many other characters of the same clause."""
_CLOSE = 2
"""The same within a harmless expression, which blanks what it covers; there a clause may end between them."""
_PAUSE = frozenset(" ,.!?;\N{IDEOGRAPHIC COMMA}\N{IDEOGRAPHIC FULL STOP}")
"""Where a clause ends, in plain text; in chats a space is a comma."""
_PRIVATE = 0xE000
"""The first character that no writing uses; from here on each stands for one spoken syllable."""
_MASK = "\N{WHITE SQUARE}"
_CLASS = re.compile(r"\[[a-z_]+\]")
"""How a phrase names a list of words.toml; platform emoji such as the ones in Chinese brackets are not it."""
_MERGED = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"))
"""Sounds that many dialects, and so many typing errors, do not tell apart."""
_TELLING = ("joke", "calm")
"""Signs of context.toml that are looked for also in what is blanked."""


_Value = TypeVar("_Value")


class _Words(Protocol[_Value]):
    """What is used of an `ahocorasick.Automaton`, which has no types of its own."""

    def add_word(self, word: str, value: _Value) -> bool: ...
    def make_automaton(self) -> None: ...
    def iter(self, text: str) -> Iterable[tuple[int, _Value]]: ...


def _words() -> "_Words[_Value]":
    return cast("_Words[_Value]", ahocorasick.Automaton())


@dataclass(frozen=True)
class Rule:
    """One rule of danger.toml or situations.toml."""

    name: str
    situation: int | Literal["sexual", "pregnancy"] | None = None
    """A code, or "sexual" / "pregnancy", which become a code by age and sex, or None for accidents."""
    weight: int = 3
    danger: Literal["", "always", "now", "if_now"] = ""
    """"always", "now" (danger unless it is past) or "if_now" (only with a word of the present)."""
    joking: bool = False
    """Whether people also say it for fun, so that laughter takes the danger out of it."""
    alarm: int = 0
    """For a small sign of danger: its points, which count together and alone decide nothing."""
    hint: bool = False
    """Whether it is of signs.toml: it counts only where a child is spoken of, and less in calm talk."""


@dataclass(frozen=True)
class Heard:
    """A message after one pass for every word of the lexicon: word or [class] → where it stands."""

    spans: dict[str, list[Span]]
    clauses: Sequence[int] = ()
    """Place → the number of the clause it is in; empty while harmless expressions are looked for."""

    found: dict[tuple[str, ...], bool] = field(default_factory=dict)
    """Part → whether it is there, as far as it was asked: many phrases share their parts."""

    def names(self, index: Index) -> set[str]:
        """The names under which a phrase of the message stands in `index`."""
        found: set[str] = set()
        for word in index.keys() & self.spans.keys():
            for name, phrase in index[word]:
                if name not in found and (phrase == ((word,),) or self._holds(phrase)):
                    found.add(name)
        return found

    def all(self, part: Sequence[str]) -> Iterator[Span]:
        """Every place where the words of `part` follow each other."""
        for start, end in self.spans.get(part[0], ()):
            reached = self._follow(part[1:], end)
            if reached is not None:
                yield start, reached

    def _holds(self, phrase: Phrase) -> bool:
        for part in phrase:
            there = self.found.get(part)
            if there is None:
                there = self.found[part] = self._is_there(part)
            if not there:
                return False
        return True

    def _is_there(self, part: Sequence[str]) -> bool:
        """Whether `all` would find it; without a call for every place, since this is most of the work."""
        spans, last = self.spans, len(part) - 1
        firsts, seconds = spans.get(part[0], ()), spans.get(part[1], ()) if last else None
        if not firsts or not seconds:
            return seconds is None and bool(firsts)
        clauses, low, most = self.clauses, 0, len(seconds)
        for start, end in firsts:
            while low < most and seconds[low][0] < start:
                low += 1
            clause, furthest, at = clauses[end - 1], end + _GAP, low
            while at < most and seconds[at][0] <= furthest:
                begins, ends = seconds[at]
                if end <= begins and clauses[begins] == clause and (last == 1 or self._follow(part[2:], ends)):
                    return True
                at += 1
        return False

    def _follow(self, rest: Sequence[str], position: int) -> int | None:
        if not rest:
            return position
        gap, clause = (_GAP, self.clauses[position - 1]) if self.clauses else (_CLOSE, None)
        for start, end in self.spans.get(rest[0], ()):
            if start > position + gap:
                return None
            if position <= start and (clause is None or self.clauses[start] == clause):
                reached = self._follow(rest[1:], end)
                if reached is not None:
                    return reached
        return None


@dataclass
class Book:
    """All word lists, ready for reading."""

    rules: list[Rule] = field(default_factory=list)
    phrases: Index = field(default_factory=dict)
    """Of the rules, by their names."""
    signs: Index = field(default_factory=dict)
    """Of the signs that say how a message is meant."""
    names: dict[str, str] = field(default_factory=dict)
    """What a sign is called in an explanation."""
    harmless: Phrases = field(default_factory=dict)
    readable: re.Pattern[str] = re.compile("")
    placeholder: re.Pattern[str] = re.compile("")
    negations: tuple[str, ...] = ()
    negatable: frozenset[str] = frozenset()
    begins_negatable: tuple[str, ...] = ()
    """The same words, for longer ones that begin with them."""
    telling: frozenset[str] = frozenset()
    """Words that say how a message is meant even where they are blanked."""
    words: _Words[tuple[str, tuple[str, ...]]] = field(default_factory=_words)
    """Written word → itself and its tokens."""
    sounds: _Words[str] = field(default_factory=_words)
    """Spoken word → how it is written right."""
    syllables: dict[str, str] = field(default_factory=dict)
    """Spoken syllable of the sounds list → the one sign that stands for it."""

    def hear(self, raw: str) -> Heard:
        """Find every word; harmless expressions are blanked first, so that "laughed to death" holds no death.

        A word that holds a harmless expression stays heard (a butcher's knife holds a butcher), and so does one that
        says how the message is meant.
        """
        texts: tuple[str, ...] = (raw, self._corrected(raw))
        heard = Heard(self._spans(texts))
        spans = heard.spans
        blank: set[Span] = set()
        for word in self.harmless.keys() & spans.keys():
            blank.update(span for phrase in self.harmless[word] for span in heard.all(phrase[0]))
        if blank:
            masked = texts
            for start, end in blank:
                masked = tuple(text[:start] + _MASK * (end - start) + text[end:] for text in masked)
            left, ends = self._spans(masked), _ends(blank, len(raw))
            for token, where in spans.items():
                holding = where if token in self.telling else [span for span in where if ends[span[0]] <= span[1]]
                if holding:
                    left[token] = sorted({*left.get(token, ()), *holding})
            spans = left
        return Heard(spans, list(accumulate(letter in _PAUSE for letter in raw)))

    def _corrected(self, raw: str) -> str:
        """`raw` with the words that only sound right written right; a syllable is a character, so places stay true."""
        spoken = "".join(self.syllables.get(_sound(letter), letter) for letter in raw)
        for last, word in self.sounds.iter(spoken):
            raw = raw[: last + 1 - len(word)] + word + raw[last + 1 :]
        return raw

    def _spans(self, texts: Iterable[str]) -> dict[str, list[Span]]:
        """Where each word is in any of `texts`, which are the same message written differently."""
        spans: dict[str, set[Span]] = {}
        for text in set(texts):
            for last, (word, tokens) in self.words.iter(text):
                span = (last + 1 - len(word), last + 1)
                negated = text[: span[0]].endswith(self.negations)
                for token in tokens:
                    if not (negated and (token in self.negatable or token.startswith(self.begins_negatable))):
                        spans.setdefault(token, set()).add(span)
        return {token: sorted(where) for token, where in spans.items()}


def _ends(spans: Iterable[Span], length: int) -> list[int]:
    """Place → where the first to end of `spans` that begin there or later ends; past the text if there is none."""
    ends = [length + 1] * (length + 1)
    for start, end in spans:
        ends[start] = min(ends[start], end)
    for place in range(length - 1, -1, -1):
        ends[place] = min(ends[place], ends[place + 1])
    return ends


@cache
def book() -> Book:
    """The lexicon, read once; a wrong entry is an error that names it."""
    context, made, vocabulary = lexicon("context"), Book(), _Vocabulary(lexicon("words"))
    for name, rule in (lexicon("danger") | lexicon("situations")).items():
        made.rules.append(Rule(name, **{key: value for key, value in rule.items() if key != "phrases"}))
        vocabulary.enter(made.phrases, name, rule["phrases"])
    for name, rule in lexicon("signs").items():
        made.rules.append(Rule(name, rule["situation"], rule["weight"], hint=True))
        vocabulary.enter(made.phrases, name, rule["phrases"])
    for name, phrases in (context["signs"] | lexicon("intents")).items():
        vocabulary.enter(made.signs, name, phrases)
    made.harmless, made.names = vocabulary.compiled(context["harmless"]), context["names"]
    made.readable, made.placeholder = re.compile(context["readable"]), re.compile(context["placeholder"])
    made.negations, made.negatable = tuple(context["negations"]), frozenset(context["negatable"])
    made.begins_negatable = tuple(word for word in made.negatable if not _CLASS.fullmatch(word))
    made.telling = frozenset(word for sign in _TELLING for phrase in context["signs"][sign] for word in phrase.split())
    vocabulary.compiled(word for words in lexicon("facts")["words"].values() for word in words)
    for word, tokens in vocabulary.tokens.items():
        made.words.add_word(word, (word, tuple(tokens)))
    for word in lexicon("sounds")["words"]:
        signs = (made.syllables.setdefault(_sound(letter), chr(_PRIVATE + len(made.syllables))) for letter in word)
        made.sounds.add_word("".join(signs), word)
    made.words.make_automaton()
    made.sounds.make_automaton()
    return made


class _Vocabulary:
    """Every word of the lexicon with what it counts as: itself, the [classes] of words.toml, or both."""

    def __init__(self, classes: dict[str, list[str]]) -> None:
        self.classes = classes
        self.tokens: dict[str, set[str]] = {}
        for name, words in classes.items():
            for word in words:
                self.tokens.setdefault(plain(word), set()).add(f"[{name}]")

    def enter(self, index: Index, name: str, phrases: Iterable[str]) -> None:
        """Put the phrases of a sign or rule into an index."""
        for word, compiled in self.compiled(phrases).items():
            index.setdefault(word, []).extend((name, phrase) for phrase in compiled)

    def compiled(self, phrases: Iterable[str]) -> Phrases:
        """The phrases in their parts; their words are added to the vocabulary."""
        found = [tuple(tuple(part.split()) for part in phrase.split(" + ")) for phrase in phrases]
        for token in (token for phrase in found for part in phrase for token in part):
            if not _CLASS.fullmatch(token):
                self.tokens.setdefault(token, set()).add(token)
            elif token[1:-1] not in self.classes:
                raise KeyError(f"words.toml has no list {token}")
        by_first: dict[str, list[Phrase]] = {}
        for phrase in found:
            by_first.setdefault(phrase[0][0], []).append(phrase)
        return by_first


@cache
def _sound(letter: str) -> str:
    """How `letter` is spoken, without tone; what is not a Chinese character is itself."""
    if not "\u4e00" <= letter <= "\u9fff":
        return letter
    spoken: str = pinyin(letter, style=Style.NORMAL)[0][0]
    for precise, lax in _MERGED:
        spoken = spoken.replace(precise, lax)
    return "l" + spoken[1:] if spoken.startswith("n") and len(spoken) > 1 else spoken
