"""Reading multipart/form-data from bytes that are already here."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARAMETER = re.compile(r'(name|filename)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Part:
    """One field; a file has a filename."""

    name: str
    filename: str
    content_type: str
    data: bytes


def parse(content_type: str, body: bytes) -> list[Part]:
    """The parts; an empty list when the body is not multipart."""
    found = re.search(r'boundary="?([^";,]+)"?', content_type)
    if found is None:
        return []
    parts = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + found[1].encode())[1:]:
        head, separator, data = piece.partition(b"\r\n\r\n")
        if not separator or piece.startswith(b"--"):
            continue
        headers = head.decode(errors="replace")
        names = dict(PARAMETER.findall(headers))
        kind = re.search(r"(?im)^content-type:\s*([^\r\n]+)", headers)
        parts.append(Part(names.get("name", ""), names.get("filename", ""), kind[1].strip() if kind else "", data))
    return parts
