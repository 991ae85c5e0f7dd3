"""Makes what a browser can show of an original, after that is safe: a voice as MP3, a picture small and blurred."""

import asyncio
import sys
from contextlib import suppress
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
"""Processes of one round, at once; each is less than half a second for what people send."""
TIME_LIMIT = 60.0
"""Seconds by the wall for one rendition: a busy machine gives the process fewer than its seconds of CPU."""
LEASE = timedelta(seconds=TIME_LIMIT + 60)
WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""Before each new try; after the last the original has to do."""
LARGEST = 4 * 1024 * 1024
"""Bytes of what a decoder may answer: a voice of ten minutes is 2.4 MB as MP3."""
_MADE_OF = dict.fromkeys(
    ("image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"), ("picture", "image/jpeg")
) | dict.fromkeys(
    ("audio/amr", "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/wav", "audio/speex"),
    ("voice", "audio/mpeg"),
)
"""An original's type → what is made of it, and the type of that."""
_OF_THE_MACHINE = frozenset({"ImportError", "MemoryError", "ModuleNotFoundError"})
"""Errors that say nothing about the original."""


def has_one(content_type: str) -> bool:
    """Whether originals of this type have a rendition: a film has none, nor SILK, which nobody here decodes."""
    return content_type in _MADE_OF


class NotMade(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """There is no rendition this time; the text is the kind of error, nothing of what was sent.

    `for_good`: the decoder read the original and says that it can make nothing of it, as it will every time.
    """

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


class Renderer:
    """Makes the renditions that are due; a failure never touches the original."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def drain(self) -> int:
        """Make some of what is due; how many were tried."""
        now = self._clock.now()
        work = partial(renditions.claim, now=now, until=now + LEASE, limit=BATCH)
        rows = await self._database.run(work, Lane.BULK)
        made = (self._make(row.media_id, row.attempts) for row in rows)
        for result in await asyncio.gather(*made, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        return len(rows)

    async def _make(self, media_id: int, attempts: int) -> None:
        try:
            content, content_type = await self._made(media_id, attempts)
        except NotMade as error:
            is_last = error.for_good or attempts >= len(WAITS)
            again = None if is_last else self._clock.now() + WAITS[attempts]
            log.warning("rendition_not_made", media=media_id, attempts=attempts, given_up=is_last, error=str(error))
            metrics.renditions.labels("failed").inc()
            await self._database.run(partial(renditions.later, media_id=media_id, next_at=again), Lane.BULK)
            return
        await self._keep(media_id, content, content_type, self._clock.now())
        metrics.renditions.labels("made").inc()

    async def _made(self, media_id: int, attempts: int) -> tuple[bytes, str]:
        if attempts > len(WAITS):  # tries without an outcome: an error of ours, or the end of this process
            raise NotMade("no outcome", for_good=True)
        original = await self._database.read(partial(media.opened, media_id=media_id))
        if original is None or not has_one(original.content_type):
            raise NotMade("no decoder", for_good=True)
        what, content_type = _MADE_OF[original.content_type]
        faults.reach("rendition_before_decoding")
        return await decoded(what, original.content), content_type

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
            made, error, _ = await asyncio.gather(
                _limited(process, process.stdout), _limited(process, process.stderr), _feed(process.stdin, content)
            )
            await process.wait()
    except TimeoutError:
        raise NotMade("too slow") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # what is left in the pipes, so that they are closed
    if made is None or error is None:
        raise NotMade("too much")
    if process.returncode != 0 or not made:
        name = error.decode("ascii", "replace")
        if name.isidentifier():
            raise NotMade(name, for_good=name not in _OF_THE_MACHINE)
        raise NotMade(f"ended with {process.returncode}")
    return made


async def _feed(stdin: asyncio.StreamWriter | None, content: bytes) -> None:
    assert stdin is not None, "it is a pipe"  # noqa: S101 - see where it is started
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended before it had read all
        stdin.write(content)
        await stdin.drain()
    stdin.close()


async def _limited(process: asyncio.subprocess.Process, output: asyncio.StreamReader | None) -> bytes | None:
    """What a decoder answers; None when it was ended because one that was taken over must not fill the bot's memory."""
    assert output is not None, "it is a pipe"  # noqa: S101 - see where it is started
    try:
        await output.readexactly(LARGEST + 1)
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    process.kill()
    await output.read()  # what is left in the pipe
    return None
