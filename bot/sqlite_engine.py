"""SQLite: one writer thread; turns that are waiting share one commit, and none suffers from another's failure."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.lanes import GroupDead, Job, Lane, Lanes, T, Unavailable, Work, read_with, tell
from bot.undoing import whole
from storage.database import connect
from storage.statements import command

LONGEST_GROUP = 0.05
"""Seconds after which a group is committed though others wait: they and their answers must not wait for slow ones."""


class SqliteDatabase:
    """One writer thread; turns that are waiting share one commit.

    They run without savepoints first. When one fails, or has to undo a part of itself, all of them run again, each in
    a savepoint of its own (docs/decisions/0021).
    """

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
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(read_with, self._readers, work))

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
            left: list[Job] = []
            try:
                connection = connection or self._engine.connect()
                left = self._run_group(connection, jobs)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be answered
                for job in jobs:
                    job.error = Unavailable(type(error).__name__)
                _discard(connection)
                connection = None
            tell(jobs[: len(jobs) - len(left)])
            self._lanes.put_back(left)
        _discard(connection)

    def _run_group(self, connection: Connection, jobs: list[Job]) -> list[Job]:
        """One commit for all that fit; if the transaction is lost under a turn, each runs again alone. What is left."""
        try:
            with whole(connection):
                return self._in_one(connection, jobs, self._plainly)
        except Exception:  # noqa: BLE001 - nothing of it is kept, and whose failure it is shows below
            _rollback(connection)
        try:
            return self._in_one(connection, jobs, self._apart)
        except (GroupDead, DBAPIError):
            _rollback(connection)
            for job in jobs:
                job.result = job.error = None
                try:
                    self._in_one(connection, [job], self._apart)
                except (GroupDead, DBAPIError) as error:
                    _rollback(connection)
                    job.error = Unavailable(type(error).__name__)
            return []

    def _in_one(self, connection: Connection, jobs: list[Job], run: Callable[[Connection, Job], None]) -> list[Job]:
        """Run them in one transaction, as many as may be; those that may not."""
        _begin(connection)
        began, done = monotonic(), 0
        for job in jobs:
            if done and monotonic() - began > LONGEST_GROUP:
                break
            done += 1
            run(connection, job)
            _check_alive(connection)
        connection.commit()
        return jobs[done:]

    def _plainly(self, connection: Connection, job: Job) -> None:
        job.result = job.work(connection)

    def _apart(self, connection: Connection, job: Job) -> None:
        """Run it so that its failure is undone and goes to whoever asked for it."""
        command(connection, "SAVEPOINT turn")
        try:
            job.result = job.work(connection)
        except Exception as error:  # noqa: BLE001 - it goes to whoever asked for this turn
            _check_alive(connection)
            job.error = error
            command(connection, "ROLLBACK TO turn")
        _check_alive(connection)
        command(connection, "RELEASE turn")


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
