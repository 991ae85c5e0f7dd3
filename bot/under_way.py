"""Calls to the outside that are under way: each has its limit, and a process that stops shortens it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

STOP_PATIENCE = 5.0
"""Seconds that a call under way still has when the process is asked to stop."""


class UnderWay:
    """The calls of one loop, and whether it is to stop."""

    def __init__(self, patience: float = STOP_PATIENCE) -> None:
        self._patience = patience
        self._stop = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()

    @property
    def stopping(self) -> bool:
        """Whether nothing new is to be begun: what was claimed for it goes back."""
        return self._stop.is_set()

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError when what is done inside takes longer, or much longer than a stop allows."""
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until a stop."""
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stop.wait()

    def stop(self) -> None:
        """Begin nothing more; what is under way ends soon."""
        self._stop.set()
        until = asyncio.get_running_loop().time() + self._patience
        for limit in self._limits:
            ends = limit.when()
            if not limit.expired() and (ends is None or ends > until):
                limit.reschedule(until)
