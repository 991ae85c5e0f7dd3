"""The story from the first sentence to the digest, kill -9 around every single message: nobody and no row can tell."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.story import (
    MESSAGES,
    PATIENCE,
    compared,
    ended_well,
    ending,
    is_noted,
    play,
    reference,
    story_town,
)
from tests.support.databases import Databases
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("moment", ["after", "during"])
async def test_kills_around_every_message_change_nothing_that_people_see(
    databases: Databases, tmp_path: Path, moment: str
) -> None:
    async with story_town(databases, tmp_path / "killed") as place:

        async def killed_after(message: Awaitable[Any]) -> None:
            """The platform has its answer; nothing that follows from the message need be done yet."""
            await message
            await place.kill()
            await place.start()

        async def killed_during(message: Awaitable[Any]) -> None:
            """The message is on its way, and comes again after the restart."""
            sending = asyncio.ensure_future(message)
            await asyncio.sleep(0)
            await place.kill()
            await place.start()
            await sending
            await eventually(lambda: is_noted(place), PATIENCE)

        await place.start()
        await play(place, killed_after if moment == "after" else killed_during)
        assert place.kills == MESSAGES
        await place.kill()  # and once more while all is quiet
        await place.start()
        doubtful = await ended_well(place)
        # A kill between an answer and its mark may say a reply once more, word for word (design 3.3).
        again, lost = compared(ending(place), await reference(databases, tmp_path / "reference"))
        assert all(number == 1 for number in again.values()), again
        assert lost.total() <= doubtful, lost
