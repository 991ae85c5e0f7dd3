"""Access tokens in two spaces that do not disturb each other, and JS-SDK tickets."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.state import Space, Token

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.world import World

LIFE = 7200
OVERLAP = 300
FORCED_PER_DAY = 20
FORCED_APART = 30
WELL_FORMED = re.compile(r"[\w-]{16,512}", re.ASCII)


def check(world: World, value: str) -> None:
    """Refuse a missing, unknown, superseded or expired token with the code that fits."""
    if not value:
        raise ApiError(41001)
    if not WELL_FORMED.fullmatch(value):
        raise ApiError(40014)
    now = world.clock.now()
    for space in (world.state.plain_tokens, world.state.stable_tokens):
        for token in space.tokens:
            if secrets.compare_digest(token.value.encode(), value.encode()):
                if token.dies is not None and now >= token.dies:
                    raise ApiError(40001)
                if now >= token.expires:
                    raise ApiError(42001)
                return
    raise ApiError(40001)


def credentials(world: World, appid: str, secret: str) -> None:
    """The checks before any token: app id, frozen, secret, address."""
    account = world.account
    if not appid:
        raise ApiError(41002)
    if not secret:
        raise ApiError(41004)
    if appid != account.app_id:
        raise ApiError(40013)
    if world.faults.frozen_secret:
        raise ApiError(40243)
    if not secrets.compare_digest(secret.encode(), account.app_secret.encode()):
        raise ApiError(40125)


def address(world: World, ip: str) -> None:
    """Refuse a caller outside the white list, if there is one."""
    if world.account.ip_white_list and ip not in world.account.ip_white_list:
        raise ApiError(world.settings.assumed.ip_refusal, ip=ip)


def _mint(world: World, space: Space, *, old_lives: float) -> Token:
    now = world.clock.now()
    for token in space.tokens:
        if token.dies is None:
            token.dies = min(token.expires, now + old_lives)
    space.tokens[:] = space.tokens[-3:]
    token = Token(f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(110)}", now + LIFE)
    space.tokens.append(token)
    return token


async def get_token(world: World, call: Call) -> Json:
    """GET /cgi-bin/token: always a new one; the old one lives five minutes more."""
    if call.query.get("grant_type") != "client_credential":
        raise ApiError(40002)
    credentials(world, call.query.get("appid", ""), call.query.get("secret", ""))
    address(world, call.ip)
    token = _mint(world, world.state.plain_tokens, old_lives=OVERLAP)
    return {"access_token": token.value, "expires_in": LIFE}


async def get_stable_token(world: World, call: Call) -> Json:
    """POST /cgi-bin/stable_token: the same token while more than five minutes remain, unless forced."""
    data = call.json()
    if jsons.text(data, "grant_type", "") != "client_credential":
        raise ApiError(40002)
    credentials(world, jsons.text(data, "appid", ""), jsons.text(data, "secret", ""))
    address(world, call.ip)
    space, now = world.state.stable_tokens, world.clock.now()
    current = space.tokens[-1] if space.tokens and space.tokens[-1].dies is None else None
    if data.get("force_refresh") is True and _may_force(world, space):
        space.last_forced = now
        current = _mint(world, space, old_lives=0)
    elif current is None or current.expires - now <= OVERLAP:
        current = _mint(world, space, old_lives=OVERLAP)
    return {"access_token": current.value, "expires_in": int(current.expires - now)}


def _may_force(world: World, space: Space) -> bool:
    """At most twenty a day and thirty seconds apart; beyond that nothing is refreshed."""
    key = f"{world.clock.day()} forced"
    if world.clock.now() - space.last_forced < FORCED_APART or world.state.counters.get(key, 0) >= FORCED_PER_DAY:
        return False
    world.state.counters[key] = world.state.counters.get(key, 0) + 1
    return True


def kill(world: World) -> None:
    """Make every token of both spaces invalid at once, as happens now and then without anybody's doing."""
    for space in (world.state.plain_tokens, world.state.stable_tokens):
        space.tokens.clear()


async def get_ticket(world: World, call: Call) -> Json:
    """GET /cgi-bin/ticket/getticket: the JS-SDK ticket, the same for two hours."""
    kind, now = call.query.get("type", ""), world.clock.now()
    if kind not in {"jsapi", "wx_card"}:
        raise ApiError(40097)
    ticket = world.state.tickets.get(kind)
    if ticket is None or ticket.expires <= now:
        ticket = world.state.tickets[kind] = Token(secrets.token_urlsafe(64), now + LIFE)
    return {"errcode": 0, "errmsg": "ok", "ticket": ticket.value, "expires_in": int(ticket.expires - now)}


async def clear_quota(world: World, call: Call) -> Json:
    """POST /cgi-bin/clear_quota: all daily counters to zero, ten times a month."""
    if jsons.text(call.json(), "appid", "") != world.account.app_id:
        raise ApiError(40013)
    day = world.clock.day()
    key = f"{day[:7]} clear_quota"
    if world.state.counters.get(key, 0) >= 10:  # noqa: PLR2004 - the platform's number
        raise ApiError(48006)
    used = world.state.counters.get(key, 0) + 1
    for name in [name for name in world.state.counters if name.startswith(f"{day} ") and not name.endswith(" forced")]:
        del world.state.counters[name]
    world.state.counters[key] = used
    return {"errcode": 0, "errmsg": "ok"}


async def addresses(world: World, _call: Call) -> Json:
    """GET /cgi-bin/getcallbackip: where pushes come from."""
    return {"ip_list": [world.settings.host]}
