"""What goes into the fields of a county's templates, made to fit: the platform refuses an empty, long or unfit value.

A field's key is its kind and a number: thing1, number2, time3 (wechat-platform.md 6.2); the platform drops what an old
template's `first` and `remark` say. The settings name for each key one of the purpose's values, or words of the
county's own after `=`, which some kinds (const, enum, phrase) need.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from bot.replies import clean
from messages import labels

VALUES = {
    "alarm": ("what", "number", "place", "when"),
    "task": ("what", "count", "when"),
    "digest": ("what", "number", "place", "count", "when"),
    "notice": ("what", "when"),
}
"""What each purpose can tell; `when` is the moment of sending, but for the digest, which gives its day."""
OWN_WORDS = "="
"""Begins words of the county's own in place of a value's name."""
DROPPED = frozenset({"first", "remark"})
"""Keys that the platform no longer shows."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KIND = re.compile(r"([a-z_]+?)\d+")
_KEY = re.compile(r"[a-z_]+\d+|first|remark")
_SHOWS = {
    "number": ("number", "count"),
    "character_string": ("number", "count"),
    "time": ("when",),
    "date": ("when",),
    "car_number": ("number", "count", "place"),
    "name": ("place",),
} | dict.fromkeys(("const", "enum", "phrase", "letter", "symbol", "amount", "phone_number"), ())
"""Which values a kind of field can show; a kind that is not here shows any. Of the others nothing or a stub is left."""
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


def _amount(value: str) -> str:
    found = _found(_NUMBER, 10)(value)
    return f"\u00a5{found}" if found else ""


def _name(value: str) -> str:
    kept = re.sub(r"\d", "", value)
    return kept[: _LONGEST if kept.isascii() else 10]


_RULES: dict[str, Callable[[str], str]] = {
    "number": _found(_NUMBER, 32),
    "amount": _amount,
    "letter": _only("A-Za-z", 32),
    "character_string": _only(r"\x21-\x7e", 32),
    "time": _found(re.compile(rf"({_DAY} )?{_CLOCK}"), 32),
    "date": _found(re.compile(rf"{_DAY}( {_CLOCK})?"), 32),
    "phone_number": _only(r"0-9+\-()", 17),
    "car_number": _only(rf"{_HAN}A-Za-z0-9", 8),
    "phrase": _only(_HAN, 5),
    "symbol": _only(r"!-/:-@\[-\^`{-~", 5),
    "name": _name,
}


def filled(fields: Mapping[str, str], values: Mapping[str, str | None], now: datetime) -> dict[str, str]:
    """Every field of a template with what it says; `fields` is the settings', `now` is local."""
    given: dict[str, str | None] = {"when": f"{now:%Y-%m-%d %H:%M}", **values}
    return {
        key: fitted(key, name[len(OWN_WORDS) :] if name.startswith(OWN_WORDS) else given.get(name), now)
        for key, name in fields.items()
    }


def problem(purpose: str, fields: Mapping[str, str]) -> str | None:
    """What is wrong with the settings' fields of a purpose, in words to put behind its name; None when nothing is."""
    if not fields:
        return "fields is empty: name the template's fields and what goes into each"
    for key, name in fields.items():
        if not _KEY.fullmatch(key):
            return f"fields.{key} should be a key of the template, like thing1 in {{{{thing1.DATA}}}}"
        fit = [value for value in VALUES[purpose] if value in _SHOWS.get(kind_of(key), VALUES[purpose])]
        if name.startswith(OWN_WORDS):
            words = name[len(OWN_WORDS) :]
            if not words or _kept(key, words) != words:
                return f"fields.{key}: the platform does not take these words in a field of this kind"
        elif name not in fit:
            either = f"one of {', '.join(fit)}, or " if fit else ""
            return f"fields.{key} should be {either}words of your own after {OWN_WORDS}"
    if fields.keys() <= DROPPED:
        return "fields has only what the platform no longer shows: add a field like thing1"
    return None


def fitted(key: str, value: str | None, now: datetime) -> str:
    """`value` as the field takes it; a neutral one where nothing of it is left. `now` (local) fills times."""
    return _kept(key, value) or _neutral(kind_of(key), now)


def _kept(key: str, value: str | None) -> str:
    rule = _RULES.get(kind_of(key), _short)
    return rule(" ".join(_CONTROL.sub(" ", clean(value or "")).split()))


def kind_of(key: str) -> str:
    """The kind of a field, which its key begins with; empty for an old template's `first` and `remark`."""
    match = _KIND.fullmatch(key)
    return match[1] if match else ""


def _neutral(kind: str, now: datetime) -> str:
    if kind in {"time", "date"}:
        return f"{now:%Y-%m-%d %H:%M}"
    words = labels("template_neutral")
    return words.get(kind, words["thing"])
