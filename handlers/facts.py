"""What a message in free words already tells: age, sex, injuries, when, where, who does it; so it is not asked again.

Pure; the words and patterns are in `messages/lexicon/facts.toml`. All of it is a suggestion that the person corrects.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal, TypedDict, cast

from handlers.hearing import Heard, Span
from messages import lexicon, number

_ADULT = 18
_NOON = 12
_MIDNIGHT = 24


class Facts(TypedDict):
    """The optional fields of Understanding that the words give."""

    age: int | None
    sex: Literal["female", "male"] | None
    injuries: tuple[str, ...]
    times: tuple[str, ...]
    relation: str | None
    place: str | None
    where: str | None
    reach: str | None


def facts_in(raw: str, heard: Heard) -> Facts:
    """What `raw`, plain text, tells."""
    words = cast("dict[str, list[str]]", lexicon("facts")["words"])

    def said(name: str) -> list[str]:
        return [word for word in words[name] if word in heard.spans]

    known = lexicon("facts")["injuries"]
    return {
        "age": min((age for age, _ in _ages(raw)), default=None),
        # With words for both sexes the child is rather the girl: a man is mostly the one who did it.
        "sex": "female" if said("female") else "male" if said("male") else None,
        "injuries": tuple(code for code, signs in known.items() if any(sign in raw for sign in signs)),
        "times": tuple(match[0] for match in _pattern("times").finditer(raw)),
        "relation": _found("doer", raw) or max(said("relation"), key=len, default=None),
        "place": _found("place", raw),
        "where": _found("where_now", raw),
        "reach": _found("reach", raw) if _found("doer", raw) else None,
    }


def ages(raw: str) -> list[Span]:
    """Where the words give a child's age: somebody so old is a child, whatever else they are called."""
    return [span for _, span in _ages(raw)]


@dataclass(frozen=True)
class When:
    """Time words and what they mean."""

    said: str
    day: date
    hour: int | None
    half: bool


def when(text: str, now: datetime) -> When | None:
    """The first day that plain `text` names, today or before, and its hour; `now` in the county's time.

    None where no day can be told, as of "last year" or "often".
    """
    found = min(_days(text, now.date()), key=lambda one: one[0].start(), default=None)
    if found is None:
        return None
    match, day = found
    clock = _pattern("clock").match(text, match.end())
    if clock is None:
        return When(match[0], day, None, half=False)
    whole, late = text[match.start() : clock.end()], clock["part"] in lexicon("facts")["late"]
    hour = number(clock["hour"])
    if hour >= _MIDNIGHT or (hour == _NOON and late) or (hour <= _NOON and not clock["part"]):
        return When(whole, day, None, half=False)  # midnight or noon, morning or evening: nobody can tell
    return When(whole, day, hour + (_NOON if late and hour < _NOON else 0), half=bool(clock["half"]))


def _days(text: str, today: date) -> Iterator[tuple[re.Match[str], date]]:
    days = lexicon("facts")["days_ago"]
    for match in re.finditer("|".join(days), text):
        yield match, today - timedelta(days=days[match[0]])
    for match in _pattern("weekday").finditer(text):
        weekday = next(at for at, names in enumerate(lexicon("facts")["weekdays"]) if match["day"] in names)
        ago = (today.weekday() - weekday) % 7
        is_this_week = ago <= today.weekday()
        yield match, today - timedelta(days=ago + (7 if match["last"] and is_this_week else 0))
    for match in _pattern("date").finditer(text):
        for year in (today.year, today.year - 1):
            try:
                day = date(year, int(match["month"]), int(match["day"]))
            except ValueError:
                continue
            if day <= today:
                yield match, day
                break


def _ages(raw: str) -> Iterator[tuple[int, Span]]:
    """Every age below that of an adult, from an age or a school year, and where it stands."""
    taken: list[Span] = []
    for name, less in (("age_range", 0), ("age_under", 1), ("age_nominal", 1), ("age", 0), ("age_bare", 0)):
        for match in _pattern(name).finditer(raw):
            start, end = match.span()
            said = next(filter(None, match.groups()))
            if not any(start < until and since < end for since, until in taken):
                taken.append((start, end))
                if (age := number(said) - less) < _ADULT:
                    yield age, (start, end)
    years: dict[str, int] = lexicon("facts")["school_years"]
    for year, age in years.items():
        if (start := raw.find(year)) >= 0:
            yield age, (start, start + len(year))


def _found(name: str, raw: str) -> str | None:
    match = _pattern(name).search(raw)
    return next(filter(None, match.groups()), match[0]) if match else None


@cache
def _pattern(name: str) -> re.Pattern[str]:
    read: dict[str, Any] = lexicon("facts")
    relation = "|".join(sorted(map(re.escape, read["words"]["relation"]), key=len, reverse=True))
    return re.compile(read[name].replace("{relation}", relation))
