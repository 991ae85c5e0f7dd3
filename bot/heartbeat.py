"""Says every few seconds that the system is alive, and notices when it was not for long."""

import time
from functools import partial

import structlog
from sqlalchemy import Connection

from bot import faults, metrics
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.turns import guarded
from handlers import silences as handler
from handlers.policy import Policy
from handlers.turn import Turn
from storage import silences

log = structlog.get_logger()

EVERY = 20
"""Seconds."""


class Heartbeat:
    """One for each process; whichever beats first after a silence keeps it, in the transaction of the beat."""

    def __init__(self, database: Database, clock: Clock, policy: Policy) -> None:
        self._database, self._clock, self._policy = database, clock, policy
        self._beaten: float | None = None
        """When this process last did, by a clock that nobody moves and that runs while the machine sleeps."""

    async def beat(self) -> None:
        """Note that the system is alive. Where it was silent before, that is kept and told with it, or not at all."""
        now = _unmoved()
        awake = self._beaten is not None and now - self._beaten <= self._policy.system_silent_minutes * 60
        if await self._database.run(partial(self._beat, awake=awake), Lane.DUE):
            faults.reach("silence_kept")
        self._beaten = now
        metrics.write_age.reset()

    def _beat(self, connection: Connection, *, awake: bool) -> bool:
        """Whether there was a silence."""
        now = self._clock.now()
        since = silences.beat(connection, now)
        if awake or since is None or not handler.is_one(self._policy, since, now):
            return False  # `awake`: the clock was put forward, or moved in a demo; this process was there all the time
        silences.add(connection, since, now)
        log.warning("was_silent", minutes=round((now - since).total_seconds() / 60))
        turn = Turn(connection, now, self._policy)
        error = guarded(turn, partial(handler.tell, turn, since))
        if error is not None:
            log.error("silence_not_told", error=error)
        faults.reach("silence_before_commit")
        return True


def _unmoved() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
