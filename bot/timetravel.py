"""`POST /demo/clock`: steps the clock through every moment at which something falls due, so that ladders play out."""

from datetime import datetime, timedelta

import aiohttp
from aiohttp import web
from sqlalchemy import Connection, func, select

from bot import faults
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.worker import Worker
from storage.inbox import Inbox
from storage.media import Media
from storage.outbox import Outbox
from storage.tasks import Task

_NEXT = [select(func.min(row.next_at).label("moment")) for row in (Inbox, Media, Outbox, Task)]


def next_moment(connection: Connection, until: datetime) -> datetime | None:
    """The earliest `next_at` up to `until`; None when nothing falls due by then."""
    moments = [connection.execute(query).scalar() for query in _NEXT]
    earliest = min((moment for moment in moments if moment is not None), default=None)
    return earliest if earliest is not None and earliest <= until else None


class TimeTravel:
    """Only in a demo, where every origin is loopback."""

    def __init__(
        self, database: Database, clock: Clock, worker: Worker, session: aiohttp.ClientSession, platform: str
    ) -> None:
        self._database, self._clock, self._worker = database, clock, worker
        self._session, self._platform = session, platform

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.post("/demo/clock", self.advance)]

    async def advance(self, request: web.Request) -> web.Response:
        """Advance by `advance_seconds`, do everything that falls due on the way, answer when quiet."""
        try:
            seconds = float((await request.json())["advance_seconds"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": 'send {"advance_seconds": number}'}, status=400)
        if not 0 <= seconds <= timedelta(days=3660).total_seconds():
            return web.json_response({"error": "advance_seconds must be between 0 and ten years"}, status=400)
        until = self._clock.now() + timedelta(seconds=seconds)
        await self._worker.run_all()
        while (moment := await self._database.read(lambda connection: next_moment(connection, until))) is not None:
            await self._step(max(moment, self._clock.now()))
        await self._step(until)
        return web.json_response({"now": self._clock.now().isoformat()})

    async def _step(self, moment: datetime) -> None:
        """The stand-in's clock first, then ours, then everything that is due."""
        async with self._session.post(f"{self._platform}/sim/clock", json={"to": moment.timestamp()}) as answer:
            await answer.read()
        await self._database.run(lambda connection: self._clock.move(connection, moment), Lane.BULK)
        faults.reach("clock_moved")
        await self._worker.run_all()
