"""The story from the first sentence to the digest, with the process killed at every named point between two commits."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from bot.faults import POINTS
from tests.crash.story import compared, ended_well, ending, play, reference, story_town, undisturbed
from tests.support.databases import Databases

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(600)]

ELSEWHERE = frozenset(
    {
        "raw_kept", "failed_turn_kept", "batch_committed", "page_before_commit", "page_after_commit_before_answer",
        "gateway_after_commit_before_answer", "copy_before_name", "restore_before_commit",
        "silence_before_commit", "silence_kept",
    }
)  # fmt: skip
"""Points that this story does not pass; they have tests of their own."""


async def test_a_kill_at_every_fault_point_changes_nothing_that_people_see(
    databases: Databases, tmp_path: Path
) -> None:
    expected = await reference(databases, tmp_path / "reference")
    assert any("RECEIPT" in words for words in expected.screens["o-teller"])
    for point in [point for point in POINTS if point not in ELSEWHERE]:
        async with story_town(databases, tmp_path / point) as place:
            await place.start(point)
            alive = asyncio.create_task(place.keep_alive())
            await play(place, undisturbed)
            alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await alive
            assert place.kills == 1, f"{point} was never reached"
            again, lost = compared(ending(place), expected)
            # A kill between an answer and its mark may say a reply once more, word for word, never lose it.
            assert again.total() <= 1, f"{point}: {again}"
            assert not lost, f"{point}: {lost}"
            assert await ended_well(place) == 0
