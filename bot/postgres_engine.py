"""PostgreSQL: turns that are waiting share one commit, on one connection; whoever would hold them up runs apart."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from time import monotonic

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.lanes import Job, Lane, Lanes, T, Unavailable, Work, read_with, tell
from bot.undoing import NeedsSavepoints, whole
from storage.database import connect
from storage.pipelines import pipelined
from storage.statements import command

LONGEST_GROUP = 0.05
"""Seconds after which a group is committed though others wait: they and their answers must not wait for slow ones."""
LOCK_PATIENCE = "SET LOCAL lock_timeout = '100ms'"
"""How long a group waits for another process; twice what a group of its takes."""
LOCKED = "55P03"
"""What the server says then."""


@dataclass(frozen=True)
class Fault:
    """A group that was not kept, and at whose turn it stumbled; None: nobody knows."""

    job: Job | None


class PostgresDatabase:
    """Turns go in groups, on one thread; raw, alarms and due work have their own.

    A turn at which a group stumbles (another process has its person, the server breaks a deadlock) goes apart: to one
    of a few threads where it has a transaction to itself, and with it whatever else comes of the same person.
    """

    APART = 4
    TRIES = 5
    """Tries of one transaction when the server cuts the connection or breaks a deadlock."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._chat = Lanes()
        self._own = {lane: Lanes(group=1) for lane in (Lane.RAW, Lane.ALARM, Lane.DUE)}
        self._apart = [Lanes(group=1) for _ in range(self.APART)]
        self._are_apart: Counter[int] = Counter()
        self._counting = threading.Lock()
        self._grouping = threading.Thread(target=self._work_in_groups, name="database-chat", daemon=True)
        self._threads = [
            threading.Thread(target=self._work, args=(lanes,), name=f"database-{number}", daemon=True)
            for number, lanes in enumerate([*self._own.values(), *self._apart])
        ]
        for thread in (self._grouping, *self._threads):
            thread.start()

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:
        """Run `work` with the others that wait, or on the thread of its lane."""
        job = Job.of(work, key)
        lanes = self._chat if lane == Lane.CHAT else self._own[min(lane, Lane.DUE)]
        lanes.put(lane, job)
        return job.future

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` in a transaction that is rolled back."""
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(read_with, self._engine, work))

    def close(self) -> None:
        """Finish the waiting turns, then close."""
        self._chat.close()
        self._grouping.join()  # it may still put some apart
        for lanes in (*self._own.values(), *self._apart):
            lanes.close()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()
        self._engine.dispose()

    def _work_in_groups(self) -> None:
        connection: Connection | None = None
        while jobs := self._chat.take():
            with self._counting:
                held_up = {job.key for job in jobs if self._are_apart[job.key]}
            jobs = self._put_apart(jobs, held_up)
            stumbling: Job | None = None
            while jobs:
                before = jobs if stumbling is None else jobs[: jobs.index(stumbling)]
                if stumbling is not None and not before:
                    jobs, stumbling = self._put_apart(jobs, {stumbling.key}), None
                    continue
                connection, done, fault = self._run_group(connection, before)
                tell(before[:done])
                jobs = jobs[done:]
                if fault is not None and fault.job is None:
                    jobs = self._put_apart(jobs, {job.key for job in before})
                elif fault is not None:
                    stumbling = fault.job
                elif stumbling is None:
                    self._chat.put_back(jobs)
                    break
        if connection is not None:
            connection.close()

    def _run_group(
        self, connection: Connection | None, jobs: Sequence[Job]
    ) -> tuple[Connection | None, int, "Fault | None"]:
        """Run those that fit in one transaction: what may be used again, how many are kept, and what went wrong."""
        for run in (_plainly, _undoably):
            running: Job | None = None
            done = 0
            try:
                connection = connection or self._engine.connect()
                is_whole = whole(connection) if run is _plainly else nullcontext()
                with pipelined(connection), is_whole, connection.begin():
                    command(connection, LOCK_PATIENCE)
                    began = monotonic()
                    for running in jobs:
                        run(connection, running)
                        done += 1
                        if monotonic() - began > LONGEST_GROUP:
                            break
                    running = None
            except DBAPIError:
                break
            except Exception:  # noqa: BLE001, S112 - whose failure it is shows when each can be undone
                continue
            else:
                return connection, done, None
        if connection is not None:
            connection.close()
        return None, 0, Fault(running)

    def _put_apart(self, jobs: Sequence[Job], keys: AbstractSet[int]) -> list[Job]:
        """Those of these keys go apart, in their order; the others."""
        apart = [job for job in jobs if job.key in keys]
        with self._counting:
            self._are_apart.update(job.key for job in apart)
        for job in apart:
            self._apart[job.key % self.APART].put(Lane.CHAT, job)
        return [job for job in jobs if job.key not in keys] if apart else list(jobs)

    def _work(self, lanes: Lanes) -> None:
        connection: Connection | None = None
        is_apart = lanes in self._apart
        while jobs := lanes.take():
            for job in jobs:
                connection = self._run(connection, job, again=is_apart)
                if is_apart:
                    with self._counting:
                        self._are_apart[job.key] -= 1
                tell([job])
        if connection is not None:
            connection.close()

    def _run(self, connection: Connection | None, job: Job, *, again: bool) -> Connection | None:
        """Run one transaction, first in a pipeline, then without; the connection that may be used again."""
        for attempt in range(2 if again else 1, self.TRIES + 1):
            try:
                connection = connection or self._engine.connect()
                quickly = _quickly(connection) if attempt == 1 else nullcontext()
                with quickly, connection.begin():
                    job.result = job.work(connection)
            except NeedsSavepoints:
                continue
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


@contextmanager
def _quickly(connection: Connection) -> Iterator[None]:
    with pipelined(connection), whole(connection):
        yield


def _plainly(connection: Connection, job: Job) -> None:
    """Run one turn of a group that is kept or undone as a whole."""
    job.error, job.result = None, job.work(connection)


def _undoably(connection: Connection, job: Job) -> None:
    """Run one turn of a group so that its failure is undone and goes to whoever asked for it."""
    command(connection, "SAVEPOINT turn")
    job.error = None
    try:
        job.result = job.work(connection)
    except DBAPIError:
        raise
    except Exception as error:  # noqa: BLE001 - it goes to whoever asked for this turn
        job.error = error
        command(connection, "ROLLBACK TO turn")
    command(connection, "RELEASE turn")


def worth_again(error: DBAPIError) -> bool:
    """A cut connection, a restarting server, a deadlock, a lock a group does not wait for: it may go well again."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state[:2] in {"08", "40", "57"} or state == LOCKED or _is_cut(error)


def _is_cut(error: DBAPIError) -> bool:
    """Psycopg gives no state when the connection is gone."""
    return isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None
