"""Makes what a browser can show of an original, after that is safe: a voice as MP3, a picture small and blurred."""

import asyncio
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from bot import decoding, faults, metrics
from bot.clock import Clock
from bot.engine import Database, Lane
from storage import media, renditions

log = structlog.get_logger()

BATCH = 2
"""Processes at once; each is less than half a second for what people send."""
TIME_LIMIT = 60.0
"""Seconds by the wall for one rendition: a busy machine gives the process fewer than its seconds of CPU."""
LEASE = timedelta(seconds=TIME_LIMIT + 60)
WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""Before each new try; after the last the original has to do."""
_MADE_OF = {"image": ("picture", "image/jpeg"), "audio": ("voice", "audio/mpeg")}
"""First half of an original's type → what is made of it, and the type of that."""


def has_one(content_type: str) -> bool:
    """Whether originals of this type have a rendition; a film has none."""
    return content_type.partition("/")[0] in _MADE_OF


class NotMade(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """There is no rendition this time; the text is the kind of error, nothing of what was sent."""


class Renderer:
    """Makes the renditions that are due; a failure never touches the original."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def drain(self) -> int:
        """Make what is due; how many were tried."""
        done = 0
        while True:
            now = self._clock.now()
            work = partial(renditions.claim, now=now, until=now + LEASE, limit=BATCH)
            rows = await self._database.run(work, Lane.BULK)
            made = (self._make(row.media_id, row.attempts) for row in rows)
            for result in await asyncio.gather(*made, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
            done += len(rows)
            if len(rows) < BATCH:
                return done

    async def _make(self, media_id: int, attempts: int) -> None:
        original = await self._database.read(partial(media.opened, media_id=media_id))
        assert original is not None, "only what is kept has a rendition"  # noqa: S101 - a bug of ours, not input
        what, content_type = _MADE_OF[original.content_type.partition("/")[0]]
        faults.reach("rendition_before_decoding")
        try:
            content = await decoded(what, original.content)
        except NotMade as error:
            again = self._clock.now() + WAITS[attempts] if attempts < len(WAITS) else None
            log.warning("rendition_not_made", media=media_id, attempts=attempts, error=str(error))
            metrics.renditions.labels("failed").inc()
            await self._database.run(partial(renditions.later, media_id=media_id, next_at=again), Lane.BULK)
            return
        await self._keep(media_id, content, content_type, self._clock.now())
        metrics.renditions.labels("made").inc()

    async def _keep(self, media_id: int, content: bytes, content_type: str, now: datetime) -> None:
        work = partial(renditions.keep, media_id=media_id, content=content, content_type=content_type, now=now)
        await self._database.run(work, Lane.BULK)


async def decoded(what: str, content: bytes, patience: float = TIME_LIMIT) -> bytes:
    """A `picture` or a `voice`, decoded in a process of its own; raises NotMade."""
    # Isolated, and without our environment: it may hold secrets.
    command = (sys.executable, "-I", str(Path(decoding.__file__)), what)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={}
    )
    try:
        async with asyncio.timeout(patience):
            made, error = await process.communicate(content)
    except TimeoutError:
        raise NotMade("too slow") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not made:
        name = error.decode("ascii", "replace")
        raise NotMade(name if name.isidentifier() else f"ended with {process.returncode}")
    return made
