"""Reading JSON objects whose shape nobody promised."""

from __future__ import annotations

import json
import math
import re
from typing import cast

BAD = "data format error"
Json = dict[str, object]

ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u([0-9a-fA-F]{4})")


class ShapeError(ValueError):
    """A value is missing or of the wrong type; the text names it."""


def has_escapes(raw: bytes) -> bool:
    r"""Whether raw JSON holds a \uXXXX escape, which the platform does not read as a character."""
    return ESCAPE.search(raw) is not None


def load(raw: bytes, *, literal_escapes: bool = False) -> Json:
    r"""Parse one JSON object; with literal_escapes \uXXXX stays those six characters. Raises ShapeError."""
    if literal_escapes:
        raw = ESCAPE.sub(rb"\1\\\\u\2", raw)
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ShapeError(BAD) from error
    if not isinstance(data, dict):
        raise ShapeError(BAD)
    return cast("Json", data)


def dump(data: object) -> str:
    """Compact JSON with the characters themselves."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def text(data: Json, key: str, default: str | None = None) -> str:
    """A string, or a number written as one; raises ShapeError."""
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        msg = f"{key} should be text"
        raise ShapeError(msg)
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        msg = f"{key} holds half a character"
        raise ShapeError(msg) from error
    return str(value)


def number(data: Json, key: str, default: float | None = None) -> float:
    """A number, or a string holding one; raises ShapeError."""
    value = data.get(key, default)
    try:
        found = float(cast("str | float", value))
    except (OverflowError, TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        msg = f"{key} should be a number"
        raise ShapeError(msg)
    return found


def integer(data: Json, key: str, default: int | None = None) -> int:
    """A whole number; raises ShapeError."""
    value = number(data, key, default)
    if value != int(value):
        msg = f"{key} should be a whole number"
        raise ShapeError(msg)
    return int(value)


def obj(data: Json, key: str) -> Json:
    """A nested object; raises ShapeError."""
    value = data.get(key)
    if not isinstance(value, dict):
        msg = f"{key} should be an object"
        raise ShapeError(msg)
    return cast("Json", value)


def rows(data: Json, key: str) -> list[Json]:
    """A list of objects (missing counts as empty); raises ShapeError."""
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        msg = f"{key} should be a list of objects"
        raise ShapeError(msg)
    return cast("list[Json]", value)


def numbers(data: Json, key: str) -> list[int]:
    """A list of whole numbers; raises ShapeError."""
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        msg = f"{key} should be a list of whole numbers"
        raise ShapeError(msg)
    return cast("list[int]", value)


def texts(data: Json, key: str) -> list[str]:
    """A list of strings; raises ShapeError."""
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        msg = f"{key} should be a list of texts"
        raise ShapeError(msg)
    return cast("list[str]", value)
