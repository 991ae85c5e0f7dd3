"""Fetches what people sent before the platform forgets it (three days), and seals the original with its hash."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot import faults, metrics
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.errcodes import Reaction
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from storage import media

log = structlog.get_logger()

BATCH = 5
"""Originals fetched at once: with the largest the platform allows, 50 MB of memory."""
CALL_LIMIT = 120.0
"""Seconds for one original with all it needs."""
LEASE = timedelta(seconds=CALL_LIMIT + 60)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=30)
KEPT_BY_PLATFORM = timedelta(days=3)


class Fetcher:
    """Downloads originals with retries through hours of failure."""

    def __init__(self, database: Database, wechat: WeChat, clock: Clock) -> None:
        self._database, self._wechat, self._clock = database, wechat, clock

    async def drain(self) -> int:
        """Fetch what is due; how many were tried."""
        done = 0
        while True:
            now = self._clock.now()
            rows = await self._database.run(partial(media.claim, now=now, until=now + LEASE, limit=BATCH), Lane.DUE)
            fetches = (self._fetch(row.id, row.platform_id, row.attempts, row.received_at) for row in rows)
            for result in await asyncio.gather(*fetches, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
            done += len(rows)
            if len(rows) < BATCH:
                return done

    async def _fetch(self, media_id: int, platform_id: str, attempts: int, received_at: datetime) -> None:
        faults.reach("media_before_fetch")
        try:
            async with asyncio.timeout(CALL_LIMIT):
                original = await self._wechat.download_media(platform_id)
        except (OutcomeUnknown, WeChatRefused, TimeoutError) as error:
            metrics.media.labels("failed").inc()
            code = error.code if isinstance(error, WeChatRefused) else None
            gone = isinstance(error, WeChatRefused) and error.reaction == Reaction.BUG
            log.warning("media_not_fetched", media=media_id, attempts=attempts, code=code)
            await self._later(media_id, attempts, received_at, gone=gone)
            return
        digest = hashlib.sha256(original.content).hexdigest()
        faults.reach("media_fetched_before_commit")
        await self._database.run(
            partial(
                media.keep, media_id=media_id, content=original.content, content_type=original.content_type,
                sha256=digest, now=self._clock.now(),
            ),
            Lane.DUE,
        )  # fmt: skip
        faults.reach("media_kept")
        metrics.media.labels("kept").inc()

    async def _later(self, media_id: int, attempts: int, received_at: datetime, *, gone: bool) -> None:
        now = self._clock.now()
        expired = gone or now - received_at > KEPT_BY_PLATFORM
        wait = min(FIRST_WAIT * 2 ** min(attempts, 10), LONGEST_WAIT)
        await self._database.run(
            partial(media.later, media_id=media_id, next_at=None if expired else now + wait), Lane.DUE
        )
