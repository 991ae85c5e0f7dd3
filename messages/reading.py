"""Recognises the words people may type. A long account never is a command, however many command words are in it."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from messages.files import table

_GAP = r"[\s\W_]"
_NUMBER = r"\d{1,12}|[一二两三四五六七八九十]{1,3}"
_LONGEST_ARGUMENT = 600
_DATE = r"(?<!\d)\d{1,2}天前|(?<!\d)\d{1,2}月\d{1,2}[日号]?"
_NARROW = {wide: wide - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for wide in range(ord(first), ord(last) + 1)}
_CHINESE_DIGITS = {word: value for value, word in enumerate("零一二三四五六七八九")} | {"两": 2}


@dataclass(frozen=True)
class Command:
    """A message that plainly is a command."""

    word: str
    """The command's name in words.toml, e.g. "claim"."""
    argument: str = ""
    """What followed the word, as it was typed but for full-width letters and digits; "" when nothing did."""
    numbers: tuple[int, ...] = ()
    """The numbers at the beginning of the argument: (12, 13) for 接12、13."""
    then: str = ""
    """How it went and when, where the command takes that: 昨天都好 for 记录 3 昨天都好."""


def plain(text: str) -> str:
    """`text` with half-width letters and digits, simplified characters, lower case, single spaces and bare edges."""
    narrow = unicodedata.normalize("NFKC", text).translate(_simplified()).lower()
    return " ".join(narrow.split())


@lru_cache(maxsize=16)  # most messages are the same few digits and words
def command(text: str) -> Command | None:
    """The command that `text` is, or None when it is an account, an answer or anything else."""
    typed = text.strip().translate(_NARROW)
    if not typed or len(typed) > _LONGEST_ARGUMENT:
        return None
    said = heard(typed)
    for part in _without_politeness(said):
        found = _exact(said[part]) or _about_term(said[part]) or _with_argument(said[part], typed[part])
        if found:
            return found
    return None


@cache
def answer_words(kind: str) -> frozenset[str]:
    """The ways of saying one command, bare: `answer_words("yes")` holds 是, 对, 嗯 and so on."""
    return frozenset(_bare(word) for word in table("words.toml")[kind]["words"])


@cache
def pattern(name: str) -> re.Pattern[str]:
    """A regular expression of phrasing.toml, e.g. "days_ago"."""
    return re.compile(table("phrasing.toml")[name])


def heard(text: str) -> str:
    """`text` as `plain` would have it, letter by letter, so that positions stay true."""
    return "".join(map(_heard, text))


@lru_cache(maxsize=8192)  # of writing in use, not of every sign there is
def _heard(character: str) -> str:
    """One character as `plain` would have it, where that is one character, so that positions stay true."""
    plainer = unicodedata.normalize("NFKC", character).translate(_simplified()).lower()
    return plainer if len(plainer) == 1 else character


def _bare(text: str) -> str:
    """Letters and digits only; a lone question mark stays, because it asks for help."""
    return re.sub(r"[\W_]+", "", text) or text.strip()[:1].replace("\N{FULLWIDTH QUESTION MARK}", "?")


@cache
def _simplified() -> dict[int, str]:
    characters = table("lexicon/traditional.toml")
    return {
        ord(old): new
        for old, new in zip(characters["traditional"], characters["simplified"], strict=True)
        if old != new
    }


@cache
def _names() -> dict[str, str]:
    """Bare word → command name. The first section that claims a word keeps it."""
    names: dict[str, str] = {}
    for name, section in table("words.toml").items():
        if section["takes"] != "term":
            for word in section["words"]:
                names.setdefault(_bare(plain(word)), name)
    return names


@cache
def _terms() -> dict[str, tuple[str, str]]:
    """Bare question about a figure → (command name, figure as it is called)."""
    return {
        _bare(plain(form.format(figure))): (name, figure)
        for name, section in table("words.toml").items()
        if section["takes"] == "term"
        for form in section["words"]
        for figure in table("labels.toml")["figure"].values()
    }


@cache
def _shapes() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Patterns for word + numbers, number + word, word + free words."""

    def any_word(*kinds: str) -> str:
        sections = table("words.toml").values()
        words = {plain(word) for section in sections if section["takes"] in kinds for word in section["words"]}
        return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))

    counted, spoken = any_word("number", "words"), any_word("words")
    measure = "|".join(table("phrasing.toml")["after_number"])
    numbers = rf"(?P<numbers>第?(?:{_NUMBER})(?:{measure})?(?:(?:{_GAP}|和)+(?:{_NUMBER})(?:{measure})?)*)"
    edge = rf"{_GAP}*"
    return (
        re.compile(rf"{edge}(?P<word>{counted}){edge}{numbers}{edge}"),
        re.compile(rf"{edge}{numbers}{edge}(?P<word>{any_word('number')}){edge}"),
        re.compile(rf"{edge}(?P<word>{spoken})(?:{_GAP}+|(?=\d))(?P<rest>.+)"),
    )


def _without_politeness(text: str) -> list[slice]:
    """The whole of `text`, then what is left without the polite words around it."""
    before, after = _politeness()
    start, end = before.match(text), after.search(text)
    bared = slice(start.end() if start else 0, end.start() if end else len(text))
    return [slice(0, len(text)), bared] if bared.start < bared.stop else [slice(0, len(text))]


@cache
def _politeness() -> tuple[re.Pattern[str], re.Pattern[str]]:
    phrasing = table("phrasing.toml")
    before, after = ("|".join(sorted(phrasing[place], key=len, reverse=True)) for place in ("before", "after"))
    return re.compile(rf"(?:{_GAP}*(?:{before}){_GAP}*)*"), re.compile(rf"(?:(?:{after}){_GAP}*)*$")


def _exact(text: str) -> Command | None:
    name = _names().get(_bare(text))
    return Command(name) if name else None


def _about_term(text: str) -> Command | None:
    found = _terms().get(_bare(text))
    return Command(found[0], argument=found[1]) if found else None


@cache
def _outcomes() -> re.Pattern[str]:
    """Pattern for word + numbers + how it went and when (记录 3 昨天都好), of the commands that have `then`."""
    sections = table("words.toml")
    words = [plain(word) for section in sections.values() if "then" in section for word in section["words"]]
    kinds = {kind for section in sections.values() for kind in section.get("then", ())}
    spoken = [plain(word) for kind in kinds for word in sections[kind]["words"]]
    tails = [re.escape(one) for one in [*spoken, *table("labels.toml")["day_word"]]]
    measure = "|".join(table("phrasing.toml")["after_number"])
    word, tail = ("|".join(sorted(some, key=len, reverse=True)) for some in (map(re.escape, words), tails))
    number, edge = rf"第?(?:{_NUMBER})(?:{measure})?", rf"{_GAP}*"
    return re.compile(
        rf"{edge}(?P<word>{word}){edge}(?P<numbers>(?:{number}(?:(?:{_GAP}|和)+{number})*)?){edge}(?P<rest>(?:(?:{tail}|{_DATE}){edge})+)"
    )


def _with_argument(text: str, typed: str) -> Command | None:
    word_first, number_first, words_after = _shapes()
    counted = word_first.fullmatch(text) or number_first.fullmatch(text)
    if counted:
        said = counted["numbers"].strip()
        return Command(_names()[_bare(counted["word"])], argument=said, numbers=_numbers(said))
    outcome = _outcomes().fullmatch(text)
    if outcome:
        said, then = typed[outcome.end("word") :].strip(), typed[slice(*outcome.span("rest"))].strip()
        name, numbers = _names()[_bare(outcome["word"])], _numbers(outcome["numbers"] or "")
        return Command(name, argument=said, numbers=numbers, then=then)
    spoken = words_after.fullmatch(text)
    if spoken:
        rest = typed[slice(*spoken.span("rest"))].strip()
        leading = re.match(rf"(?:\d{{1,12}}(?:{_GAP}+|$))*", rest)
        return Command(
            _names()[_bare(spoken["word"])],
            argument=rest,
            numbers=_numbers(leading[0]) if leading else (),
        )
    return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(number(found) for found in re.findall(_NUMBER, text))


def number(text: str) -> int:
    """12, 十二, 二十, 两 as an integer."""
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (_CHINESE_DIGITS.get(tens, 1) * 10 if ten else 0) + _CHINESE_DIGITS.get(ones, 0)
