"""One message or event on its way to the bot, and what delivers it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.simulator import xmls


@dataclass
class Push:
    """One message or event; the plaintext stays the same over all deliveries.

    `shows` is false where the person has no chat open for an answer (unfollow, delivery events).
    """

    openid: str
    trigger: str
    fields: Mapping[str, object]
    shows: bool = True
    xml: str = field(init=False)

    def __post_init__(self) -> None:
        """Render once."""
        self.xml = xmls.document(self.fields)


class Delivery(Protocol):
    """What the parts of the platform ask of the pusher."""

    def send(self, push: Push) -> asyncio.Task[None]:
        """Start delivering; the task ends when the push is settled."""
        ...

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run something beside."""
        ...

    def watch(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside that may take long and that nobody waits for."""
        ...

    def under_way(self) -> set[asyncio.Task[None]]:
        """What was sent or spawned and has not ended."""
        ...

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        ...

    async def verify(self) -> bool:
        """Check the bot's address as the console does."""
        ...

    async def close(self) -> None:
        """Give up what is under way."""
        ...
