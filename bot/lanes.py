"""What waits for a database thread: jobs in lanes, danger first, and the way back to whoever asked."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import zip_longest
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from storage.database import is_sqlite

T = TypeVar("T")
Work = Callable[[Connection], T]


class Lane(IntEnum):
    """Who goes first on the writer thread (design 3)."""

    RAW = 0
    CHAT = 1
    ALARM = 2
    DUE = 3
    BULK = 4


class Unavailable(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """The database could not take the transaction; nothing of it was kept."""


class GroupDead(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """The shared transaction was lost under a turn; every turn of the group has to run again alone."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work and the future its caller waits on."""

    work: Callable[[Connection], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None
    lane: Lane = Lane.CHAT
    """In which it waits."""
    key: int = 0
    """Those with the same are run in the order in which they came."""

    @classmethod
    def of(cls, work: Callable[[Connection], Any], key: int = 0) -> "Job":
        """A job of the running loop."""
        loop = asyncio.get_running_loop()
        return cls(work, loop.create_future(), loop, key=key)

    def finish(self) -> None:
        """Tell the caller; on the loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
            self.future.exception()  # a caller that no longer waits must not leave a warning behind
        else:
            self.future.set_result(self.result)


def tell(jobs: list[Job]) -> None:
    """Wake the callers, one hand-over per loop instead of one per job."""
    for loop in {id(job.loop): job.loop for job in jobs}.values():
        mine = [job for job in jobs if job.loop is loop]
        if not loop.is_closed():
            loop.call_soon_threadsafe(_finish_all, mine)


def _finish_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.finish()


@dataclass
class Lanes:
    """Waiting jobs by lane; taken danger-first, but the low lanes are never starved."""

    group: int = 64
    patience: int = 8
    """After so many groups in a row one job of the low lanes goes first."""
    waiting: list[deque[Job]] = field(default_factory=lambda: [deque() for _ in Lane])
    ready: threading.Condition = field(default_factory=threading.Condition)
    closed: bool = False
    in_a_row: int = 0

    def put(self, lane: Lane, job: Job) -> None:
        """Add a job."""
        with self.ready:
            if self.closed:
                raise Unavailable
            job.lane = lane
            self.waiting[lane].append(job)
            self.ready.notify()

    def take(self) -> list[Job]:
        """The jobs of the next transaction: many short turns, or one job of a low lane; empty when closed and done."""
        with self.ready:
            self.ready.wait_for(lambda: self.closed or any(self.waiting))
            if self.waiting[Lane.RAW]:
                return self._some(Lane.RAW)  # alone: keeping is short, and must not wait for the turns behind it
            both = zip_longest(
                self._some(Lane.CHAT), self._some(Lane.ALARM)
            )  # one of each: neither is put back for ever
            turns = [job for pair in both for job in pair if job is not None]
            low = next((lane for lane in (Lane.DUE, Lane.BULK) if self.waiting[lane]), None)
            if low is not None and (not turns or self.in_a_row >= self.patience):
                self._back(turns)
                self.in_a_row = 0
                return [self.waiting[low].popleft()]
            self.in_a_row += 1
            return turns

    def put_back(self, jobs: Sequence[Job]) -> None:
        """These did not fit into the transaction they were taken for; they are the next ones of their lanes."""
        with self.ready:
            self._back(jobs)

    def _back(self, jobs: Sequence[Job]) -> None:
        for job in reversed(jobs):
            self.waiting[job.lane].appendleft(job)

    def _some(self, lane: Lane) -> list[Job]:
        waiting = self.waiting[lane]
        return [waiting.popleft() for _ in range(min(len(waiting), self.group))]

    def close(self) -> None:
        """Take no more; the thread ends when the rest is done."""
        with self.ready:
            self.closed = True
            self.ready.notify_all()


def read_with(engine: Engine, work: Work[T]) -> T:
    """Run `work` on a connection of its own that may only read; Unavailable when the database does not answer."""
    try:
        with engine.connect() as connection:
            if not is_sqlite(connection):  # there every reader only reads
                # Of this transaction alone: the pool's connection must not write where the server's default forbids it.
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            return work(connection)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(type(error).__name__) from error
