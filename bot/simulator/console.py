"""The control paths that concern the whole stand-in: state, clock, faults, account."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import aiohttp
from aiohttp import web

from bot.simulator import jsons, tokens
from bot.simulator.api import WORLD
from bot.simulator.clock import iso
from bot.simulator.jsons import Json, ShapeError
from bot.simulator.screens import phone_json
from bot.simulator.settings import Kind, Mode, TemplateSpec
from bot.simulator.wire import answer, body_of
from bot.simulator.world import World

TIME_PATIENCE = 900
MOST_TEMPLATES = 25


async def state(request: web.Request) -> web.Response:
    """GET /sim/state."""
    world = request.app[WORLD]
    account = {"app_id": world.account.app_id, "mode": world.account.mode, "kind": world.account.kind}
    return answer(
        {
            "clock": iso(world.clock.now()),
            "epoch": world.clock.now(),
            "n": world.changes.n,
            "account": {**account, "bot_url": world.account.bot_url, "public_origin": world.account.public_origin},
            "templates": [asdict(spec) for spec in world.templates().values()],
            "notices": [asdict(spec) for spec in world.notices().values()],
            "phones": [phone_json(world, one) for one in world.state.phones.values()],
            "counters": {**world.state.counters, "alarms": world.state.alarms},
        }
    )


async def clock(request: web.Request) -> web.Response:
    """POST /sim/clock {advance_seconds} or {to}, force? .

    What the move brought to an end is told to the bot before the answer: it is about to do what falls due by then.
    """
    world, data = request.app[WORLD], await body_of(request)
    force = data.get("force") is True
    before = world.pusher.under_way()
    if "to" in data:
        world.clock.move_to(jsons.number(data, "to"), force=force)
    else:
        world.clock.advance(jsons.number(data, "advance_seconds"), force=force)
    world.changes.bump()
    if caused := world.pusher.under_way() - before:
        await asyncio.wait(caused, timeout=world.settings.patience)
    return answer({"clock": iso(world.clock.now()), "epoch": world.clock.now()})


async def move_time(request: web.Request) -> web.Response:
    """POST /sim/time {advance_seconds}: ask the bot to move; it moves this clock itself as it goes."""
    world, data = request.app[WORLD], await body_of(request)
    body = {"advance_seconds": jsons.number(data, "advance_seconds")}
    timeout = aiohttp.ClientTimeout(total=TIME_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{world.account.bot_url}/demo/clock", json=body) as response,
        ):
            text = await response.text()
            return web.Response(text=text, status=response.status, content_type=response.content_type)
    except (TimeoutError, aiohttp.ClientError) as error:
        return answer({"error": f"the bot did not move its clock: {type(error).__name__}"}, status=502)


async def change_faults(request: web.Request) -> web.Response:
    """POST /sim/faults {...}; {clear: true} first switches everything off, {kill_token: true} is done at once."""
    world, data = request.app[WORLD], await body_of(request)
    if data.pop("clear", False):
        world.faults = type(world.faults)()
    if data.pop("kill_token", False):
        tokens.kill(world)
    world.faults.change(data, world.clock.now())
    world.changes.bump()
    return answer(world.faults.show())


async def show_faults(request: web.Request) -> web.Response:
    """GET /sim/faults."""
    return answer(request.app[WORLD].faults.show())


async def change_account(request: web.Request) -> web.Response:
    """POST /sim/account: mode, kind, bot_url, public_origin, keys and the like, all optional.

    A new AES key keeps the old one as the previous key.
    """
    world, data = request.app[WORLD], await body_of(request)
    change(world, data)
    world.changes.bump()
    return await state(request)


def change(world: World, data: Json) -> None:
    """Apply account changes; raises ShapeError for a value that cannot be."""
    account = world.account
    try:
        account.mode = Mode(jsons.text(data, "mode", account.mode))
        account.kind = Kind(jsons.text(data, "kind", account.kind))
        templates, notices = (
            {spec.template_id: spec for spec in map(TemplateSpec.of, jsons.rows(data, name))}
            for name in ("templates", "notices")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ShapeError(str(error)) from error
    if max(len(account.templates | templates), len(account.notices | notices)) > MOST_TEMPLATES:
        raise ShapeError(f"an account has {MOST_TEMPLATES} templates at most")
    account.bot_url = jsons.text(data, "bot_url", account.bot_url).rstrip("/")
    account.public_origin = jsons.text(data, "public_origin", account.public_origin).rstrip("/")
    account.app_secret = jsons.text(data, "app_secret", account.app_secret)
    account.token = jsons.text(data, "token", account.token)
    if "encoding_aes_key" in data:
        account.previous_aes_key, account.aes_key = account.aes_key, jsons.text(data, "encoding_aes_key")
    if "ip_white_list" in data:
        account.ip_white_list = tuple(jsons.texts(data, "ip_white_list"))
    if "daily_limits" in data:
        limits = jsons.obj(data, "daily_limits")
        account.daily_limits = {name: jsons.integer(limits, name) for name in limits}
    if "oauth_domain" in data:
        account.oauth_domain = jsons.text(data, "oauth_domain") or None
    if "gateway_secret" in data:
        account.gateway_secret = jsons.text(data, "gateway_secret") or None
    account.templates |= templates
    account.notices |= notices
    world.state.dropped = [one for one in world.state.dropped if one not in {*templates, *notices}]


async def verify(request: web.Request) -> web.Response:
    """POST /sim/verify: what saving the address in the console does."""
    return answer({"ok": await request.app[WORLD].pusher.verify()})


async def reset(request: web.Request) -> web.Response:
    """POST /sim/reset."""
    request.app[WORLD].reset()
    return await state(request)
