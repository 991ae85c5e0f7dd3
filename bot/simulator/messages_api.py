"""Customer-service messages: windows, kinds, limits, and the typing sign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.settings import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

TEXT_BYTES = 2048
TYPING_AFTER_ACT = 30
TYPING_LASTS = 15
OK: Json = {"errcode": 0, "errmsg": "ok"}


def user(world: World, openid: str) -> Phone:
    """The user; raises ApiError 40003 for an openid that is not of this account."""
    phone = world.state.phones.get(openid)
    if phone is None:
        raise ApiError(40003)
    return phone


def not_blacklisted(phone: Phone) -> None:
    """Raise 43019 for a person on the account's blacklist."""
    if phone.blacklisted:
        raise ApiError(43019)


def read_content(world: World, kind: str, data: Json) -> dict[str, object]:
    """What the person would see of a message of this kind; raises ApiError."""
    return READERS[kind](world, jsons.obj(data, kind))


def spend(world: World, phone: Phone) -> None:
    """Use one message of an open window, or of both where they are not apart; raises 45015 or 45047."""
    check_window(world, phone)
    now, assumed = world.clock.now(), world.settings.assumed
    windows = (phone.short, phone.long) if assumed.short_allowance_first else (phone.long, phone.short)
    usable = [one for one in windows if one and one.expires > now and one.remaining]
    if not usable:
        raise ApiError(45047)
    for window in usable[:1] if assumed.allowances_apart else usable:
        window.remaining -= 1


def check_window(world: World, phone: Phone) -> None:
    """Raise 45015 unless the person follows and some window is still running."""
    now = world.clock.now()
    if not phone.following or not any(one and one.expires > now for one in (phone.short, phone.long)):
        raise ApiError(45015)


async def send(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/custom/send."""
    data = call.json()
    phone = user(world, jsons.text(data, "touser", ""))
    kind = jsons.text(data, "msgtype", "")
    if kind not in READERS or kind == "mpvideo":
        raise ApiError(40008)
    not_blacklisted(phone)
    if phone.refuses_messages:
        raise ApiError(48002)
    item = read_content(world, kind, data)
    spend(world, phone)
    phone.typing_until = 0.0
    world.show(phone, "account", str(item.pop("kind")), str(item.pop("text")), source="custom", **item)
    return dict(OK)


def _limit(text: str) -> str:
    if not text.strip():
        raise ApiError(44004)
    if len(text.encode()) > TEXT_BYTES:
        raise ApiError(45002)
    return text


def _text(_world: World, part: Json) -> dict[str, object]:
    return {"kind": "text", "text": _limit(jsons.text(part, "content", ""))}


def _medium(kind: str) -> Callable[[World, Json], dict[str, object]]:
    def read(world: World, part: Json) -> dict[str, object]:
        media_id = jsons.text(part, "media_id", "")
        media = world.live_media(media_id)
        if media is None or media.kind != kind:
            raise ApiError(40007)
        return {
            "kind": "video" if kind == "mpvideo" else kind,
            "text": jsons.text(part, "description", ""),
            "title": jsons.text(part, "title", ""),
            "media_id": media_id,
            "url": f"/sim/media/{media_id}",
        }

    return read


def _msgmenu(world: World, part: Json) -> dict[str, object]:
    if world.account.kind not in {Kind.VERIFIED_SERVICE, Kind.VERIFIED_SUBSCRIPTION}:
        raise ApiError(40200)
    items: list[Json] = [
        {"id": jsons.text(row, "id", ""), "content": jsons.text(row, "content")} for row in jsons.rows(part, "list")
    ]
    if not items:
        raise ApiError(47001)
    head, tail = jsons.text(part, "head_content", ""), jsons.text(part, "tail_content", "")
    if len("".join([head, tail, *(str(item["content"]) for item in items)]).encode()) > TEXT_BYTES:
        raise ApiError(45002)
    return {"kind": "menu", "text": head, "title": tail, "items": items}


def _news(_world: World, part: Json) -> dict[str, object]:
    articles = jsons.rows(part, "articles")
    if len(articles) != 1:
        raise ApiError(45008)
    one = articles[0]
    title = jsons.text(one, "title", "")
    return {
        "kind": "news",
        "title": title,
        "text": jsons.text(one, "description", ""),
        "url": jsons.text(one, "url", ""),
    }


def _thumb(world: World, part: Json) -> None:
    thumb = world.live_media(jsons.text(part, "thumb_media_id", ""))
    if thumb is None or thumb.kind not in {"thumb", "image"}:
        raise ApiError(40007)


def _music(world: World, part: Json) -> dict[str, object]:
    _thumb(world, part)
    url = jsons.text(part, "musicurl", "") or jsons.text(part, "hqmusicurl", "")
    title, text = jsons.text(part, "title", ""), jsons.text(part, "description", "")
    return {"kind": "news", "title": title, "text": text, "url": url}


def _mini_program(world: World, part: Json) -> dict[str, object]:
    _thumb(world, part)
    if not jsons.text(part, "appid", "") or not jsons.text(part, "pagepath", ""):
        raise ApiError(40165)
    return {"kind": "news", "title": jsons.text(part, "title", ""), "text": jsons.text(part, "pagepath")}


def _mpnews(world: World, part: Json) -> dict[str, object]:
    news = world.live_media(jsons.text(part, "media_id", ""))
    if news is None or news.kind != "news":
        raise ApiError(40007)
    articles: list[Json] = json.loads(world.keeper.get(news.media_id))
    if len(articles) != 1:
        raise ApiError(45008)
    one = articles[0]
    return {
        "kind": "news",
        "title": jsons.text(one, "title"),
        "text": jsons.text(one, "digest", ""),
        "url": f"/sim/media/{news.media_id}",
    }


def _card(_world: World, _part: Json) -> dict[str, object]:
    """A coupon: the account has none to give."""
    raise ApiError(48001)


READERS: Mapping[str, Callable[[World, Json], dict[str, object]]] = {
    "text": _text,
    "image": _medium("image"),
    "voice": _medium("voice"),
    "video": _medium("video"),
    "msgmenu": _msgmenu,
    "news": _news,
    "music": _music,
    "miniprogrampage": _mini_program,
    "mpnews": _mpnews,
    "mpvideo": _medium("mpvideo"),
    "wxcard": _card,
}


async def typing(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/custom/typing."""
    data, now = call.json(), world.clock.now()
    phone = user(world, jsons.text(data, "touser", ""))
    command = jsons.text(data, "command", "")
    if command not in {"Typing", "CancelTyping"}:
        raise ApiError(45072)
    check_window(world, phone)
    if command == "CancelTyping":
        phone.typing_until = 0.0
        return dict(OK)
    if now - phone.last_act > TYPING_AFTER_ACT:
        raise ApiError(45080)
    if now < phone.typing_until:
        raise ApiError(45081)
    phone.typing_until = now + TYPING_LASTS
    world.changes.bump()
    return dict(OK)
