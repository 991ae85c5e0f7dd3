"""Rows as bytes and back, the same for both databases: column by column, clear values as JSON, bytes as they are.

    length(4)  JSON: one list a column (values, or for bytes their lengths; null is null)  all bytes in a row

Times are text in UTC as SQLite keeps them, truths are 0 and 1; so nothing depends on a driver or on Python.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

_LENGTH: Final = 4


def pack(rows: Sequence[Sequence[Any]], is_bytes: Sequence[bool]) -> bytes:
    """The bytes of some rows; `is_bytes` says which columns are."""
    lists: list[Sequence[Any]] = []
    content: list[bytes] = []
    for values, binary in zip(zip(*rows, strict=True), is_bytes, strict=True):
        if binary:
            lists.append([None if value is None else len(value) for value in values])
            content.extend(value for value in values if value is not None)
        else:
            lists.append(values)
    clear = json.dumps(lists, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join((len(clear).to_bytes(_LENGTH, "big"), clear, *content))


def unpack(packed: bytes, is_bytes: Sequence[bool]) -> Iterator[tuple[Any, ...]]:
    """The rows again."""
    start = _LENGTH + int.from_bytes(packed[:_LENGTH], "big")
    columns: list[list[Any]] = json.loads(packed[_LENGTH:start])
    for place, binary in enumerate(is_bytes):
        if binary:
            lengths = columns[place]
            ends = list(accumulate((length or 0 for length in lengths), initial=start))
            columns[place] = [
                None if length is None else packed[begin : begin + length]
                for length, begin in zip(lengths, ends[:-1], strict=True)
            ]
            start = ends[-1]
    return zip(*columns, strict=True)
