"""A tap on the menu, turned into what the platform pushes for that kind of button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator import acts, filetypes, jsons, menus
from bot.simulator.jsons import ShapeError
from bot.simulator.wire import body_of, unpacked

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

LEAVES = {"view": ("VIEW", "url"), "miniprogram": ("view_miniprogram", "pagepath")}
SILENT = frozenset({"media_id", "article_id", "article_view_limited", "view_limited"})


async def menu(world: World, phone: Phone, request: web.Request) -> asyncio.Task[None] | None:
    """{key}: tap the button with that key, address or name in the menu this user sees.

    scancode_* buttons also take {scan_result}, location_select {lat, lng, label}, pic_* {base64} or {pictures: [...]}.
    Opening a submenu is not pushed.
    """
    data = await body_of(request)
    seen, key = menus.seen_by(world, phone), jsons.text(data, "key")
    if menus.is_submenu(seen, key):
        return None
    button = menus.find(seen, key)
    if button is None or seen is None:
        raise ShapeError("this user's menu has no such button")
    world.show(phone, "me", "event", jsons.text(button, "name"), url=jsons.text(button, "url", ""))
    return _tapped(world, phone, button, data, seen["menuid"] if "matchrule" in seen else None)


def _tapped(world: World, phone: Phone, button: Json, data: Json, menuid: object) -> asyncio.Task[None] | None:
    kind = jsons.text(button, "type")
    if kind in SILENT:
        return None
    if kind in LEAVES:
        name, target = LEAVES[kind]
        fields: Json = {"EventKey": button[target]}
        return acts.event(world, phone, name, fields if menuid is None else {**fields, "MenuId": menuid})
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
    pin = acts.pin_of(data)
    info: Json = {
        "Location_X": jsons.text(data, "lat"),
        "Location_Y": jsons.text(data, "lng"),
        "Scale": "15",
        "Label": pin.label,
        "Poiname": "",
    }
    acts.event(world, phone, "location_select", {"EventKey": key, "SendLocationInfo": info})
    return acts.location(world, phone, pin)


def _pictures(world: World, phone: Phone, kind: str, key: str, data: Json) -> asyncio.Task[None]:
    """The event, then each picture as a message of its own."""
    given = jsons.texts(data, "pictures") if "pictures" in data else [jsons.text(data, "base64")]
    pictures = [unpacked(one) for one in given]
    if not pictures:
        raise ShapeError("pictures is empty")
    sums = [{"PicMd5Sum": acts.md5(one)} for one in pictures]
    items: object = sums if len(sums) > 1 else sums[0]
    info: Json = {"Count": len(pictures), "PicList": {"item": items}}
    acts.event(world, phone, kind, {"EventKey": key, "SendPicsInfo": info})
    sent = [acts.picture(world, phone, one, filetypes.image_type(one)) for one in pictures]
    return sent[-1]
