"""Judging what the bot answered to a push: silent, something to show, or the fault notice."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.simulator import crypto, xmls
from bot.simulator.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.simulator.world import World
    from bot.simulator.xmls import Node

TEXT_BYTES = 2048
ONE_ARTICLE_AFTER = frozenset({"text", "image", "voice", "video", "shortvideo", "location", "link"})
ARTICLES = 8
OK = 200


class BadReplyError(ValueError):
    """The reply is not one the platform takes; the text says why."""


@dataclass
class Shown:
    """One item to put on the screen."""

    kind: str
    text: str
    extra: dict[str, object] = field(default_factory=dict)


@dataclass
class Verdict:
    """What the person sees, why it was refused if it was, and the answer in clear."""

    shown: list[Shown]
    fault: str = ""
    plain: str = ""


@dataclass(frozen=True)
class Asked:
    """The push that was answered: whose, what kind, and the key it was sealed with."""

    openid: str
    trigger: str
    key: bytes


def classify(world: World, asked: Asked, status: int, body: bytes) -> Verdict:
    """Judge one HTTP answer."""
    if status != OK:
        return Verdict([], f"HTTP status {status}")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Verdict([], "not UTF-8")
    if text in ("", "success"):
        return Verdict([], plain=text)
    plain = text
    try:
        text, rest = xmls.split_trailing(text)
        root = _root(text)
        plain = text
        if root.get("Encrypt") is not None or world.account.mode is Mode.SAFE:
            plain = _open(world, asked, root)
            root = _root(plain)
        shown = _read(world, asked, root)
    except (BadReplyError, crypto.CryptoError, xmls.XmlError) as error:
        return Verdict([], str(error), plain)
    return Verdict(shown, "bytes after the reply" if rest else "", plain)


def _root(text: str) -> Node:
    root = xmls.parse(text)
    if root.name != "xml":
        msg = f"the root element is {root.name}, not xml"
        raise BadReplyError(msg)
    return root


def _open(world: World, asked: Asked, root: Node) -> str:
    account = world.account
    if account.mode is Mode.PLAIN:
        msg = "an encrypted reply in plain mode"
        raise BadReplyError(msg)
    sealed, signed = root.value("Encrypt"), root.value("MsgSignature")
    if not sealed:
        msg = "a plain reply in safe mode"
        raise BadReplyError(msg)
    stamp, nonce = root.value("TimeStamp"), root.value("Nonce")
    if not re.fullmatch(r"\d{1,10}", stamp) or not nonce:
        msg = "TimeStamp (seconds) or Nonce of the envelope is wrong"
        raise BadReplyError(msg)
    if not crypto.same(signed, crypto.signature(account.token, stamp, nonce, sealed)):
        msg = "MsgSignature does not fit"
        raise BadReplyError(msg)
    return crypto.decrypt(asked.key, sealed, account.app_id)


def _read(world: World, asked: Asked, root: Node) -> list[Shown]:
    if root.value("ToUserName") != asked.openid or root.value("FromUserName") != world.account.original_id:
        msg = "ToUserName and FromUserName are not the swapped pair"
        raise BadReplyError(msg)
    if not re.fullmatch(r"\d+", root.value("CreateTime")):
        msg = "CreateTime is not an integer"
        raise BadReplyError(msg)
    reader = READERS.get(root.value("MsgType"))
    if reader is None:
        msg = f"unknown MsgType {root.value('MsgType')[:40]!r}"
        raise BadReplyError(msg)
    return reader(world, asked, root)


def _text(_world: World, _asked: Asked, root: Node) -> list[Shown]:
    content = root.value("Content")
    if not content.strip():
        msg = "Content is empty"
        raise BadReplyError(msg)
    if len(content.encode()) > TEXT_BYTES:
        msg = f"Content has {len(content.encode())} bytes, more than {TEXT_BYTES}"
        raise BadReplyError(msg)
    return [Shown("text", content)]


def _medium(tag: str, kind: str) -> Callable[[World, Asked, Node], list[Shown]]:
    def read(world: World, _asked: Asked, root: Node) -> list[Shown]:
        part = root.get(tag)
        media_id = part.value("MediaId") if part else ""
        media = world.live_media(media_id)
        if part is None or media is None or media.kind != kind:
            msg = f"MediaId is unknown, expired or no {kind}"
            raise BadReplyError(msg)
        if media.content_type == "image/gif":
            msg = "a GIF is no picture for a reply"
            raise BadReplyError(msg)
        extra: dict[str, object] = {
            "media_id": media_id,
            "title": part.value("Title"),
            "url": f"/sim/media/{media_id}",
        }
        return [Shown(kind, part.value("Description"), extra)]

    return read


def _music(world: World, _asked: Asked, root: Node) -> list[Shown]:
    part = root.get("Music")
    thumb = world.live_media(part.value("ThumbMediaId") if part else "")
    if part is None or thumb is None or thumb.kind not in {"thumb", "image"}:
        msg = "music whose ThumbMediaId is unknown, expired or no picture"
        raise BadReplyError(msg)
    url = part.value("MusicUrl") or part.value("HQMusicUrl")
    return [Shown("news", part.value("Description"), {"title": part.value("Title"), "url": url})]


def _news(_world: World, asked: Asked, root: Node) -> list[Shown]:
    articles = root.get("Articles")
    items = [child for child in articles.children if child.name == "item"] if articles else []
    allowed = 1 if asked.trigger in ONE_ARTICLE_AFTER else ARTICLES
    if not items or root.value("ArticleCount") != str(len(items)) or len(items) > allowed:
        msg = f"{len(items)} articles, allowed {allowed}; ArticleCount says {root.value('ArticleCount')!r}"
        raise BadReplyError(msg)
    if any(not item.value("Title") for item in items):
        msg = "an article without a title"
        raise BadReplyError(msg)
    return [
        Shown("news", item.value("Description"), {"title": item.value("Title"), "url": item.value("Url")})
        for item in items
    ]


def _transfer(_world: World, _asked: Asked, _root: Node) -> list[Shown]:
    return []


READERS: Mapping[str, Callable[[World, Asked, Node], list[Shown]]] = {
    "text": _text,
    "image": _medium("Image", "image"),
    "voice": _medium("Voice", "voice"),
    "video": _medium("Video", "video"),
    "music": _music,
    "news": _news,
    "transfer_customer_service": _transfer,
}
