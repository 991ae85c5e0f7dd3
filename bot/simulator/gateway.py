"""The gateway for SMS and calls (docs/gateway.md): what the bot may ask of it, and how it is refused."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from bot.simulator import crypto, jsons, telephone
from bot.simulator.api import WORLD
from bot.simulator.jsons import Json, ShapeError
from bot.simulator.wire import answer

if TYPE_CHECKING:
    from bot.simulator.world import World

OLDEST = 300
PURPOSES = frozenset({"alarm", "task", "digest", "notice", "watchdog"})
FIELDS = frozenset({"id", "to", "purpose", "text", "keys", "values"})
ID = re.compile(r"[\x21-\x7e]{1,128}")
NUMBER = re.compile(r"\+?[0-9]{3,20}")
KEYS = re.compile(r"[0-9*#]*")


@dataclass(frozen=True)
class Asked:
    """One SMS or call that the bot asks for."""

    id: str
    to: str
    text: str
    keys: str


def routes() -> list[web.RouteDef]:
    """The two addresses; without a secret there is no gateway and they answer 404."""
    return [web.post("/gateway/sms", _sms), web.post("/gateway/call", _call)]


async def _sms(request: web.Request) -> web.StreamResponse:
    return await _serve(request, "gateway/sms")


async def _call(request: web.Request) -> web.StreamResponse:
    return await _serve(request, "gateway/call")


async def _serve(request: web.Request, path: str) -> web.StreamResponse:
    """Check the signature, misbehave when told to, do it once, and keep a note of all of it."""
    world, begun, body = request.app[WORLD], time.monotonic(), await request.read()
    if world.account.gateway_secret is None:
        raise web.HTTPNotFound
    response, fault = _unsigned(world, request, body), ""
    if response is None:
        response, fault = await _with_fault(world, request, path, body)
    world.log.add(
        "gateway",
        way="from bot",
        path=f"/{path}",
        request=body.decode(errors="replace"),
        response=response.text,
        status=response.status,
        fault=fault,
        ms=round((time.monotonic() - begun) * 1000, 1),
    )
    return response


def _unsigned(world: World, request: web.Request, body: bytes) -> web.Response | None:
    """The refusal of a request whose signature is wrong or too old; None when it is good."""
    stamp, signed = (request.headers.get(f"X-Tongban-{name}", "") for name in ("Time", "Signature"))
    expected = crypto.sealed_by(world.account.gateway_secret or "", stamp, body)
    if not crypto.same(signed, expected):
        return answer({"error": "the signature is wrong"}, 401)
    # The real time: a moved clock is nothing to the gateway.
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(time.time() - int(stamp)) > OLDEST:
        return answer({"error": "the time is more than five minutes off"}, 401)
    return None


async def _with_fault(world: World, request: web.Request, path: str, body: bytes) -> tuple[web.Response, str]:
    """Do what was asked, the way the waiting fault says; a connection dropped afterwards has taken effect."""
    fault = world.faults.take_api(path)
    match fault.kind if fault else "":
        case "errcode" if fault:
            return answer({"accepted": False, "reason": fault.errmsg or "busy"}), fault.kind
        case "http" if fault:
            return answer({"error": "on purpose"}, fault.status), fault.kind
        case "slow" if fault:
            await asyncio.sleep(fault.seconds)
    if fault is None or fault.kind != "drop_before":
        response = _do(world, path, body)
    if fault is None or fault.kind == "slow":
        return response, fault.kind if fault else ""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(text=""), fault.kind


def _do(world: World, path: str, body: bytes) -> web.Response:
    try:
        asked = _read(body)
    except ShapeError as error:
        return answer({"error": str(error)}, 400)
    if asked.id in world.state.gateway_jobs:
        return answer({"accepted": True})
    phone = world.with_number(asked.to)
    if phone is not None and phone.unreachable_number:
        return answer({"accepted": False, "reason": "number"})
    world.state.gateway_jobs[asked.id] = world.clock.now()
    if path == "gateway/sms":
        telephone.arrive(world, phone, asked.id, asked.text)
    else:
        telephone.ring(world, phone, asked.id, asked.text, asked.keys)
    return answer({"accepted": True})


def _read(body: bytes) -> Asked:
    """Read a request; raises ShapeError for anything that the contract does not have."""
    data = jsons.load(body)
    if data.keys() != FIELDS:
        msg = f"the fields are {', '.join(sorted(FIELDS))}"
        raise ShapeError(msg)
    if not isinstance(data["values"], dict) or not all(isinstance(one, str) for one in data["values"].values()):
        msg = "values should be an object of texts"
        raise ShapeError(msg)
    if data["purpose"] not in PURPOSES:
        msg = f"purpose is one of {', '.join(sorted(PURPOSES))}"
        raise ShapeError(msg)
    text = _matching(data, "text", re.compile(r".*\S.*", re.DOTALL))
    return Asked(_matching(data, "id", ID), _matching(data, "to", NUMBER), text, _matching(data, "keys", KEYS))


def _matching(data: Json, key: str, rule: re.Pattern[str]) -> str:
    value = data[key]
    if not isinstance(value, str) or not rule.fullmatch(value):
        msg = f"{key} is not what the contract says"
        raise ShapeError(msg)
    return value
