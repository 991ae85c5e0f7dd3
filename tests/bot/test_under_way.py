"""Calls under way when a process is asked to stop."""

import asyncio

import pytest

from bot.under_way import UnderWay


async def test_a_stop_cuts_short_what_would_take_long_and_leaves_what_ends_soon() -> None:
    calls, ends = UnderWay(patience=0.05), asyncio.Event()

    async def call(limit: float) -> str:
        async with calls.limited(limit):
            await ends.wait()
        return "came to its end"

    long, cut = asyncio.create_task(call(60)), asyncio.create_task(call(60))
    await asyncio.sleep(0)
    calls.stop()
    assert calls.stopping
    with pytest.raises(TimeoutError):
        await cut
    with pytest.raises(TimeoutError):
        await long

    soon = UnderWay(patience=60)
    async with soon.limited(60):
        soon.stop()  # more than enough time is left


async def test_a_stop_does_not_lengthen_what_is_shorter() -> None:
    calls = UnderWay(patience=60)

    async def call() -> None:
        async with calls.limited(0.01):
            calls.stop()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await call()


async def test_a_pause_ends_with_the_stop() -> None:
    calls = UnderWay()
    pausing = asyncio.create_task(calls.pause(3600))
    await asyncio.sleep(0)
    calls.stop()
    await asyncio.wait_for(pausing, 60)
    await calls.pause(3600)
