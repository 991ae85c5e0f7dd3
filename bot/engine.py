"""Database threads: where every turn runs. The async shell hands over a plain function and waits for its commit.

`run(work, lane, key)` calls `work(connection)` on a database thread inside a transaction and returns its result only
after the commit. Pages read through `read`. Which of the two engines is used is decided by the database's url.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from storage.database import connect

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


class Database(Protocol):
    """What the shell needs of a database."""

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:
        """Run `work` in a transaction; turns with the same key run one after the other."""
        ...

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` on a read-only connection."""
        ...

    def close(self) -> None:
        """Finish what is running, then close every connection."""
        ...


@dataclass(slots=True)
class Job:
    """One piece of work and the future its caller waits on."""

    work: Callable[[Connection], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None

    @classmethod
    def of(cls, work: Callable[[Connection], Any]) -> "Job":
        """A job of the running loop."""
        loop = asyncio.get_running_loop()
        return cls(work, loop.create_future(), loop)

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
            self.waiting[lane].append(job)
            self.ready.notify()

    def take(self) -> list[Job]:
        """The jobs of the next transaction: many short turns, or one job of a low lane; empty when closed and done."""
        with self.ready:
            self.ready.wait_for(lambda: self.closed or any(self.waiting))
            turns = [job for lane in (Lane.RAW, Lane.CHAT, Lane.ALARM) for job in self._some(lane)]
            low = next((lane for lane in (Lane.DUE, Lane.BULK) if self.waiting[lane]), None)
            if low is not None and (not turns or self.in_a_row >= self.patience):
                for job in reversed(turns):
                    self.waiting[Lane.CHAT].appendleft(job)
                self.in_a_row = 0
                return [self.waiting[low].popleft()]
            self.in_a_row += 1
            return turns

    def _some(self, lane: Lane) -> list[Job]:
        waiting = self.waiting[lane]
        return [waiting.popleft() for _ in range(min(len(waiting), self.group))]

    def close(self) -> None:
        """Take no more; the thread ends when the rest is done."""
        with self.ready:
            self.closed = True
            self.ready.notify_all()


class SqliteDatabase:
    """One writer thread; turns that are waiting share one commit, each in a SAVEPOINT of its own."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        self._readers = connect(url, read_only=True)
        self._lanes = Lanes()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="read")
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:  # noqa: ARG002 - one thread keeps every order
        """Run `work` on the writer thread."""
        job = Job.of(work)
        self._lanes.put(lane, job)
        return job.future

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` on the read-only connection."""
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(_read, self._readers, work))

    def close(self) -> None:
        """Finish the waiting turns, then close."""
        self._lanes.close()
        self._thread.join()
        self._pool.shutdown()
        self._engine.dispose()
        self._readers.dispose()

    def _write(self) -> None:
        connection: Connection | None = None
        while jobs := self._lanes.take():
            try:
                connection = connection or self._engine.connect()
                self._run_group(connection, jobs)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be answered
                for job in jobs:
                    job.error = Unavailable(type(error).__name__)
                _discard(connection)
                connection = None
            tell(jobs)
        _discard(connection)

    def _run_group(self, connection: Connection, jobs: list[Job]) -> None:
        """One commit for all; if the transaction is lost under a turn, each runs again alone."""
        try:
            self._in_one(connection, jobs)
        except (GroupDead, DBAPIError):
            _rollback(connection)
            for job in jobs:
                job.result = job.error = None
                try:
                    self._in_one(connection, [job])
                except (GroupDead, DBAPIError) as error:
                    _rollback(connection)
                    job.error = Unavailable(type(error).__name__)

    def _in_one(self, connection: Connection, jobs: list[Job]) -> None:
        _begin(connection)
        for job in jobs:
            connection.exec_driver_sql("SAVEPOINT turn")
            try:
                job.result = job.work(connection)
            except GroupDead:
                raise
            except Exception as error:  # noqa: BLE001 - it goes to whoever asked for this turn
                _check_alive(connection)
                job.error = error
                connection.exec_driver_sql("ROLLBACK TO turn")
            _check_alive(connection)
            connection.exec_driver_sql("RELEASE turn")
        connection.commit()


def _begin(connection: Connection) -> None:
    """Wait for the write lock as long as it takes: the callers decide how long they wait for us."""
    while True:
        try:
            connection.begin()
        except DBAPIError as error:
            _rollback(connection)
            if "locked" not in str(error.orig):
                raise
        else:
            return


def _check_alive(connection: Connection) -> None:
    """A full disk makes SQLite roll everything back under us while the driver still says nothing."""
    if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]  # sqlite3's own flag
        raise GroupDead


def _rollback(connection: Connection) -> None:
    try:
        connection.rollback()
    except DBAPIError:
        connection.invalidate()
        connection.rollback()


def _discard(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()


def _read(engine: Engine, work: Work[T]) -> T:
    with engine.connect() as connection:
        return work(connection)


class PostgresDatabase:
    """A few threads, one commit a turn; a person's turns keep to one thread, due work has a thread of its own."""

    CHAT_THREADS = 4
    TRIES = 5
    """Tries of one transaction when the server cuts the connection or breaks a deadlock."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._lanes = [Lanes(group=1) for _ in range(self.CHAT_THREADS + 1)]
        self._threads = [
            threading.Thread(target=self._work, args=(lanes,), name=f"database-{number}", daemon=True)
            for number, lanes in enumerate(self._lanes)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:
        """Run `work` on the thread of its key."""
        job = Job.of(work)
        lanes = self._lanes[-1] if lane >= Lane.DUE else self._lanes[key % self.CHAT_THREADS]
        lanes.put(lane, job)
        return job.future

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` in a transaction that is rolled back."""
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(_read, self._engine, work))

    def close(self) -> None:
        """Finish the waiting turns, then close."""
        for lanes in self._lanes:
            lanes.close()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()
        self._engine.dispose()

    def _work(self, lanes: Lanes) -> None:
        while jobs := lanes.take():
            for job in jobs:
                self._run(job)
            tell(jobs)

    def _run(self, job: Job) -> None:
        for attempt in range(1, self.TRIES + 1):
            try:
                with self._engine.begin() as connection:
                    job.result = job.work(connection)
            except DBAPIError as error:
                if attempt == self.TRIES or not worth_again(error):
                    job.error = Unavailable(type(error).__name__)
                    return
                threading.Event().wait(0.2 * attempt)
            except Exception as error:  # noqa: BLE001 - it goes to whoever asked for this turn
                job.error = error
                return
            else:
                return


def worth_again(error: DBAPIError) -> bool:
    """A cut connection, a restarting server, a deadlock or a serialisation failure: the same turn may succeed."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or (state or "")[:2] in {"08", "40", "57"} or _is_cut(error)


def _is_cut(error: DBAPIError) -> bool:
    """psycopg gives no state when the connection is gone."""
    return type(error.orig).__module__.startswith("psycopg") and getattr(error.orig, "sqlstate", None) is None


def open_database(url: str) -> Database:
    """The engine for this database."""
    return SqliteDatabase(url) if make_url(url).get_backend_name() == "sqlite" else PostgresDatabase(url)
