"""`/healthz`, `/readyz` and `/metrics`: what a monitor, and `tongban watch`, may ask of a running bot."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import structlog
from aiohttp import web
from sqlalchemy import Connection, text

from bot import metrics
from bot.clock import Clock
from bot.engine import Database
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from bot.worker import Worker
from storage import inbox, outbox, tasks

log = structlog.get_logger()
T = TypeVar("T")

TOKEN_PATIENCE = 3.0
"""Seconds that `/readyz` waits for the platform."""
DATABASE_PATIENCE = 5.0
"""Seconds after which a database that does not answer counts as away."""


class Health:
    """What is asked, and the token that is kept for whoever asks."""

    def __init__(self, database: Database, clock: Clock, wechat: WeChat, worker: Worker) -> None:
        self._database, self._clock, self._wechat, self._worker = database, clock, wechat, worker

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ]

    async def keep_token(self) -> None:
        """Renew the token when it is time: a refused secret shows before somebody needs it."""
        with suppress(OutcomeUnknown, WeChatRefused):
            await self._wechat.tokens.get()

    async def _has_token(self) -> bool:
        if self._wechat.tokens.is_known:
            return True  # one that stops later must not close our door to reports
        try:
            async with asyncio.timeout(TOKEN_PATIENCE):
                await self._wechat.tokens.get()
        except (OutcomeUnknown, WeChatRefused, TimeoutError):
            return False
        return True

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _readyz(self, _request: web.Request) -> web.Response:
        try:
            await self._read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        except Exception as error:  # noqa: BLE001 - whatever it is, we are not ready
            return web.Response(status=503, text=f"database: {type(error).__name__}")
        if not await self._has_token():
            return web.Response(status=503, text="token: the platform gives none")
        if self._worker.is_silent():
            return web.Response(status=503, text="ticks: silent")
        paused = self._worker.paused
        return web.Response(text="paused: nothing is sent until `tongban release`" if paused else "ready")

    async def _metrics(self, _request: web.Request) -> web.Response:
        metrics.token_failing_seconds.set(self._wechat.tokens.failing_for)
        try:
            await self._read_gauges()
        except Exception as error:  # noqa: BLE001 - the others are wanted all the more
            log.warning("gauges_not_read", error=type(error).__name__)
            for gauge in _OF_THE_DATABASE:
                gauge.set(float("nan"))
        return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _read_gauges(self) -> None:
        """What waits and since when."""
        now = self._clock.now()
        backlog = await self._read(outbox.backlog)
        metrics.outbox_waiting.set(backlog.waiting)
        metrics.outbox_oldest_seconds.set(_age(backlog.oldest, now))
        metrics.outbox_overdue_seconds.set(_age(backlog.due, now))
        metrics.alarm_oldest_seconds.set(_age(backlog.alarm, now))
        since = [await self._read(one) for one in (tasks.waiting_since, inbox.waiting_since)]
        metrics.due_overdue_seconds.set(max(_age(one, now) for one in since))
        metrics.parked.set(await self._read(inbox.parked))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        async with asyncio.timeout(DATABASE_PATIENCE):
            return await self._database.read(work)


_OF_THE_DATABASE = (
    metrics.outbox_waiting, metrics.outbox_oldest_seconds, metrics.outbox_overdue_seconds,
    metrics.alarm_oldest_seconds, metrics.due_overdue_seconds, metrics.parked,
)  # fmt: skip


def _age(moment: datetime | None, now: datetime) -> float:
    """Seconds since; 0 when there is none or it is still to come."""
    return max((now - moment).total_seconds(), 0.0) if moment else 0.0
