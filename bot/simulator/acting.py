"""The control paths by which a person at the keyboard (or a test) uses a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator import acts, filetypes, jsons, notices, qr, telephone
from bot.simulator.jsons import ShapeError
from bot.simulator.tapping import menu
from bot.simulator.wire import body_of, upload_of

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

    from bot.simulator.state import Phone
    from bot.simulator.world import World


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
    return acts.picture(world, phone, content, filetypes.image_type(content, kind))


async def voice(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """A recording with its `format` (amr unless said)."""
    data, content, kind = await upload_of(request)
    found = filetypes.sniff(content)
    fmt = jsons.text(data, "format", "") or found or "amr"
    kind = kind if kind.startswith("audio/") else filetypes.TYPES.get(fmt, f"audio/{fmt}")
    return acts.voice(world, phone, content, kind, fmt)


async def video(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """A video."""
    _, content, kind = await upload_of(request)
    return acts.video(world, phone, content, kind or "video/mp4")


async def location(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{lat, lng, label?, scale?}."""
    return acts.location(world, phone, acts.pin_of(await body_of(request)))


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


async def sms(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{text}: an SMS back."""
    return telephone.answer_sms(world, phone, jsons.text(await body_of(request), "text"))


async def pick_up(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """Take the call."""
    return telephone.pick_up(world, phone)


async def press(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{key}: press a key during the call."""
    return telephone.press(world, phone, jsons.text(await body_of(request), "key"))


async def hang_up(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """End the call."""
    return telephone.hang_up(world, phone)


async def subscribe(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{template_id or template_ids, long?, reject?, scene?}: answer the pop-up that asks for notices."""
    data = await body_of(request)
    wanted = jsons.texts(data, "template_ids") if "template_ids" in data else [jsons.text(data, "template_id")]
    yes, scene = data.get("reject") is not True, jsons.integer(data, "scene", 1)
    return notices.subscribe(world, phone, wanted, yes=yes, long=data.get("long") is True, scene=scene)


async def unsubscribe_notice(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{template_id}: withdraw what was agreed to."""
    return notices.unsubscribe(world, phone, jsons.text(await body_of(request), "template_id"))


async def unfollow(world: World, phone: Phone, _request: web.Request) -> asyncio.Task[None] | None:
    """Leave."""
    return acts.unfollow(world, phone)


async def event(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{event, fields?}: any event as given, for what has no button (LOCATION, user_info_modified ...)."""
    data = await body_of(request)
    fields = jsons.obj(data, "fields") if "fields" in data else {}
    return acts.event(world, phone, jsons.text(data, "event"), fields)


ACTS = {
    "say": say, "tap": tap, "image": image, "voice": voice, "video": video, "location": location, "sticker": sticker,
    "file": file, "link": link, "scan": scan, "follow": follow, "unfollow": unfollow, "event": event, "menu": menu,
    "sms": sms, "pick_up": pick_up, "press": press, "hang_up": hang_up,
    "subscribe": subscribe, "unsubscribe_notice": unsubscribe_notice,
}  # fmt: skip
