"""A number that rises whenever anything a watcher could see changes."""

from __future__ import annotations

import asyncio


class Changes:
    """Counts changes and lets people wait for the next one."""

    def __init__(self) -> None:
        """Start at 1, so that a watcher that has seen nothing gets an answer at once."""
        self.n = 1
        self._waiters: set[asyncio.Future[None]] = set()

    def bump(self) -> None:
        """Something changed."""
        self.n += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, after: int, seconds: float) -> int:
        """The number once it is above `after`, or as it is after `seconds`."""
        if self.n <= after:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait_for(waiter, seconds)
            except TimeoutError:
                self._waiters.discard(waiter)
        return self.n
