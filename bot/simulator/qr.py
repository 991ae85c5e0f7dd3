"""QR codes with a scene, and their pictures."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING

import segno
from aiohttp import web

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.state import Qr

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.world import World

LONGEST = 2_592_000
PERMANENT = 100_000
SCENE_CHARACTERS = 64
KINDS = {
    "QR_SCENE": ("scene_id", False),
    "QR_STR_SCENE": ("scene_str", False),
    "QR_LIMIT_SCENE": ("scene_id", True),
    "QR_LIMIT_STR_SCENE": ("scene_str", True),
}


async def create(world: World, call: Call) -> Json:
    """POST /cgi-bin/qrcode/create."""
    data = call.json()
    kind = KINDS.get(jsons.text(data, "action_name", ""))
    if kind is None:
        raise ApiError(40035)
    field, permanent = kind
    scene = jsons.obj(jsons.obj(data, "action_info"), "scene")
    scene_id, value = 0, ""
    if field == "scene_id":
        scene_id = jsons.integer(scene, "scene_id")
        value = str(scene_id)
        if not 0 < scene_id <= (PERMANENT if permanent else 2**32 - 1):
            raise ApiError(40035)
    else:
        value = jsons.text(scene, "scene_str", "")
        if not 0 < len(value) <= SCENE_CHARACTERS:
            raise ApiError(40035)
    if permanent and sum(one.expires == 0 for one in world.state.qr.values()) >= PERMANENT:
        raise ApiError(45009)
    seconds = 0 if permanent else jsons.integer(data, "expire_seconds", world.settings.assumed.qr_life)
    if not permanent and not 0 < seconds <= LONGEST:
        raise ApiError(40035)
    code = add(world, value, scene_id, world.clock.now() + seconds if seconds else 0.0)
    answer: Json = {"ticket": code.ticket, "url": code.url}
    if seconds:
        answer["expire_seconds"] = seconds
    return answer


def add(world: World, scene: str, scene_id: int, expires: float) -> Qr:
    """Keep a new code."""
    ticket = "gQ" + secrets.token_urlsafe(66) + "=="
    code = Qr(ticket, "http://weixin.qq.com/q/" + secrets.token_urlsafe(16), scene, scene_id, expires)
    world.state.qr[ticket] = code
    return code


def find(world: World, ticket: str = "", url: str = "", scene: str = "") -> Qr | None:
    """A code by its ticket, by what its picture says, or the newest one with a scene."""
    if ticket:
        return world.state.qr.get(ticket)
    for code in reversed(list(world.state.qr.values())):
        if code.url == url or (scene and code.scene == scene):
            return code
    return None


async def picture(world: World, request: web.Request) -> web.Response:
    """GET /cgi-bin/showqrcode?ticket=: a PNG, without a token."""
    code = world.state.qr.get(request.query.get("ticket", ""))
    if code is None:
        return web.Response(status=world.settings.assumed.missing_qr_status)
    out = io.BytesIO()
    segno.make(code.url, error="m").save(out, kind="png", scale=8, border=4)
    return web.Response(body=out.getvalue(), content_type="image/png")
