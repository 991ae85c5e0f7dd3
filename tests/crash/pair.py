"""Two bots on one database, behind a balancer that gives them the pushes in turn."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.crash.program import Program
from tests.crash.town import READY_WITHIN, Town
from tests.support.waiting import eventually, free_port

_ABOUT_A_CONNECTION = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@dataclass
class Pair:
    """The town's bots; each listens on a port of its own, the balancer on the town's."""

    place: Town
    ports: Sequence[int]
    bots: dict[int, Program] = field(default_factory=dict)
    turn: "count[int]" = field(default_factory=count)

    async def start(self, number: int, fault: str = "") -> Program:
        """Start one of them; it is ready, or was stopped at `fault` before."""
        environ = {"TONGBAN__WEB__PORT": str(self.ports[number])}
        bot = self.place._program("run", fault=fault, log=self.log(number), environ=environ)
        self.place.processes.append(bot)
        self.bots[number] = bot
        await eventually(lambda: self._is_ready(number), READY_WITHIN)
        return bot

    async def _is_ready(self, number: int) -> bool:
        bot = self.bots[number]
        if bot.returncode not in {None, -signal.SIGKILL}:
            raise RuntimeError(self.log(number).read_text(encoding="utf-8")[-3000:])
        return bot.returncode is not None or await self.get(number, "/readyz") == "ready"

    def log(self, number: int) -> Path:
        """Where one of them writes."""
        return self.place.folder / f"bot-{number}.log"

    async def get(self, number: int, path: str) -> str:
        """A page of one of them; empty when it is not there."""
        try:
            async with self.place.http.get(f"http://127.0.0.1:{self.ports[number]}{path}") as answer:
                return await answer.text()
        except aiohttp.ClientError:
            return ""

    async def received(self, number: int) -> int:
        """How many pushes one of them has taken in since it started."""
        lines = (await self.get(number, "/metrics")).splitlines()
        return next(
            (int(float(one.split()[1])) for one in lines if one.startswith("tongban_pushes_received_total ")), 0
        )

    async def advance(self, number: int, seconds: float) -> None:
        """Let one of them move the clock; the other shares it."""
        url = f"http://127.0.0.1:{self.ports[number]}/demo/clock"
        async with self.place.http.post(url, json={"advance_seconds": seconds}) as answer:
            assert answer.status == 200, await answer.text()

    async def balance(self, request: web.Request) -> web.StreamResponse:
        """Give a request to the next one; to the other where nobody listens. What breaks off is not answered."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _ABOUT_A_CONNECTION}
        first = next(self.turn)
        for number in (first, first + 1):
            url = f"http://127.0.0.1:{self.ports[number % len(self.ports)]}{request.path_qs}"
            try:
                async with self.place.http.request(request.method, url, data=body, headers=headers) as answer:
                    kept = await answer.read()
                    return web.Response(status=answer.status, body=kept, content_type=answer.content_type)
            except aiohttp.ClientConnectorError:
                continue
            except aiohttp.ClientError:
                break
        assert request.transport is not None
        request.transport.abort()
        raise asyncio.CancelledError


@asynccontextmanager
async def pair(place: Town) -> AsyncIterator[Pair]:
    """The balancer of a town, and nobody behind it yet."""
    two = Pair(place, (free_port(), free_port()))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", two.balance)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", place.port).start()
    try:
        yield two
    finally:
        await runner.cleanup()
