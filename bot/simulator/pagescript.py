"""The platform's script for pages (JS-SDK), as far as wx-open-subscribe: its file, and the answer to its question."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bot.simulator import acts, notices

if TYPE_CHECKING:
    from bot.simulator.state import Phone
    from bot.simulator.world import World

FILE = Path(__file__).parent / "static" / "jweixin.js"
SCRIPT = "/open/js/jweixin-1.6.0.js"
ANSWER = "/wx-open-subscribe"
_TAG = "wx-open-subscribe"


async def script(_request: web.Request) -> web.FileResponse:
    """GET /open/js/jweixin-1.6.0.js."""
    return web.FileResponse(FILE, headers={"Content-Type": "text/javascript", "Cache-Control": "no-store"})


async def answered(world: World, phone: Phone, request: web.Request) -> web.Response:
    """The question was answered on a page of this phone; as the platform, it is strict about the page's signature."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    problem = _problem(world, form)
    if problem is None:
        templates = [one for one in form.get("template", "").split(",") if one]
        try:
            yes = form.get("answer") == "accept"
            await notices.subscribe(world, phone, templates, yes=yes, long=False, scene=1)
        except acts.NotPossibleError as error:
            problem = str(error)
    if problem is not None:
        world.log.add("note", text=f"wx-open-subscribe: {problem}")
        return web.Response(text=problem, status=HTTPStatus.BAD_REQUEST)
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": form.get("page", "/")})


def _problem(world: World, form: dict[str, str]) -> str | None:
    """What the script would say of the page; None when it is signed as it has to be."""
    ticket = world.state.tickets.get("jsapi")
    if form.get("appId") != world.account.app_id:
        return "config:invalid appid"
    if _TAG not in form.get("tags", "").split(","):
        return "open tag: permission denied"
    if ticket is None or ticket.expires <= world.clock.now():
        return "config:invalid signature"
    url = world.account.public_origin + form.get("page", "")
    values = (ticket.value, form.get("nonceStr"), form.get("timestamp"), url)
    signed = "&".join(
        f"{name}={value}" for name, value in zip(("jsapi_ticket", "noncestr", "timestamp", "url"), values, strict=True)
    )
    right = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
    return None if form.get("signature") == right else "config:invalid signature"
