"""The control paths by which a person at the keyboard (or a test) uses a phone."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from bot.simulator import acts, jsons, media, menus, multipart, qr
from bot.simulator.jsons import ShapeError

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

NOT_STARTED = frozenset({"view", "miniprogram", "media_id", "article_id", "article_view_limited", "view_limited"})


async def body_of(request: web.Request) -> Json:
    """The JSON object of a control request; an empty body is an empty object. Raises ShapeError."""
    raw = await request.read()
    return jsons.load(raw) if raw.strip() else {}


async def upload_of(request: web.Request) -> tuple[Json, bytes, str]:
    """Fields, bytes and content type of a posted file: multipart, `{base64, content_type}`, or bare bytes."""
    kind, raw = request.headers.get("Content-Type", ""), await request.read()
    if kind.startswith("multipart/"):
        parts = multipart.parse(kind, raw)
        fields: Json = {part.name: part.data.decode(errors="replace") for part in parts if not part.filename}
        file = next((part for part in parts if part.filename), None)
        if file is None:
            msg = "the form holds no file"
            raise ShapeError(msg)
        return fields, file.data, file.content_type
    if kind.startswith("application/json"):
        data = jsons.load(raw)
        try:
            content = base64.b64decode(jsons.text(data, "base64"), validate=True)
        except (binascii.Error, ValueError) as error:
            msg = "base64 cannot be read"
            raise ShapeError(msg) from error
        return data, content, jsons.text(data, "content_type", "")
    return dict(request.query), raw, kind


async def say(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{text}."""
    return acts.say(world, phone, jsons.text(await body_of(request), "text"))


async def tap(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{id, content}."""
    data = await body_of(request)
    return acts.tap(world, phone, jsons.text(data, "id", ""), jsons.text(data, "content"))


async def image(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """A picture."""
    _, content, kind = await upload_of(request)
    return acts.picture(world, phone, content, _image_type(content, kind))


def _image_type(content: bytes, kind: str) -> str:
    return media.TYPES.get(media.sniff(content), kind or "image/jpeg")


async def voice(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """A recording with its `format` (amr unless said)."""
    data, content, kind = await upload_of(request)
    found = media.sniff(content)
    fmt = jsons.text(data, "format", "") or found or "amr"
    kind = kind if kind.startswith("audio/") else media.TYPES.get(fmt, f"audio/{fmt}")
    return acts.voice(world, phone, content, kind, fmt)


async def video(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """A video."""
    _, content, kind = await upload_of(request)
    return acts.video(world, phone, content, kind or "video/mp4")


async def location(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{lat, lng, label?, scale?}."""
    return _location(world, phone, await body_of(request))


def _location(world: World, phone: Phone, data: Json) -> asyncio.Task[None]:
    lat, lng = jsons.number(data, "lat"), jsons.number(data, "lng")
    label, scale = jsons.text(data, "label", ""), jsons.integer(data, "scale", 15)
    return acts.location(world, phone, acts.Pin(lat, lng, label, scale))


async def sticker(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """A GIF sticker."""
    return acts.sticker(world, phone)


async def file(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{title, size?}."""
    data = await body_of(request)
    return acts.file(world, phone, jsons.text(data, "title", ""), jsons.integer(data, "size", 1024))


async def link(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{title, description?, url}."""
    data = await body_of(request)
    title, description = jsons.text(data, "title", ""), jsons.text(data, "description", "")
    return acts.link(world, phone, title, description, jsons.text(data, "url"))


async def scan(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{ticket} or {url} or {scene}; the code must have been made by qrcode/create."""
    data = await body_of(request)
    ticket, url, scene = (jsons.text(data, name, "") for name in ("ticket", "url", "scene"))
    code = qr.find(world, ticket, url, scene)
    if code is None:
        msg = "no QR code with that ticket, address or scene was made"
        raise ShapeError(msg)
    return acts.scan(world, phone, code)


async def follow(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """Follow without a code."""
    return acts.follow(world, phone)


async def unfollow(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """Leave."""
    return acts.unfollow(world, phone)


async def event(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{event, fields?}: any event as given, for what has no button (LOCATION, user_info_modified ...)."""
    data = await body_of(request)
    fields = jsons.obj(data, "fields") if "fields" in data else {}
    return acts.event(world, phone, jsons.text(data, "event"), fields)


async def menu(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{key}: tap the button with that key, address or name in the menu this user sees.

    scancode_* buttons also take {scan_result}, location_select {lat, lng, label}, pic_* {base64}.
    """
    data = await body_of(request)
    seen = menus.seen_by(world, phone)
    button = menus.find(seen, jsons.text(data, "key"))
    if button is None or seen is None:
        msg = "this user's menu has no such button"
        raise ShapeError(msg)
    kind = jsons.text(button, "type")
    world.show(phone, "me", "event", jsons.text(button, "name"), url=jsons.text(button, "url", ""))
    if kind in NOT_STARTED:
        if kind != "view":
            return None
        fields: Json = {"EventKey": button["url"]}
        if "matchrule" in seen:
            fields["MenuId"] = seen["menuid"]
        return acts.event(world, phone, "VIEW", fields)
    key = jsons.text(button, "key")
    if kind == "location_select":
        return _location_select(world, phone, key, data)
    if kind.startswith("pic_"):
        return _pictures(world, phone, kind, key, data)
    if kind.startswith("scancode_"):
        result = {"ScanType": "qrcode", "ScanResult": jsons.text(data, "scan_result", "")}
        return acts.event(world, phone, kind, {"EventKey": key, "ScanCodeInfo": result})
    return acts.event(world, phone, "CLICK", {"EventKey": key})


def _location_select(world: World, phone: Phone, key: str, data: Json) -> asyncio.Task[None]:
    """Two pushes: the event, then the pin as a message."""
    info: Json = {
        "Location_X": jsons.text(data, "lat"),
        "Location_Y": jsons.text(data, "lng"),
        "Scale": "15",
        "Label": jsons.text(data, "label", ""),
        "Poiname": "",
    }
    acts.event(world, phone, "location_select", {"EventKey": key, "SendLocationInfo": info})
    return _location(world, phone, data)


def _pictures(world: World, phone: Phone, kind: str, key: str, data: Json) -> asyncio.Task[None]:
    """Two pushes: the event, then the picture as a message."""
    content = base64.b64decode(jsons.text(data, "base64"))
    info: Json = {"Count": 1, "PicList": {"item": {"PicMd5Sum": acts.md5(content)}}}
    acts.event(world, phone, kind, {"EventKey": key, "SendPicsInfo": info})
    return acts.picture(world, phone, content, _image_type(content, ""))


ACTS = {
    "say": say, "tap": tap, "image": image, "voice": voice, "video": video, "location": location, "sticker": sticker,
    "file": file, "link": link, "scan": scan, "follow": follow, "unfollow": unfollow, "event": event, "menu": menu,
}  # fmt: skip
