"""The XML both sides speak: building pushes, reading passive replies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
END = re.compile(r"</xml\s*>")
LIMIT = 256 * 1024


class XmlError(ValueError):
    """Not one well-formed, entity-free XML document."""


def cdata(text: str) -> str:
    """A CDATA section; its end mark is split and illegal characters are dropped."""
    return "<![CDATA[" + ILLEGAL.sub("", text).replace("]]>", "]]]]><![CDATA[>") + "]]>"


def element(name: str, value: object) -> str:
    """One element: numbers bare, texts in CDATA, mappings nested, lists repeated."""
    if isinstance(value, dict):
        inner = "".join(element(key, part) for key, part in cast("Mapping[str, object]", value).items())
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, list):
        return "".join(element(name, one) for one in cast("list[object]", value))
    body = str(value) if isinstance(value, (int, float)) else cdata(str(value))
    return f"<{name}>{body}</{name}>"


def document(fields: Mapping[str, object]) -> str:
    """A push body."""
    return element("xml", dict(fields))


@dataclass
class Node:
    """A read element: its text and its children in order."""

    name: str
    text: str
    children: list[Node]

    def get(self, name: str) -> Node | None:
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def value(self, name: str) -> str:
        """The text of the first child of that name, or an empty text."""
        child = self.get(name)
        return child.text if child else ""


def _refuse(*_: object) -> None:
    msg = "declarations and entities are not taken"
    raise XmlError(msg)


def parse(text: str) -> Node:
    """Read a document; raises XmlError for anything that is not plain XML."""
    if len(text) > LIMIT:
        msg = "too long"
        raise XmlError(msg)
    root = Node("", "", [])
    stack = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse

    def start(name: str, _attributes: dict[str, str]) -> None:
        node = Node(name, "", [])
        stack[-1].children.append(node)
        stack.append(node)

    def end(_name: str) -> None:
        stack.pop()

    def characters(data: str) -> None:
        stack[-1].text += data

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise XmlError(str(error)) from error
    return root.children[0]


def split_trailing(text: str) -> tuple[str, str]:
    """The document and whatever follows its end tag."""
    ends = list(END.finditer(text))
    if not ends:
        return text, ""
    return text[: ends[-1].end()], text[ends[-1].end() :].strip()
