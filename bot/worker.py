"""The loops behind the door: kept messages, due tasks, the outbox and media, each woken by a tick or by a turn."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot import faults, metrics, turns
from bot.ahead import Ahead, look
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.fetcher import Fetcher
from bot.renditions import Renderer
from bot.sender import Sender
from handlers.policy import Policy
from handlers.workdays import CHINA
from storage import outbox, waiting

log = structlog.get_logger()

TICK_SECONDS = 1
STALE_TICK = 30.0
"""Seconds without a tick that make `/readyz` fail."""
BATCH = 250
"""Due tasks per transaction at most, if they can be done together: some 10 ms; others stop after `LONGEST_BATCH`."""


class Loop:
    """One kind of background work: runs when woken, never twice at once, and never dies of an error.

    `in_rounds`: the work does only some of what there is, and wants to be called again until it did nothing. Between
    two rounds it can be stopped.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[int]], *, in_rounds: bool = False) -> None:
        self.name, self._work, self._in_rounds = name, work, in_rounds
        self._wanted = asyncio.Event()
        self._round = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin listening."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    def wake(self) -> None:
        """There may be work."""
        self._wanted.set()

    async def once(self) -> int:
        """Do what there is now (or one round of it), after a round that is already under way; how much it was."""
        async with self._round:
            return await self._work()

    async def stop(self) -> None:
        """Finish the round that is under way."""
        if self._task is not None:
            async with self._round:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                if await self.once() and self._in_rounds:
                    self.wake()
            except Exception as error:  # noqa: BLE001 - the next tick tries again
                metrics.loop_errors.labels(self.name).inc()
                log.error("loop_failed", loop=self.name, error=type(error).__name__)  # noqa: TRY400 - a traceback may hold content


class Worker:
    """All loops and the ticks that wake them."""

    def __init__(
        self, database: Database, sender: Sender, fetcher: Fetcher, renderer: Renderer, clock: Clock, policy: Policy
    ) -> None:
        self._database, self._clock, self._policy = database, clock, policy
        self._sender, self._fetcher = sender, fetcher
        self._stopping = False
        self.paused = False
        """Whether nothing is sent and nothing done that is due (storage.pause); what people write is answered."""
        self.kept = Loop("kept", partial(self._rounds, turns.run_kept))
        self.due = Loop("due", self.unless_paused(self._due))
        self.alarms = Loop("alarms", self.unless_paused(sender.drain_alarms))
        self.send = Loop("send", self.unless_paused(self._send))
        self.media = Loop("media", fetcher.drain, in_rounds=True)
        self.renditions = Loop("renditions", renderer.drain, in_rounds=True)
        self._loops = (self.kept, self.due, self.alarms, self.send, self.media, self.renditions)
        self._looking = Loop("look", self._look)
        self._scheduler = AsyncIOScheduler(
            timezone=CHINA, job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        )
        self._ticked = monotonic()
        self._minding: asyncio.Task[None] | None = None
        self._sender, self._caught_up = sender, False
        self._ahead = Ahead()

    def start(self) -> None:
        """Start the loops and their ticks."""
        for loop in (*self._loops, self._looking):
            loop.start()
        self._scheduler.add_job(self._tick, "interval", seconds=TICK_SECONDS)
        self._scheduler.add_job(self._erase, "interval", minutes=10)
        self._scheduler.start()
        metrics.tick_age.reset()
        self._minding = asyncio.create_task(self._mind_the_clock(), name="clock")
        self._wake_all()

    def every(self, seconds: float, work: Callable[[], Awaitable[object]], *, at_once: bool = False) -> None:
        """Run something else now and then; `at_once`: also when the worker starts."""
        self._scheduler.add_job(work, "interval", seconds=seconds)
        if at_once:
            self._scheduler.add_job(work)

    def unless_paused(self, work: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        """`work`, which does nothing while the system is paused."""

        async def work_or_wait() -> int:
            return 0 if self.paused else await work()

        return work_or_wait

    def wake(self) -> None:
        """A turn may have left something to do: one look for all loops, since most turns leave nothing."""
        self._looking.wake()

    async def stop(self) -> None:
        """No more ticks; what is under way is finished, what was only claimed goes back for another process."""
        self._scheduler.shutdown(wait=False)
        if self._minding is not None:
            self._minding.cancel()
            await asyncio.gather(self._minding, return_exceptions=True)
        self._stopping = True
        self._sender.stop()
        self._fetcher.stop()
        await asyncio.gather(*(loop.stop() for loop in (self._looking, *self._loops)))

    async def run_all(self) -> None:
        """Do everything that is due now, until nothing is left (a moved clock waits for this)."""
        while sum([await loop.once() for loop in self._loops]):
            pass
        await self._erase()

    def is_silent(self) -> bool:
        """Whether the ticks stopped coming."""
        return monotonic() - self._ticked > STALE_TICK

    async def _send(self) -> int:
        """What fell due while nothing ran comes first: it joins the prompts that still wait, and nobody reads two."""
        if not self._caught_up:
            await self.due.once()
            self._caught_up = True
        return await self._sender.drain()

    async def _mind_the_clock(self) -> None:
        """The scheduler goes by the wall clock: set back an hour, it would not tick for an hour."""
        while True:
            before = datetime.now(CHINA)
            await asyncio.sleep(TICK_SECONDS)
            if datetime.now(CHINA) < before:
                log.warning("clock_went_back")
                for job in self._scheduler.get_jobs():
                    if isinstance(job.trigger, IntervalTrigger):
                        job.reschedule("interval", seconds=job.trigger.interval.total_seconds())

    async def _tick(self) -> None:  # a plain function would run on a thread, from where no loop may be woken
        self._ticked = monotonic()
        metrics.tick_age.reset()
        self._wake_all()

    def _wake_all(self) -> None:
        for loop in self._loops:
            loop.wake()

    async def _look(self) -> int:
        found = await self._database.run(partial(waiting.due, now=self._clock.now()), Lane.ALARM)
        for loop in self._loops:
            if found[loop.name]:
                loop.wake()
        return 0

    async def _due(self) -> int:
        return await self._rounds(turns.run_due, self._read_ahead)

    async def _read_ahead(self) -> dict[str, Any]:
        """What due work reads that takes long: beside the turns, once a task was met that needs it."""
        if self._ahead.missed:
            self._ahead = await self._database.read(partial(look, now=self._clock.now(), policy=self._policy))
        return {"ahead": self._ahead}

    async def _rounds(
        self, run: Callable[..., int], prepare: Callable[[], Awaitable[dict[str, Any]]] | None = None
    ) -> int:
        """Run due work, one short transaction after the other, until there is none; `prepare` gives each its values."""
        done = 0
        while True:
            prepared = await prepare() if prepare else {}
            work = partial(run, now=self._clock.now(), policy=self._policy, limit=BATCH, **prepared)
            count = await self._database.run(work, Lane.DUE)
            faults.reach("due_after_commit")
            done += count
            if self._stopping or not (count or (prepare and self._ahead.missed)):
                break
        if done:
            for loop in (self.alarms, self.send, self.media):
                loop.wake()
        return done

    async def _erase(self) -> None:
        await self._database.run(partial(outbox.erase_due, now=self._clock.now()), Lane.BULK)
