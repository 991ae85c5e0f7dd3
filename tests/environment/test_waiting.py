"""Waiting ends when the thing has happened, and says what did not."""

import asyncio

import pytest

from tests.support.waiting import eventually


async def test_waiting_ends_with_the_first_true_value() -> None:
    arrived: list[str] = []
    asyncio.get_running_loop().call_later(0.05, arrived.append, "letter")
    assert await eventually(lambda: arrived) == ["letter"]


async def test_an_assertion_that_fails_for_good_is_told_as_it_was() -> None:
    weather = "rain"

    async def checks() -> bool:
        assert weather == "sun"
        return True

    with pytest.raises(AssertionError, match="not so within") as told:
        await eventually(checks, seconds=0.1)
    assert "rain" in str(told.value.__cause__)
