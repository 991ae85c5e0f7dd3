"""Makes values fit the fields of template messages: the platform refuses an empty, long or otherwise unfit one.

A field's key is its kind and a number: thing1, number2, time3 (wechat-platform.md 6.2).
"""

import re
from collections.abc import Callable
from datetime import datetime

from bot.replies import clean
from messages import labels

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MOMENT = re.compile(r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{2})?|\d{1,2}:\d{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KIND = re.compile(r"([a-z_]+?)\d+")
_LONGEST = 20
"""Characters of a field that has no rule of its own."""


def _only(allowed: str, longest: int) -> Callable[[str], str]:
    """Keep the allowed characters, as many as fit."""
    other = re.compile(rf"[^{allowed}]+")
    return lambda value: other.sub("", value).strip()[:longest].strip()


def _found(pattern: re.Pattern[str], longest: int) -> Callable[[str], str]:
    """Keep the first part of this form, if it fits."""

    def find(value: str) -> str:
        match = pattern.search(value)
        return match[0] if match and len(match[0]) <= longest else ""

    return find


def _short(value: str) -> str:
    return value[:_LONGEST].strip()


def _name(value: str) -> str:
    kept = re.sub(r"\d", "", value)
    return kept[: 10 if re.search(f"[{_HAN}]", kept) else _LONGEST]


_RULES: dict[str, Callable[[str], str]] = {
    "number": _found(_NUMBER, 32),
    "amount": _found(_NUMBER, 10),
    "letter": _only("A-Za-z", 32),
    "character_string": _only(r"\x20-\x7e", 32),
    "time": _found(_MOMENT, 32),
    "date": _found(re.compile(r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{2})?"), 32),
    "phone_number": _only(r"\d+\-() ", 17),
    "car_number": _only(rf"{_HAN}A-Za-z0-9", 8),
    "phrase": _only(_HAN, 5),
    "symbol": _only(r"!-/:-@\[-\^`{-~", 5),
    "name": _name,
}


def fitted(key: str, value: str | None, now: datetime) -> str:
    """`value` as the field takes it; a neutral one where nothing of it is left. `now` (local) fills times."""
    match = _KIND.fullmatch(key)
    kind = match[1] if match else ""
    rule = _RULES.get(kind, _short)
    kept = rule(" ".join(_CONTROL.sub(" ", clean(value or "")).split()))
    return kept or _neutral(kind, now)


def _neutral(kind: str, now: datetime) -> str:
    if kind in {"time", "date"}:
        return f"{now:%Y-%m-%d %H:%M}"
    words = labels("template_neutral")
    return words.get(kind, words["thing"])
