"""One door for every API call: method, token, rights, quota, faults, log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from bot.simulator import jsons, tokens
from bot.simulator.call import Call
from bot.simulator.errors import ApiError
from bot.simulator.jsons import Json, ShapeError
from bot.simulator.settings import Kind
from bot.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.simulator.faults import ApiFault

WORLD = web.AppKey("world", World)
LOGGED_BYTES = 20_000

LIMITS: dict[str, int] = {
    "token": 2000,
    "stable_token": 500_000,
    "menu_create": 1000,
    "menu_get": 10_000,
    "menu_delete": 1000,
    "menu_trymatch": 20_000,
    "conditional_create": 2000,
    "conditional_delete": 2000,
    "media_upload": 100_000,
    "media_get": 200_000,
    "custom": 500_000,
    "template": 100_000,
    "qrcode": 100_000,
    "user_get": 500,
    "user_info": 5_000_000,
    "remark": 10_000,
    "ticket": 1_000_000,
    "mass": 100,
    "mass_preview": 100,
}
MINUTE_LIMITS = {"stable_token": 10_000, "sns": 50_000, "mass": 60}
TEST_LIMITS: dict[str, int] = {
    "token": 200,
    "menu_create": 100,
    "menu_get": 1000,
    "menu_delete": 100,
    "media_upload": 500,
    "media_get": 1000,
    "custom": 50_000,
    "qrcode": 10_000,
    "user_get": 100,
    "user_info": 500_000,
}
EVERYBODY = frozenset(Kind)
RIGHTS: dict[str, frozenset[Kind]] = {
    "basic": EVERYBODY,
    "messages": frozenset({Kind.VERIFIED_SERVICE, Kind.VERIFIED_SUBSCRIPTION, Kind.TEST}),
    "menu": frozenset({Kind.VERIFIED_SERVICE, Kind.UNVERIFIED_SERVICE, Kind.VERIFIED_SUBSCRIPTION, Kind.TEST}),
    "service": frozenset({Kind.VERIFIED_SERVICE, Kind.TEST}),
    "notices": frozenset({Kind.VERIFIED_SERVICE}),
}


Handler = Callable[[World, Call], Awaitable[Json | web.Response]]


@dataclass(frozen=True)
class Endpoint:
    """A row of the API: where it is, who may call it, and how often a day."""

    method: str
    path: str
    handler: Handler
    right: str = "basic"
    quota: str = ""
    token: bool = True
    plain_text: bool = False


def count(world: World, quota: str) -> None:
    """Spend one call of a quota; raises ApiError 45011 or 45009 when the minute's or the day's is used up."""
    if not quota:
        return
    if quota in MINUTE_LIMITS:
        minute = int(world.clock.now() // 60)
        begun, calls = world.this_minute.get(quota, (minute, 0))
        calls = calls if begun == minute else 0
        if calls >= MINUTE_LIMITS[quota]:
            raise ApiError(45011)
        world.this_minute[quota] = (minute, calls + 1)
    limits = {**LIMITS, **(TEST_LIMITS if world.account.kind is Kind.TEST else {}), **world.account.daily_limits}
    key = f"{world.clock.day()} {quota}"
    if world.state.counters.get(key, 0) >= limits.get(quota, 10_000_000):
        raise ApiError(45009)
    world.state.counters[key] = world.state.counters.get(key, 0) + 1


async def _answer(world: World, endpoint: Endpoint, call: Call) -> Json | web.Response:
    if endpoint.method != call.request.method:
        raise ApiError(43001 if endpoint.method == "GET" else 43002)
    if endpoint.token:
        tokens.check(world, call.query.get("access_token", ""))
        if world.settings.assumed.ip_checked_everywhere:
            tokens.address(world, call.ip)
    if world.account.kind not in RIGHTS[endpoint.right]:
        raise ApiError(48001)
    count(world, endpoint.quota)
    try:
        return await endpoint.handler(world, call)
    except ShapeError as error:
        raise ApiError(47001, str(error)) from error


async def _with_fault(world: World, endpoint: Endpoint, call: Call, fault: ApiFault | None) -> Json | web.Response:
    """Do the call the way the fault says; a connection dropped afterwards has taken effect."""
    if fault is None:
        return await _answer(world, endpoint, call)
    match fault.kind:
        case "errcode":
            raise ApiError(fault.errcode, fault.errmsg, ip=call.ip, what="data.thing1.value invalid")
        case "http":
            return web.Response(status=fault.status, text="Bad Gateway", content_type="text/html")
        case "slow":
            await asyncio.sleep(fault.seconds)
            return await _answer(world, endpoint, call)
        case "drop_after":
            await _answer(world, endpoint, call)
    if call.request.transport is not None:
        call.request.transport.abort()
    return web.Response(text="")


async def unknown(request: web.Request) -> web.StreamResponse:
    """Any address of the platform that this stand-in does not have."""
    refused = ApiError(40066)
    request.app[WORLD].log.add("call", method=request.method, path=request.path_qs, errcode=refused.code, fault="")
    return _json(refused.body(), text=True)


def _serve(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        world, begun = request.app[WORLD], time.monotonic()
        body = await request.read()
        escapes_stand = world.settings.assumed.escapes_stand
        call = Call(request, request.query, body, request.remote or "127.0.0.1", escapes_stand)
        errcode, fault = 0, world.faults.take_api(endpoint.path)
        try:
            result = await _with_fault(world, endpoint, call, fault)
        except ApiError as error:
            result, errcode = error.body(), error.code
        response = (
            result if isinstance(result, web.Response) else _json(result, text=endpoint.plain_text or bool(errcode))
        )
        world.log.add(
            "call",
            method=request.method,
            path=request.path_qs,
            request=_readable(body),
            response=_readable(response.body if isinstance(response.body, bytes) else b""),
            errcode=errcode,
            fault=fault.kind if fault else "",
            ms=round((time.monotonic() - begun) * 1000, 1),
        )
        return response

    return handle


def _json(data: Json, *, text: bool) -> web.Response:
    """JSON, labelled text/plain where the platform does so (errors, and all of /sns)."""
    kind = "text/plain" if text else "application/json"
    return web.Response(text=jsons.dump(data), content_type=kind, charset="utf-8")


def _readable(raw: bytes) -> str:
    try:
        return raw[:LOGGED_BYTES].decode()
    except UnicodeDecodeError:
        return f"({len(raw)} bytes)"


def leftovers() -> list[web.RouteDef]:
    """What the platform's addresses catch that nothing else does; to be added last."""
    return [web.route("*", f"/{top}/{{rest:.*}}", unknown) for top in ("cgi-bin", "sns", "wxaapi")]


def routes(endpoints: Iterable[Endpoint]) -> list[web.RouteDef]:
    """Routes for aiohttp; every method reaches the handler, which refuses the wrong one with an errcode."""
    return [web.route("*", endpoint.path, _serve(endpoint)) for endpoint in endpoints]
