"""What people do with their phones, turned into pushes."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bot.simulator import jsons
from bot.simulator.push import Push
from bot.simulator.settings import Kind
from bot.simulator.state import Window
from bot.simulator.world import STRINGS

if TYPE_CHECKING:
    import asyncio

    from bot.simulator.jsons import Json
    from bot.simulator.state import Media, Phone, Qr, ScreenItem
    from bot.simulator.world import World

MESSAGE_WINDOW = (5, 48 * 3600)
SHORT_WINDOW = (3, 60)
OPENS_SHORT = frozenset({"CLICK", "scancode_push", "scancode_waitmsg", "subscribe", "SCAN"})
NOT_OURS = frozenset({"TEMPLATESENDJOBFINISH", "subscribe_msg_sent_event"})
NOT_ANSWERED = NOT_OURS | {
    "unsubscribe", "VIEW", "view_miniprogram", "LOCATION", "subscribe_msg_popup_event", "subscribe_msg_change_event",
}  # fmt: skip


MENU_LINK = re.compile(r"""weixin://bizmsgmenu\?[^"'\s>]*?msgmenuid=([^&"'\s>]*)""")


class NotPossibleError(ValueError):
    """The person cannot do that now, for example write to an account they do not follow."""


def md5(data: bytes) -> str:
    """The sum the platform puts into file and picture pushes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _head(world: World, phone: Phone) -> dict[str, object]:
    return {
        "ToUserName": world.account.original_id,
        "FromUserName": phone.openid,
        "CreateTime": world.clock.stamp(),
    }


def _opened(world: World, before: Window | None, allowance: tuple[int, int]) -> Window:
    """The allowance that an act opens."""
    number, seconds = allowance
    now = world.clock.now()
    left = before.remaining if world.settings.assumed.allowances_add_up and before and before.expires > now else 0
    return Window(left + number, now + seconds)


def message(
    world: World, phone: Phone, kind: str, fields: dict[str, object], *, as_menu_click: bool = False
) -> asyncio.Task[None]:
    """Push an ordinary message and open the window it opens; raises NotPossibleError for a non-follower."""
    if not phone.following:
        raise NotPossibleError(STRINGS["not_following"])
    phone.last_act = world.clock.now()
    if as_menu_click:
        phone.short = _opened(world, phone.short, SHORT_WINDOW)
    else:
        phone.long = _opened(world, phone.long, MESSAGE_WINDOW)
    parts = {**_head(world, phone), "MsgType": kind, **fields, "MsgId": world.next_msgid()}
    return world.pusher.send(Push(phone.openid, kind, parts))


def event(world: World, phone: Phone, name: str, fields: dict[str, object]) -> asyncio.Task[None]:
    """Push an event and open the window it opens."""
    if name not in NOT_OURS:
        phone.last_act = world.clock.now()
    if name in OPENS_SHORT:
        phone.short = _opened(world, phone.short, SHORT_WINDOW)
    parts = {**_head(world, phone), "MsgType": "event", "Event": name, **fields}
    return world.pusher.send(Push(phone.openid, name, parts, shows=name not in NOT_ANSWERED))


def say(world: World, phone: Phone, text: str) -> asyncio.Task[None]:
    """A typed message."""
    task = message(world, phone, "text", {"Content": text})
    world.show(phone, "me", "text", text)
    return task


def tap(world: World, phone: Phone, item_id: str, content: str) -> asyncio.Task[None] | None:
    """A tap on a customer-service menu item or a bizmsgmenu link: a text, but it opens only the short window.

    A test account is not told which item it was. An expired item only says so.
    """
    life = world.settings.assumed.menu_life
    offered = max((item.at for item in phone.screen if item_id in _offers(item)), default=world.clock.now())
    if life is not None and world.clock.now() - offered >= life:
        world.show(phone, "notice", "text", STRINGS["menu_expired"])
        return None
    told = {} if world.account.kind is Kind.TEST else {"bizmsgmenuid": item_id}
    task = message(world, phone, "text", {"Content": content, **told}, as_menu_click=True)
    world.show(phone, "me", "text", content)
    return task


def _offers(item: ScreenItem) -> list[str]:
    """The ids that can be tapped in what somebody sees."""
    return [str(row["id"]) for row in item.items] + [unquote(found) for found in MENU_LINK.findall(item.text)]


def picture(world: World, phone: Phone, data: bytes, content_type: str) -> asyncio.Task[None]:
    """A photo."""
    media = world.keep_media("image", data, content_type, "image.jpg")
    url = f"{world.origin}/files/{media.media_id}"
    task = message(world, phone, "image", {"PicUrl": url, "MediaId": media.media_id})
    _show_media(world, phone, media)
    return task


def voice(world: World, phone: Phone, data: bytes, content_type: str, fmt: str) -> asyncio.Task[None]:
    """A voice message; the platform's own recognition comes back empty, as it does today."""
    media = world.keep_media("voice", data, content_type, f"voice.{fmt}")
    task = message(world, phone, "voice", {"MediaId": media.media_id, "Format": fmt, "Recognition": ""})
    _show_media(world, phone, media)
    return task


def video(world: World, phone: Phone, data: bytes, content_type: str) -> asyncio.Task[None]:
    """A video with its cover picture."""
    media = world.keep_media("video", data, content_type, "video.mp4")
    thumb = world.keep_media("thumb", b"\xff\xd8\xff\xd9", "image/jpeg", "thumb.jpg")
    task = message(world, phone, "video", {"MediaId": media.media_id, "ThumbMediaId": thumb.media_id})
    _show_media(world, phone, media)
    return task


def _show_media(world: World, phone: Phone, media: Media) -> None:
    url = f"/sim/media/{media.media_id}"
    world.show(phone, "me", media.kind, STRINGS[media.kind], media_id=media.media_id, url=url)


@dataclass(frozen=True)
class Pin:
    """A place on the map: degrees, a label, the zoom."""

    lat: float
    lng: float
    label: str
    scale: int


def pin_of(data: Json) -> Pin:
    """{lat, lng, label?, scale?}; raises ShapeError."""
    lat, lng = jsons.number(data, "lat"), jsons.number(data, "lng")
    return Pin(lat, lng, jsons.text(data, "label", ""), jsons.integer(data, "scale", 15))


def location(world: World, phone: Phone, pin: Pin) -> asyncio.Task[None]:
    """Send a pin."""
    x, y = f"{pin.lat:.6f}", f"{pin.lng:.6f}"
    fields = {"Location_X": x, "Location_Y": y, "Scale": pin.scale, "Label": pin.label}
    task = message(world, phone, "location", fields)
    world.show(phone, "me", "location", pin.label or STRINGS["location"], title=f"{x},{y}")
    return task


def sticker(world: World, phone: Phone) -> asyncio.Task[None]:
    """A GIF sticker, which the platform cannot forward: the bot gets a placeholder text."""
    task = message(world, phone, "text", {"Content": STRINGS["unsupported"]})
    world.show(phone, "me", "sticker", STRINGS["sticker"])
    return task


def file(world: World, phone: Phone, title: str, size: int) -> asyncio.Task[None]:
    """A file; it has no MediaId, so the bot cannot fetch it."""
    key = secrets.token_hex(16)
    fields: dict[str, object] = {
        "Title": title,
        "Description": "",
        "FileKey": key,
        "FileMd5": md5(key.encode()),
        "FileTotalLen": size,
    }
    task = message(world, phone, "file", fields)
    world.show(phone, "me", "file", title or STRINGS["file"])
    return task


def link(world: World, phone: Phone, title: str, description: str, url: str) -> asyncio.Task[None]:
    """A shared link."""
    task = message(world, phone, "link", {"Title": title, "Description": description, "Url": url})
    world.show(phone, "me", "text", title or STRINGS["link"], url=url)
    return task


def follow(world: World, phone: Phone, qr: Qr | None = None) -> asyncio.Task[None] | None:
    """Follow the account, maybe by a QR code; None when already following."""
    if phone.following:
        return None
    phone.following = True
    phone.subscribe_time = world.clock.stamp()
    fields: dict[str, object] = {"EventKey": ""}
    if qr is not None:
        fields = {"EventKey": f"qrscene_{qr.scene}", "Ticket": qr.ticket}
        phone.subscribe_scene = "ADD_SCENE_QR_CODE"
        phone.qr_scene, phone.qr_scene_str = qr.scene_id, "" if qr.scene_id else qr.scene
    world.show(phone, "me", "event", STRINGS["followed"])
    return event(world, phone, "subscribe", fields)


def unfollow(world: World, phone: Phone) -> asyncio.Task[None] | None:
    """Leave the account: windows close, tags go; None when not following."""
    if not phone.following:
        return None
    task = event(world, phone, "unsubscribe", {"EventKey": ""})
    phone.following, phone.long, phone.short = False, None, None
    phone.tags.clear()
    world.show(phone, "me", "event", STRINGS["unfollowed"])
    return task


def scan(world: World, phone: Phone, qr: Qr) -> asyncio.Task[None] | None:
    """Point the camera at a QR code; an expired one only says so."""
    if qr.expires and world.clock.now() >= qr.expires:
        world.show(phone, "notice", "text", STRINGS["qr_expired"])
        return None
    if not phone.following:
        return follow(world, phone, qr)
    world.show(phone, "me", "event", STRINGS["scanned"])
    return event(world, phone, "SCAN", {"EventKey": qr.scene, "Ticket": qr.ticket})
