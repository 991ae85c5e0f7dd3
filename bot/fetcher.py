"""Fetches what people sent before the platform forgets it (three days), and seals the original with its hash.

Whatever it is, it is kept; only what is larger than the county allows is refused. Nothing, or plain words in its place
(a proxy's page), counts as a failed try. What the platform no longer has is lost, and asked for again.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from bot import faults, metrics
from bot.account import Right
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.magic import content_type_of
from bot.renditions import has_one
from bot.transport import TOO_LARGE
from bot.turns import guarded
from bot.under_way import UnderWay
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers import originals
from handlers.policy import Policy
from handlers.turn import Turn
from storage import media, renditions
from storage.media import MediaState, Original

log = structlog.get_logger()

BATCH = 5
"""Originals of one round, fetched at once: with the largest the platform allows, 50 MB of memory."""
CALL_LIMIT = 120.0
"""Seconds for one original with all it needs."""
LEASE = timedelta(seconds=CALL_LIMIT + 60)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=30)
KEPT_BY_PLATFORM = timedelta(days=3)
MEGABYTE = 1024 * 1024
_GONE = 40007


class Fetcher:
    """Downloads originals with retries through hours of failure."""

    def __init__(self, database: Database, wechat: WeChat, clock: Clock, policy: Policy) -> None:
        self._database, self._wechat, self._clock, self._policy = database, wechat, clock, policy
        self._under_way = UnderWay()

    def stop(self) -> None:
        """Claim nothing more; what cannot be had soon goes back at once."""
        self._under_way.stop()

    async def drain(self) -> int:
        """Fetch some of what is due; how many were tried."""
        if self._under_way.stopping:
            return 0
        now = self._clock.now()
        rows = await self._database.run(partial(media.claim, now=now, until=now + LEASE, limit=BATCH), Lane.DUE)
        results = await asyncio.gather(*(self._fetch(row) for row in rows), return_exceptions=True)
        await self._later([row for row, is_settled in zip(rows, results, strict=True) if is_settled is False])
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(rows)

    async def _fetch(self, row: Any) -> bool:  # noqa: ANN401 - a row
        """Try once; False when it has to be tried again."""
        if not self._wechat.may(Right.MEDIA):
            return await self._unless_late(row)  # the account may be verified in time
        faults.reach("media_before_fetch")
        try:
            async with self._under_way.limited(CALL_LIMIT):
                original = await self._wechat.download_media(row.platform_id)
        except (OutcomeUnknown, WeChatRefused, TimeoutError) as error:
            refusal = error if isinstance(error, WeChatRefused) else None
            log.warning(
                "media_not_fetched", media=row.id, attempts=row.attempts, code=refusal.code if refusal else None
            )
            metrics.media.labels("failed").inc()
            if refusal and refusal.code == TOO_LARGE:
                return await self._give_up(row.id, MediaState.REFUSED)
            if refusal and refusal.code == _GONE:
                return await self._give_up(row.id, MediaState.LOST)
            return await self._unless_late(row)
        content_type = content_type_of(original.content, original.content_type)
        too_large = len(original.content) > self._policy.media_largest_mb * MEGABYTE
        if content_type is not None and not too_large:
            return await self._keep(row.id, original.content, content_type)
        log.warning("media_unfit", media=row.id, attempts=row.attempts, size=len(original.content))
        metrics.media.labels("unfit").inc()
        return await (self._give_up(row.id, MediaState.REFUSED) if too_large else self._unless_late(row))

    async def _unless_late(self, row: Any) -> bool:  # noqa: ANN401 - a row
        """False, so that it is tried again, until the platform has forgotten it."""
        if self._clock.now() - row.received_at <= KEPT_BY_PLATFORM:
            return False
        return await self._give_up(row.id, MediaState.LOST)

    async def _keep(self, media_id: int, content: bytes, content_type: str) -> bool:
        original, now = await asyncio.to_thread(Original.of, content, content_type), self._clock.now()

        def keep(connection: Connection) -> None:
            kept = media.keep(connection, media_id, original, now)
            if kept and has_one(content_type):
                renditions.expect(connection, media_id, now)

        faults.reach("media_fetched_before_commit")
        await self._database.run(keep, Lane.DUE)
        faults.reach("media_kept")
        metrics.media.labels("kept").inc()
        return True

    async def _later(self, rows: Iterable[Any]) -> None:
        """Those of a round that failed together are due together again: an outage is hard enough.

        What a stop of this process cut short is due at once, for another one.
        """
        now, first = self._clock.now(), timedelta(0) if self._under_way.stopping else FIRST_WAIT
        when = {row.id: now + min(first * 2 ** min(row.attempts, 10), LONGEST_WAIT) for row in rows}
        if when:
            await self._database.run(partial(media.later, when=when), Lane.DUE)

    async def _give_up(self, media_id: int, state: MediaState) -> bool:
        work = partial(give_up, media_id=media_id, state=state, now=self._clock.now(), policy=self._policy)
        await self._database.run(work, Lane.DUE)
        return True


def give_up(connection: Connection, media_id: int, state: MediaState, now: datetime, policy: Policy) -> None:
    """It will not come: note it, and ask whoever sent it. Should the asking fail, the note stays."""
    if not media.give_up(connection, media_id, state):
        return
    turn = Turn(connection, now, policy)
    ask = originals.lost if state == MediaState.LOST else originals.refused
    error = guarded(turn, lambda: ask(turn, media_id))
    if error is not None:
        log.error("media_not_asked_for", media=media_id, error=error)
