"""PostgreSQL: a few threads, one commit a turn, no grouping (grouping deadlocks: measured)."""

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.lanes import Job, Lane, Lanes, T, Unavailable, Work, read_with, tell
from storage.database import connect
from storage.pipelines import pipelined


class PostgresDatabase:
    """A few threads, one commit a turn; a person's turns keep to one; raw, alarms and due work have their own."""

    CHAT_THREADS = 4
    TRIES = 5
    """Tries of one transaction when the server cuts the connection or breaks a deadlock."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._own = {lane: Lanes(group=1) for lane in (Lane.RAW, Lane.ALARM, Lane.DUE)}
        self._chat = [Lanes(group=1) for _ in range(self.CHAT_THREADS)]
        self._lanes = [*self._own.values(), *self._chat]
        self._threads = [
            threading.Thread(target=self._work, args=(lanes,), name=f"database-{number}", daemon=True)
            for number, lanes in enumerate(self._lanes)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:
        """Run `work` on the thread of its key."""
        job = Job.of(work)
        lanes = self._chat[key % self.CHAT_THREADS] if lane == Lane.CHAT else self._own[min(lane, Lane.DUE)]
        lanes.put(lane, job)
        return job.future

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` in a transaction that is rolled back."""
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(read_with, self._engine, work))

    def close(self) -> None:
        """Finish the waiting turns, then close."""
        for lanes in self._lanes:
            lanes.close()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()
        self._engine.dispose()

    def _work(self, lanes: Lanes) -> None:
        connection: Connection | None = None
        while jobs := lanes.take():
            for job in jobs:
                connection = self._run(connection, job)
                tell([job])
        if connection is not None:
            connection.close()

    def _run(self, connection: Connection | None, job: Job) -> Connection | None:
        """Run one transaction, first in a pipeline, then without; the connection that may be used again."""
        for attempt in range(1, self.TRIES + 1):
            try:
                connection = connection or self._engine.connect()
                with pipelined(connection) if attempt == 1 else nullcontext(), connection.begin():
                    job.result = job.work(connection)
            except DBAPIError as error:
                if connection is not None:
                    connection.close()
                    connection = None
                if attempt == self.TRIES or not (attempt == 1 or worth_again(error)):
                    job.error = Unavailable(type(error).__name__)
                    return None
                if attempt > 1 or worth_again(error):
                    threading.Event().wait(0.2 * attempt)
            except Exception as error:  # noqa: BLE001 - it goes to whoever asked for this turn
                job.error = error
                return connection
            else:
                return connection
        return connection


def worth_again(error: DBAPIError) -> bool:
    """A cut connection, a restarting server, a deadlock or a serialisation failure: the same turn may succeed."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or (state or "")[:2] in {"08", "40", "57"} or _is_cut(error)


def _is_cut(error: DBAPIError) -> bool:
    """Psycopg gives no state when the connection is gone."""
    return isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None
