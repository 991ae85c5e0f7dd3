"""What goes back to a person as text: made fit for XML, cut at the platform's limits, wrapped as a passive reply."""

import re

from wechatpy.replies import TextReply

from bot.inbound import Inbound

MOST = 600
"""Longest piece in UTF-16 units. At most three bytes each in UTF-8, so 1,800 bytes: the platform's limit is 2,048."""

_ILLEGAL = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINK = re.compile(r"<a\b.*?</a\s*>", re.IGNORECASE | re.DOTALL)
_STOPS = "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH EXCLAMATION MARK}\N{FULLWIDTH QUESTION MARK}\N{FULLWIDTH SEMICOLON}!?;"
_BREAKS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(rf"(?<=[{_STOPS}])|(?<=\. )"),
    re.compile(r"(?<=[\s,\N{FULLWIDTH COMMA}\N{IDEOGRAPHIC COMMA}])"),
)
"""Where a text may be cut, best first: between paragraphs, lines, sentences, words."""


def clean(text: str) -> str:
    """`text` without what XML 1.0 cannot carry, its line ends all alike."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def text_reply(inbound: Inbound, text: str, create_time: int) -> str:
    """The XML of a passive reply; "" when no text is left, since an empty Content shows the person a fault notice."""
    content = clean(text)
    if not content.strip():
        return ""
    reply = TextReply(source=inbound.to, target=inbound.openid, time=create_time, content=_in_cdata(content))
    xml: str = reply.render()
    return xml


def cut(text: str) -> list[str]:
    """`text` in pieces that the platform takes, in order; blank ends of pieces are dropped, links stay whole."""
    pieces, rest = [], clean(text).strip()
    while rest:
        piece, rest = split(rest)
        pieces.append(piece)
    return pieces


def split(text: str) -> tuple[str, str]:
    """The first piece of a clean text without blank ends, and what is left of it."""
    end = _end(text)
    return text[:end].rstrip(), text[end:].lstrip()


def _end(text: str) -> int:
    """Where the first piece of `text` ends."""
    most = _fitting(text)
    if most == len(text):
        return most
    links = [match.span() for match in _LINK.finditer(text)]
    for pattern in _BREAKS:
        places = [match.start() for match in pattern.finditer(text, 0, most)]
        good = [place for place in places if place > most // 3 and not _inside(place, links)]
        if good:
            return good[-1]
    begun = next((start for start, end in links if start < most < end), most)
    return begun or most  # a link longer than a piece cannot stay whole


def _inside(place: int, spans: list[tuple[int, int]]) -> bool:
    return any(start < place < end for start, end in spans)


def _fitting(text: str) -> int:
    """How many characters of `text` make one piece."""
    if 2 * len(text) <= MOST:
        return len(text)
    units = 0
    for index, character in enumerate(text):
        units += 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004 - beyond, UTF-16 takes two units
        if units > MOST:
            return index
    return len(text)


def _in_cdata(text: str) -> str:
    """Wechatpy puts the text into one CDATA section, which `]]>` would end."""
    return text.replace("]]>", "]]]]><![CDATA[>")
