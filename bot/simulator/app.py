"""Putting the stand-in together: one web site that is platform, control API, phones page and browsers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp import web

from bot.simulator import api, browser, control, gateway, media, oauth, pagescript, qr, telephone
from bot.simulator.api import WORLD
from bot.simulator.endpoints import ENDPOINTS
from bot.simulator.handles import PhoneHandle
from bot.simulator.pusher import Pusher
from bot.simulator.world import STATIC, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from bot.simulator.settings import SimulatorSettings

LARGEST_BODY = 24 * 1024 * 1024
SAVE_EVERY = 0.5


@web.middleware
async def by_host(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Requests to phone-N.localhost belong to that phone's browser, all others to the site itself."""
    phone = browser.phone_of(request)
    return await (handler(request) if phone is None else browser.serve(request, phone))


def build(world: World) -> web.Application:
    """The aiohttp application around a world."""
    app = web.Application(middlewares=[by_host], client_max_size=LARGEST_BODY)
    app[WORLD] = world

    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-store"})

    async def file(request: web.Request) -> web.Response:
        return media.file(world, request.match_info["media_id"], even_expired=False)

    async def picture(request: web.Request) -> web.Response:
        return await qr.picture(world, request)

    async def authorize(request: web.Request) -> web.Response:
        return await oauth.authorize_page(world, request)

    async def session(app: web.Application):  # type: ignore[no-untyped-def]  # noqa: ANN202 - an async generator for cleanup_ctx
        app[browser.SESSION] = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=60)
        )
        yield
        await app[browser.SESSION].close()

    app.cleanup_ctx.append(session)
    app.add_routes(api.routes(ENDPOINTS))
    app.add_routes(control.routes())
    app.add_routes(gateway.routes())
    app.add_routes(
        [
            web.get("/", page),
            web.get(pagescript.SCRIPT, pagescript.script),
            web.get("/files/{media_id}", file),
            web.get("/cgi-bin/showqrcode", picture),
            web.get("/connect/oauth2/authorize", authorize),
            web.static("/static", STATIC),
            *api.leftovers(),
        ]
    )
    return app


class Simulator:
    """A running stand-in; `async with Simulator(settings) as platform` or start() and close()."""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Nothing happens before start()."""
        self.settings = settings
        self.world = World(settings)
        self._runner: web.AppRunner | None = None
        self._saver: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        """Listen; with port 0 a free port is taken and `origin` tells which."""
        self.world.pusher = Pusher(self.world)
        self._runner = web.AppRunner(build(self.world), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.settings.host, self.settings.port)
        await site.start()
        port = self._runner.addresses[0][1]
        self.world.origin = f"http://{self.settings.host}:{port}"
        self.world.clock.watchers = [lambda: telephone.keep_calls(self.world)]
        telephone.keep_calls(self.world)
        if self.settings.state_file is not None:
            self._saver = asyncio.create_task(self._save_now_and_then())
        return self

    async def close(self) -> None:
        """Stop listening, give up pushes under way, write the state file."""
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
        await self.world.pusher.close()
        self.world.changes.bump()  # whoever waits for a change would hold up the end
        if self._runner is not None:
            await self._runner.cleanup()
        self.world.save()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def _save_now_and_then(self) -> None:
        seen = 0
        while True:
            seen = await self.world.changes.wait(seen, 3600)
            self.world.save()
            await asyncio.sleep(SAVE_EVERY)

    @property
    def origin(self) -> str:
        """Where the platform listens; the bot's api_origin."""
        return self.world.origin

    @property
    def port(self) -> int:
        """The port of the origin."""
        return int(self.world.origin.rsplit(":", 1)[1])

    @property
    def bot_url(self) -> str:
        """Where pushes go."""
        return self.world.account.bot_url

    @bot_url.setter
    def bot_url(self, address: str) -> None:
        """Point pushes, pages and the public origin at a bot that was started later."""
        self.world.account.bot_url = self.world.account.public_origin = address.rstrip("/")

    def add_phone(
        self, name: str = "", openid: str | None = None, *, following: bool = True, number: str | None = None
    ) -> PhoneHandle:
        """A new user (no subscribe event is pushed; use `follow()` of a phone made with following=False).

        Raises NumberTakenError when another phone has the number.
        """
        return PhoneHandle(self.world, self.world.add_phone(openid, name, number or "", following=following))

    def knows(self, openid: str) -> bool:
        """Whether there is a user with this openid, maybe from an earlier run."""
        return openid in self.world.state.phones

    def phone(self, openid: str) -> PhoneHandle:
        """The handle of a user that exists; raises KeyError."""
        return PhoneHandle(self.world, self.world.state.phones[openid])

    async def quiet(self) -> None:
        """Wait until no push is under way."""
        await self.world.pusher.quiet()


async def serve(settings: SimulatorSettings) -> Simulator:
    """Start a stand-in and hand it back running; the caller closes it."""
    return await Simulator(settings).start()


async def run_simulator(settings: SimulatorSettings, started: Callable[[Simulator], None]) -> None:
    """Run a stand-in until cancelled; `started` is told once it listens, so that its address can be printed."""
    async with Simulator(settings) as platform:
        started(platform)
        await asyncio.Event().wait()
