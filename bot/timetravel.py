"""`POST /demo/clock`: steps the clock through every moment at which something falls due, so that ladders play out."""

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta
from functools import partial

import aiohttp
from aiohttp import web
from sqlalchemy import Connection, bindparam, func, select

from bot import faults
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.worker import Worker
from storage import silences
from storage.inbox import Inbox
from storage.media import Media
from storage.outbox import Outbox
from storage.renditions import Rendition
from storage.tasks import Task

FURTHEST = timedelta(days=3660)
_NEXT = [
    select(func.min(row.next_at).label("moment")).where(row.next_at > bindparam("after"))
    for row in (Inbox, Media, Outbox, Rendition, Task)
]


def next_moment(connection: Connection, until: datetime, after: datetime | None = None) -> datetime | None:
    """The earliest `next_at` behind `after` and up to `until`; None when nothing falls due by then."""
    bound = after or datetime.min.replace(tzinfo=until.tzinfo)
    moments = [connection.execute(query, {"after": bound}).scalar() for query in _NEXT]
    earliest = min((moment for moment in moments if moment is not None), default=None)
    return earliest if earliest is not None and earliest <= until else None


class TimeTravel:
    """Only in a demo, where every origin is loopback."""

    def __init__(
        self, database: Database, clock: Clock, worker: Worker, session: aiohttp.ClientSession, platform: str
    ) -> None:
        self._database, self._clock, self._worker = database, clock, worker
        self._session, self._platform = session, platform
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.post("/demo/clock", self.advance)]

    async def advance(self, request: web.Request) -> web.Response:
        """Advance by `advance_seconds`, do everything that falls due on the way, answer when quiet."""
        seconds = _seconds(await request.read())
        if seconds is None:
            return web.json_response({"error": 'send {"advance_seconds": number}'}, status=400)
        if not 0 <= seconds <= FURTHEST.total_seconds():
            return web.json_response({"error": "advance_seconds must be between 0 and ten years"}, status=400)
        async with self._one_at_a_time:
            try:
                await self._travel(timedelta(seconds=seconds))
            except aiohttp.ClientError:
                return web.json_response({"error": "the platform's clock could not be moved"}, status=502)
        return web.json_response({"now": self._clock.now().isoformat()})

    async def _travel(self, span: timedelta) -> None:
        await self._worker.run_all()
        until = span + max(self._clock.now(), await self._moved({"advance_seconds": 0}))
        reached = self._clock.now()
        while (moment := await self._next(until, reached)) is not None:
            await self._step(moment)
            reached = moment  # what is still due then waits for something later, e.g. the end of a lease
        await self._step(until)

    async def _next(self, until: datetime, after: datetime) -> datetime | None:
        return await self._database.read(lambda connection: next_moment(connection, until, after))

    async def _step(self, moment: datetime) -> None:
        """The stand-in's clock first, then ours, then everything that is due."""
        if moment > self._clock.now():
            await self._moved({"to": moment.timestamp()})
            await self._database.run(partial(self._move, to=moment), Lane.BULK)
            faults.reach("clock_moved")
        await self._worker.run_all()

    def _move(self, connection: Connection, to: datetime) -> None:
        self._clock.move(connection, to)
        silences.beat(connection, to)  # the time that is passed over is none in which nothing ran

    async def _moved(self, how: dict[str, float]) -> datetime:
        """Move the stand-in's clock; what it says then. It is ahead of ours where we were stopped between the two."""
        async with self._session.post(f"{self._platform}/sim/clock", json=how) as answer:
            told = json.loads(await answer.read())
        return datetime.fromtimestamp(told.get("epoch", 0), UTC)  # none where it refused to go back: ours catches up


def _seconds(body: bytes) -> float | None:
    """The number that was sent; None when it is none."""
    try:
        given = json.loads(body)["advance_seconds"]
    except (ValueError, KeyError, TypeError):
        return None
    is_number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    return float(given) if is_number else None
