"""The browser inside each phone: a proxy to the bot that signs the phone's user in where WeChat would."""

from __future__ import annotations

import io
import re
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import aiohttp
from aiohttp import web

from bot.simulator import oauth, pagescript
from bot.simulator.api import WORLD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from multidict import CIMultiDictProxy

    from bot.simulator.state import Phone
    from bot.simulator.world import World

HOST = re.compile(r"phone-(\d+)\.localhost(?::\d+)?", re.IGNORECASE)
AUTHORIZE = "/connect/oauth2/authorize"
USER_AGENT = (
    "Mozilla/5.0 (Linux; Android 14; 23049RAD8C) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    " Chrome/130.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.54(0x28003653) WeChat/arm64 Language/zh_CN"
)
NOT_FORWARDED = frozenset(
    {
        "host", "connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding", "user-agent",
        "cookie", "origin", "referer", "upgrade", "te", "trailer", "proxy-authorization", "sec-fetch-site",
        "sec-fetch-dest",
    }
)  # fmt: skip
# A frame stands for the phone's whole screen, so what forbids frames is dropped on the way back.
NOT_RETURNED = frozenset(
    {
        "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "x-frame-options",
        "content-security-policy", "strict-transport-security", "cross-origin-opener-policy", "location",
    }
)  # fmt: skip
FRAME_ANCESTORS = re.compile(r"(?i)(^|;)\s*frame-ancestors[^;]*")


def phone_of(request: web.Request) -> Phone | None:
    """The phone whose browser sent this, by the host name; raises HTTP 404 for one that does not exist."""
    found = HOST.fullmatch(request.host)
    if found is None:
        return None
    for phone in request.app[WORLD].state.phones.values():
        if phone.index == int(found[1]):
            return phone
    raise web.HTTPNotFound(text="no such phone")


async def serve(request: web.Request, phone: Phone) -> web.StreamResponse:
    """Forward one request of a phone's browser, or sign the user in."""
    world = request.app[WORLD]
    if request.path == AUTHORIZE:
        return _signed_in(world, phone, str(request.rel_url))
    if request.path == pagescript.ANSWER and request.method == "POST":
        return await pagescript.answered(world, phone, request)
    session: aiohttp.ClientSession = request.app[SESSION]
    try:
        async with session.request(
            request.method,
            _bot_address(world, request.raw_path),
            headers=_forwarded(world, phone, request),
            data=io.BytesIO(await request.read()) if request.can_read_body else None,
            allow_redirects=False,
        ) as upstream:
            body = await upstream.read()
            _remember(phone, upstream.headers.getall("Set-Cookie", []))
            if upstream.status == HTTPStatus.OK:
                _note_page(world, phone, request)
            return _returned(world, phone, upstream, body)
    except (TimeoutError, aiohttp.ClientError) as error:
        return web.Response(text=f"the page cannot be reached: {type(error).__name__}", status=502)


SESSION = web.AppKey("browser_session", aiohttp.ClientSession)


def _note_page(world: World, phone: Phone, request: web.Request) -> None:
    """Remember which page is open: a frame of another host cannot be asked where it is, nor told to go back."""
    if request.method != "GET" or request.headers.get("Sec-Fetch-Dest") not in {"iframe", "document"}:
        return
    pages, path = world.pages.setdefault(phone.openid, []), str(request.rel_url)
    if path in pages and request.headers.get("Sec-Fetch-Site") != "same-origin":
        del pages[pages.index(path) + 1 :]  # the back button, or reload
    elif path not in pages[-1:]:
        pages.append(path)


def _bot_address(world: World, raw_path: str) -> str:
    return world.account.bot_url + raw_path


def _forwarded(world: World, phone: Phone, request: web.Request) -> dict[str, str]:
    """What a phone's browser would send for a page of the bot's public address."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
    headers["User-Agent"] = USER_AGENT
    own = f"{request.scheme}://{request.host}"
    public = world.account.public_origin
    origin = request.headers.get("Origin")
    if origin:
        headers["Origin"] = public if origin == own else origin
    referer = request.headers.get("Referer", "")
    if referer.startswith(own):
        headers["Referer"] = public + referer.removeprefix(own)
    if "Sec-Fetch-Site" in request.headers:
        site, mode = request.headers["Sec-Fetch-Site"], request.headers.get("Sec-Fetch-Mode")
        opened = mode == "navigate" and site != "same-origin" and request.method == "GET"
        headers["Sec-Fetch-Site"] = "none" if opened else site
        dest = request.headers.get("Sec-Fetch-Dest", "empty")
        headers["Sec-Fetch-Dest"] = "document" if dest == "iframe" else dest
    cookies = {**phone.cookies, **_pairs(request.headers.get("Cookie", ""))}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return headers


def _pairs(header: str) -> dict[str, str]:
    """Cookies as they were sent, quotes and all."""
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _remember(phone: Phone, lines: Iterable[str]) -> None:
    """Keep cookies as the phone's browser does; a frame of another site would not be allowed to."""
    for line in lines:
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        for name, morsel in jar.items():
            if morsel["max-age"] == "0" or not morsel.value:
                phone.cookies.pop(name, None)
            else:
                phone.cookies[name] = morsel.coded_value


def _returned(world: World, phone: Phone, upstream: aiohttp.ClientResponse, body: bytes) -> web.Response:
    response = web.Response(status=upstream.status, body=body)
    response.headers.popall("Content-Type", None)
    _copy(upstream.headers, response)
    location = upstream.headers.get("Location")
    if location is None:
        return response
    target = urlsplit(urljoin(world.account.public_origin + upstream.url.raw_path_qs, location))
    if target.path == AUTHORIZE:
        signed = _signed_in(world, phone, location)
        for line in upstream.headers.getall("Set-Cookie", []):
            signed.headers.add("Set-Cookie", line)
        return signed
    response.headers["Location"] = _on_this_phone(world, target.geturl())
    return response


def _copy(headers: CIMultiDictProxy[str], response: web.Response) -> None:
    for name, value in headers.items():
        if name.lower() not in NOT_RETURNED:
            response.headers.add(name, value)
    policy = FRAME_ANCESTORS.sub("", headers.get("Content-Security-Policy", "")).strip("; ")
    if policy:
        response.headers["Content-Security-Policy"] = policy


def _on_this_phone(world: World, address: str) -> str:
    """An address of the bot as a path of this phone's host; any other as it is."""
    target = urlsplit(address)
    if f"{target.scheme}://{target.netloc}" in {world.account.public_origin, world.account.bot_url}:
        return urlunsplit(("", "", target.path or "/", target.query, target.fragment))
    return address


def _signed_in(world: World, phone: Phone, address: str) -> web.Response:
    """Mint a code for this phone's user and go to the redirect_uri, without asking anything."""
    try:
        back = oauth.authorize(world, phone, dict(parse_qsl(urlsplit(address).query, keep_blank_values=True)))
    except oauth.AuthorizeError as error:
        return web.Response(text=str(error), status=HTTPStatus.BAD_REQUEST)
    target = urlsplit(back)
    path = urlunsplit(("", "", target.path or "/", target.query, ""))
    if world.faults.take("double_callback"):
        world.pusher.spawn(_visit(world, phone, path))
    return web.Response(status=HTTPStatus.FOUND, headers={"Location": path})


async def _visit(world: World, phone: Phone, path: str) -> None:
    """Fetch the callback a second time, as clients in the field do."""
    cookies = "; ".join(f"{name}={value}" for name, value in phone.cookies.items())
    headers = {"User-Agent": USER_AGENT, "Cookie": cookies}
    try:
        async with aiohttp.request("GET", world.account.bot_url + path, headers=headers, allow_redirects=False) as one:
            await one.read()
    except aiohttp.ClientError as error:
        world.log.add("note", text=f"the second callback failed: {type(error).__name__}")
