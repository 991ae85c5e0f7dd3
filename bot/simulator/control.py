"""The control API under /sim: what the phones page and the tests use."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from bot.simulator import acts, console, jsons, media, menus
from bot.simulator.acting import ACTS
from bot.simulator.api import WORLD
from bot.simulator.gateway import NUMBER
from bot.simulator.jsons import Json, ShapeError
from bot.simulator.screens import screen_after, transcript_line
from bot.simulator.state import Phone
from bot.simulator.wire import answer, body_of, refusing

OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}")
LONGEST_WAIT = 60.0


def phone_of(request: web.Request) -> Phone:
    """The phone of the path; raises HTTP 404."""
    phone = request.app[WORLD].state.phones.get(request.match_info["openid"])
    if phone is None:
        raise web.HTTPNotFound(text='{"error":"no such phone"}', content_type="application/json")
    return phone


async def _settle(request: web.Request, task: asyncio.Task[None] | None) -> None:
    """Wait until the push is answered or given up, unless the caller does not want to."""
    if task is not None and request.query.get("wait", "1") != "0":
        await task


def _number(request: web.Request, name: str, default: float) -> float:
    return jsons.number(dict(request.query), name, default)


async def add_phone(request: web.Request) -> web.Response:
    """POST /sim/phones {name, openid?, number?, follow?}.

    follow true: follows now, which pushes the event; false: a stranger; left out: has followed for a while.
    """
    world, data = request.app[WORLD], await body_of(request)
    openid = jsons.text(data, "openid", "")
    if openid and not OPENID.fullmatch(openid):
        msg = "an openid holds letters, digits, _ and -"
        raise ShapeError(msg)
    if openid in world.state.phones:
        phone = world.state.phones[openid]
        phone.name = jsons.text(data, "name", phone.name)
        world.give_number(phone, _phone_number(data, phone))
        world.changes.bump()
    else:
        number = _phone_number(data, None)
        phone = world.add_phone(openid or None, jsons.text(data, "name", ""), number, following="follow" not in data)
        await _settle(request, acts.follow(world, phone) if data.get("follow") is True else None)
    return answer({"openid": phone.openid, "index": phone.index})


def _phone_number(data: Json, phone: Phone | None) -> str:
    """The telephone number of a request, or the one that the phone has; raises ShapeError."""
    number = jsons.text(data, "number", phone.number if phone else "")
    if number and not NUMBER.fullmatch(number):
        raise ShapeError("a number holds 3-20 digits, maybe after a +")
    return number


async def screen(request: web.Request) -> web.Response:
    """GET /sim/phones/{openid}/screen?after=N."""
    return answer({"items": screen_after(phone_of(request), int(_number(request, "after", 0)))})


async def transcript(request: web.Request) -> web.Response:
    """GET /sim/phones/{openid}/transcript: one line an item, as the person saw it."""
    phone = phone_of(request)
    text = "".join(transcript_line(item) + "\n" for item in phone.screen)
    name = f"{phone.openid}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=text, content_type="text/plain", headers=headers)


async def act(request: web.Request) -> web.Response:
    """POST /sim/phones/{openid}/{act}: waits until the push is settled, unless ?wait=0."""
    world, phone = request.app[WORLD], phone_of(request)
    done = ACTS.get(request.match_info["act"])
    if done is None:
        msg = f"a phone can: {', '.join(sorted(ACTS))}"
        raise ShapeError(msg)
    before = phone.screen[-1].n if phone.screen else 0
    task = await done(world, phone, request)
    await _settle(request, task)
    return answer({"items": screen_after(phone, before)})


async def phone_settings(request: web.Request) -> web.Response:
    """POST /sim/phones/{openid}/settings {name?, number?} and what the person switched on or off, each optional."""
    phone, data = phone_of(request), await body_of(request)
    request.app[WORLD].give_number(phone, _phone_number(data, phone))
    phone.name = jsons.text(data, "name", phone.name)
    phone.blocks_templates = data.get("block_templates", phone.blocks_templates) is True
    phone.refuses_messages = data.get("refuse_messages", phone.refuses_messages) is True
    phone.unreachable_number = data.get("unreachable_number", phone.unreachable_number) is True
    phone.snapshot = data.get("snapshot", phone.snapshot) is True
    request.app[WORLD].changes.bump()
    return answer({"openid": phone.openid, "name": phone.name, "number": phone.number})


async def menu(request: web.Request) -> web.Response:
    """GET /sim/phones/{openid}/menu."""
    seen = menus.seen_by(request.app[WORLD], phone_of(request))
    return answer(seen or {"button": []})


async def pages(request: web.Request) -> web.Response:
    """GET /sim/phones/{openid}/pages: the pages open in this phone's browser; a POST closes it."""
    world, phone = request.app[WORLD], phone_of(request)
    if request.method == "POST":
        world.pages.pop(phone.openid, None)
    return answer({"pages": world.pages.get(phone.openid, [])})


async def medium(request: web.Request) -> web.Response:
    """GET /sim/media/{media_id}: also after it expired for the bot, since the person still sees it."""
    return media.file(request.app[WORLD], request.match_info["media_id"], even_expired=True)


async def log(request: web.Request) -> web.Response:
    """GET /sim/log?after=N."""
    return answer({"entries": request.app[WORLD].log.after(int(_number(request, "after", 0)))})


async def changes(request: web.Request) -> web.Response:
    """GET /sim/changes?after=N&wait=25."""
    wait = min(_number(request, "wait", 25), LONGEST_WAIT)
    return answer({"n": await request.app[WORLD].changes.wait(int(_number(request, "after", 0)), wait)})


def routes() -> list[web.RouteDef]:
    """The control paths."""
    one = "/sim/phones/{openid}"
    table = [
        ("GET", "/sim/state", console.state),
        ("POST", "/sim/phones", add_phone),
        ("GET", f"{one}/screen", screen),
        ("GET", f"{one}/transcript", transcript),
        ("GET", f"{one}/menu", menu),
        ("POST", f"{one}/settings", phone_settings),
        ("GET", f"{one}/pages", pages),
        ("POST", f"{one}/pages", pages),
        ("POST", f"{one}/{{act}}", act),
        ("GET", "/sim/media/{media_id}", medium),
        ("GET", "/sim/log", log),
        ("GET", "/sim/changes", changes),
        ("POST", "/sim/clock", console.clock),
        ("POST", "/sim/time", console.move_time),
        ("GET", "/sim/faults", console.show_faults),
        ("POST", "/sim/faults", console.change_faults),
        ("POST", "/sim/account", console.change_account),
        ("POST", "/sim/verify", console.verify),
        ("POST", "/sim/reset", console.reset),
    ]
    return [web.route(method, path, refusing(handler)) for method, path, handler in table]
