"""The stand-in's own clock: real time plus an offset that can be moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

LATEST = 4_102_444_800
CHINA = 8.0


class ClockError(ValueError):
    """Somebody tried to set the clock back without saying force, or far out of any calendar."""


class Clock:
    """Seconds since 1970, movable forward (backward only by force)."""

    def __init__(self, offset: float = 0.0, hours_east: float = CHINA) -> None:
        """Start `offset` seconds away from real time; days begin at midnight `hours_east` of Greenwich."""
        self.offset = offset
        self.watchers: list[Callable[[], None]] = []
        self._zone = timezone(timedelta(hours=hours_east))

    def now(self) -> float:
        """Virtual seconds since 1970."""
        return time.time() + self.offset

    def stamp(self) -> int:
        """Whole virtual seconds, as the platform writes them."""
        return int(self.now())

    def advance(self, seconds: float, *, force: bool = False) -> None:
        """Move by `seconds`; raises ClockError for a negative step without force."""
        if seconds < 0 and not force:
            msg = f"the clock does not go back ({seconds} s); say force"
            raise ClockError(msg)
        if not 0 <= self.now() + seconds <= LATEST:
            msg = "the clock stays between 1970 and 2100"
            raise ClockError(msg)
        self.offset += seconds
        for moved in self.watchers:
            moved()

    def move_to(self, epoch: float, *, force: bool = False) -> None:
        """Move to an instant; a step back under one second is the running of the real clock and is ignored."""
        step = epoch - self.now()
        if -1 <= step < 0 and not force:
            return
        self.advance(step, force=force)

    def day(self) -> str:
        """The date by which the daily counters go."""
        return datetime.fromtimestamp(self.now(), self._zone).date().isoformat()


def iso(epoch: float) -> str:
    """An instant as ISO text in UTC."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
