"""Which of several options words name, said in a way of its own: exactly one, or none. Never a guess between two."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from messages.files import table
from messages.reading import heard, pattern, plain

_CLAUSE = re.compile(r"[^\s,。.;、!:]+")
_LONGEST_BEFORE = 6
"""Letters that may stand before the option in its clause (a day, who it was); with more it is an account."""
_LONGEST_ANSWER = 12
"""An answer no longer than this may begin with a clause that names nothing."""


def choose(words: str, kind: str, options: Mapping[str, str]) -> tuple[str, str] | None:
    """The code of the option (code to label) that words name, and what they say besides; None for none or several.

    What is denied, still to come, or asked is not named.
    """
    said = heard(words)
    clauses = list(_CLAUSE.finditer(said))
    if len(said) > _LONGEST_ANSWER:
        clauses = clauses[:1]
    for clause in clauses:
        found = {code: at for code, label in options.items() if (at := _found(clause[0], _ways(kind, code, label)))}
        whole = [(code, at) for code, at in found.items() if not any(_inside(at, one) for one in found.values())]
        if whole:
            [(code, (start, end)), *others] = whole
            before, after = said[: clause.start() + start], clause[0][end:]
            if others or start > _LONGEST_BEFORE or pattern("not_so").search(before) or pattern("asks").search(after):
                return None
            start, end = clause.start() + start, clause.start() + end
            rest = said[end:].strip()
            return None if pattern("asks").fullmatch(rest) else (code, _besides(words[:start], words[end:]))
    return None


def _inside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one != other and other[0] <= one[0] and one[1] <= other[1]


@cache
def _ways(kind: str, code: str, label: str) -> Sequence[str]:
    """Longest first: the label, what stands between its marks, and what choices.toml adds."""
    more = table("choices.toml").get(kind, {}).get(code, [])
    parts = [part for part in re.split(r"[\W_]+", plain(label)) if len(part) > 1]
    return sorted({*parts, *map(plain, more)}, key=len, reverse=True)


def _found(clause: str, ways: Sequence[str]) -> tuple[int, int] | None:
    """Where the first of these ways stands; one of a single letter has to be all there is."""
    bare = _trailing().sub("", _leading().sub("", clause))
    for way in ways:
        at = clause.find(way) if len(way) > 1 or way == bare else -1
        if at >= 0:
            return at, at + len(way)
    return None


def _besides(before: str, after: str) -> str:
    """The rest of the words, without what only held the sentence together."""
    rest = re.sub(r"^[\W_]+", "", re.sub(rf"^(?:{_any('after')})", "", after))
    return " ".join(filter(None, (_leading().sub("", before).strip(" ,\uff0c"), rest.strip())))


@cache
def _leading() -> re.Pattern[str]:
    return re.compile(rf"^(?:{_any('option_before')})*")


@cache
def _trailing() -> re.Pattern[str]:
    return re.compile(rf"(?:{_any('after')})*$")


def _any(name: str) -> str:
    return "|".join(sorted(map(re.escape, table("phrasing.toml")[name]), key=len, reverse=True))
