"""Sign-in on web pages: a code used once within five minutes, then an openid."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from bot.simulator import tokens
from bot.simulator.errors import ApiError
from bot.simulator.links import host_of
from bot.simulator.settings import Kind
from bot.simulator.state import OauthCode, OauthToken
from bot.simulator.world import STRINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

CODE_LIFE = 300
TOKEN_LIFE = 7200
REFRESH_LIFE = 30 * 24 * 3600
STATE = re.compile(r"[A-Za-z0-9]{0,128}")


class AuthorizeError(ValueError):
    """The authorize page would show an error; the text is it."""


def authorize(world: World, phone: Phone, query: Mapping[str, str]) -> str:
    """The address the phone is sent back to, with a new code; raises AuthorizeError."""
    if world.account.kind not in {Kind.VERIFIED_SERVICE, Kind.TEST}:
        msg = "scope: this account may not sign people in"
        raise AuthorizeError(msg)
    if query.get("appid") != world.account.app_id:
        msg = "appid: unknown"
        raise AuthorizeError(msg)
    if query.get("response_type") != "code":
        msg = "response_type: must be code"
        raise AuthorizeError(msg)
    scope = query.get("scope", "")
    if scope not in {"snsapi_base", "snsapi_userinfo"}:
        msg = "scope: snsapi_base or snsapi_userinfo"
        raise AuthorizeError(msg)
    if not STATE.fullmatch(query.get("state", "")):
        msg = "state: letters and digits, at most 128"
        raise AuthorizeError(msg)
    back, allowed = query.get("redirect_uri", ""), world.account.oauth_domain or host_of(world.account.public_origin)
    if not host_of(back) or host_of(back) != allowed:
        msg = "redirect_uri: 10003"
        raise AuthorizeError(msg)
    target = urlsplit(back)
    code = secrets.token_urlsafe(24)
    world.state.codes[code] = OauthCode(phone.openid, scope, world.clock.now() + CODE_LIFE)
    asked = [*parse_qsl(target.query, keep_blank_values=True), ("code", code), ("state", query.get("state", ""))]
    return urlunsplit((target.scheme, target.netloc, target.path or "/", urlencode(asked), ""))


async def authorize_page(world: World, request: web.Request) -> web.Response:
    """GET /connect/oauth2/authorize for direct clients: who they are comes as sim_openid."""
    openid = request.query.get("sim_openid") or request.cookies.get("sim_openid", "")
    phone = world.state.phones.get(openid)
    if phone is None:
        return web.Response(text=STRINGS["not_in_browser"], status=400)
    try:
        return web.Response(status=302, headers={"Location": authorize(world, phone, request.query)})
    except AuthorizeError as error:
        return web.Response(text=str(error), status=400)


async def exchange(world: World, call: Call) -> Json:
    """GET /sns/oauth2/access_token."""
    tokens.credentials(world, call.query.get("appid", ""), call.query.get("secret", ""))
    if call.query.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    if not call.query.get("code"):
        raise ApiError(41008)
    code = world.state.codes.get(call.query["code"])
    if code is None:
        raise ApiError(40029)
    if code.used:
        raise ApiError(40163)
    if world.clock.now() >= code.expires:
        raise ApiError(42003)
    code.used = True
    answer = _grant(world, code.openid, code.scope)
    phone = world.state.phones.get(code.openid)
    if phone and phone.snapshot:
        answer["is_snapshotuser"] = 1
    return answer


def _grant(world: World, openid: str, scope: str) -> Json:
    token = secrets.token_urlsafe(64)
    refresh = secrets.token_urlsafe(64)
    world.state.web_tokens[token] = OauthToken(openid, scope, world.clock.now() + TOKEN_LIFE, refresh)
    return {
        "access_token": token,
        "expires_in": TOKEN_LIFE,
        "refresh_token": refresh,
        "openid": openid,
        "scope": scope,
    }


async def refresh(world: World, call: Call) -> Json:
    """GET /sns/oauth2/refresh_token."""
    if call.query.get("appid") != world.account.app_id:
        raise ApiError(40013)
    if call.query.get("grant_type") != "refresh_token":
        raise ApiError(40002)
    for token in world.state.web_tokens.values():
        if token.refresh_token == call.query.get("refresh_token"):
            if world.clock.now() >= token.expires - TOKEN_LIFE + REFRESH_LIFE:
                raise ApiError(42002)
            return _grant(world, token.openid, token.scope)
    raise ApiError(40030)


def _token(world: World, call: Call) -> OauthToken:
    token = world.state.web_tokens.get(call.query.get("access_token", ""))
    if token is None or token.openid != call.query.get("openid"):
        raise ApiError(40001)
    if world.clock.now() >= token.expires:
        raise ApiError(42001)
    return token


async def auth(world: World, call: Call) -> Json:
    """GET /sns/auth: whether a web token still holds."""
    _token(world, call)
    return {"errcode": 0, "errmsg": "ok"}


async def userinfo(world: World, call: Call) -> Json:
    """GET /sns/userinfo: only with snsapi_userinfo."""
    token = _token(world, call)
    if token.scope != "snsapi_userinfo":
        raise ApiError(48001)
    phone = world.state.phones.get(token.openid)
    name = phone.name if phone else ""
    return {"openid": token.openid, "nickname": name, "sex": 0, "headimgurl": "", "privilege": []}
