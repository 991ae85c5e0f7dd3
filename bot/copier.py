"""Sealed copies on a second path while the bot runs: made by a process of its own, which this starts."""

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from bot import metrics
from bot.clock import Clock
from bot.copy_jobs import Answer, DrillJob, Job
from bot.engine import Database, Lane
from bot.settings import Settings
from storage import copied

log = structlog.get_logger()

TIME_LIMIT = 3600.0
"""Seconds; a process that takes longer hangs."""
TOO_OLD = 3
"""Intervals without a good copy after which somebody must look."""


class NotDone(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """The process ended without an answer; the text is the kind of error and its place."""


class Copier:
    """Makes the copies that are due, one after the other; a failure never touches the bot."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._started = clock.now()

    async def copy(self) -> None:
        """Make one, and note it; when it fails, or none has been made for long, the log and `/metrics` say so."""
        backup = self._settings.backup
        now = self._clock.now()
        job = Job(
            self._settings.database.url, str(self._settings.keys.file), str(backup.folder), now.isoformat(),
            backup.every_minutes, backup.full_every_hours, backup.keep_all_hours, backup.keep_days,
        )  # fmt: skip
        try:
            answer = Answer(**json.loads(await run("copy", asdict(job))))
        except NotDone as error:
            metrics.copies.labels("failed").inc()
            log.error("copy_failed", error=str(error))  # noqa: TRY400 - told by kind and place
        else:
            metrics.copies.labels("made" if answer.file else "left_to_another").inc()
            if answer.file:
                await self._database.run(partial(_note, made=now, answer=answer), Lane.BULK)
        await self._look_at_age()

    async def _look_at_age(self) -> None:
        age = await self._age()
        if age > TOO_OLD * timedelta(minutes=self._settings.backup.every_minutes):
            log.error("copy_too_old", minutes=int(age.total_seconds() / 60))

    async def drill(self) -> None:
        """Hold a drill when one is due, and note it; one that failed is tried again the next day."""
        backup, now = self._settings.backup, self._clock.now()
        last = await self._database.read(copied.last_drill)
        wait = timedelta(days=backup.drill_days if last is None or last.passed else 1)
        if not backup.drill_days or (last is not None and now - last.at < wait):
            return
        if await self._database.read(copied.last) is None:
            return  # what there is to restore comes first
        job = DrillJob(str(self._settings.keys.file), str(backup.folder), now.isoformat())
        try:
            answer = Answer(**json.loads(await run("drill", asdict(job))))
        except NotDone as error:
            log.error("drill_failed", error=str(error))  # noqa: TRY400 - its text holds nothing of the copy
            await self._note_drill(copied.Drilled(now, passed=False))
        else:
            if answer.file:
                log.info("drill_passed", rows=answer.rows)
                await self._note_drill(copied.Drilled(now, passed=True))

    async def _note_drill(self, drill: copied.Drilled) -> None:
        await self._database.run(partial(copied.note_drill, drill=drill), Lane.BULK)

    async def tell_age(self) -> None:
        """For the monitor."""
        metrics.copy_age_seconds.set((await self._age()).total_seconds())
        drill = await self._database.read(copied.last_drill)
        metrics.drill_failed.set(int(drill is not None and not drill.passed))
        if drill is not None:
            metrics.drill_age_seconds.set((self._clock.now() - drill.at).total_seconds())

    async def _age(self) -> timedelta:
        """How old the last good copy is; without one, how long this process has had none."""
        last = await self._database.read(copied.last)
        return self._clock.now() - (last.made if last else self._started)


def _note(connection: Connection, made: datetime, answer: Answer) -> None:
    copied.note(connection, copied.Copied(made, answer.file or "", answer.bytes))


async def run(what: str, job: dict[str, object], patience: float = TIME_LIMIT) -> str:
    """Let `bot.copying` do something in a process of its own; its answer. Raises NotDone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.copying", what, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(patience):
            answer, error = await process.communicate(json.dumps(job).encode())
    except TimeoutError:
        raise NotDone("too slow") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # what is left in the pipes, so that they are closed
    if process.returncode != 0:
        raise NotDone(error.decode("ascii", "replace").strip()[-200:] or f"ended with {process.returncode}")
    return answer.decode()
