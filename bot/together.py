"""Small pieces of work share one transaction: what came while the last one ran goes together.

Where every commit waits for the disk, fifty records of fifty calls otherwise wait for fifty of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.engine import Database, Lane
from bot.postgres_engine import worth_again
from bot.undoing import mark, release, undo

Work = Callable[[Connection], object]


class Together:
    """Runs work on one lane; each piece succeeds or fails for itself, and its caller hears so after the commit."""

    def __init__(self, database: Database, lane: Lane) -> None:
        self._database, self._lane = database, lane
        self._waiting: list[tuple[Work, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def run(self, work: Work) -> None:
        """Run it with whatever else waits; its own error is raised here, and takes nothing else with it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            try:
                errors = await self._database.run(partial(_all, [work for work, _ in some]), self._lane)
            except Exception as error:  # noqa: BLE001 - nothing of it was kept: each of its callers is told
                errors = [error] * len(some)
            for (_, done), fault in zip(some, errors, strict=True):
                if done.done():
                    continue  # its caller waits no longer
                if fault is None:
                    done.set_result(None)
                else:
                    done.set_exception(fault)


def _all(works: Sequence[Work], connection: Connection) -> list[Any]:
    """The error of each, None where it went well."""
    errors: list[Any] = []
    for work in works:
        mark(connection, "one")
        try:
            work(connection)
        except Exception as error:
            if isinstance(error, DBAPIError) and worth_again(error):
                raise  # the engine runs all of them again
            undo(connection, "one")
            errors.append(error)
        else:
            errors.append(None)
        release(connection, "one")
    return errors
