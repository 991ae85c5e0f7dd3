"""A time in which nothing ran is told once, whoever beats next, and no other time is taken for one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.heartbeat import Heartbeat
from handlers import check
from handlers.policy import Policy
from handlers.workdays import CHINA
from storage.silences import Silence
from tests.bot.rig import AT_ANY_HOUR, Rig, prepared, rig
from tests.support.databases import Databases


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


def process(bot: Rig, policy: Policy = AT_ANY_HOUR) -> Heartbeat:
    """A process that has just been started."""
    return Heartbeat(bot.database, bot.clock, policy)


def silences(bot: Rig) -> list[tuple[float, float]]:
    """What was kept: hours ago it began, hours it lasted."""
    now = bot.clock.now()
    hour = timedelta(hours=1)
    return [(round((now - row.since) / hour, 1), round((row.until - row.since) / hour, 1)) for row in bot.rows(Silence)]


async def test_after_72_hours_everybody_who_supervises_reads_once_from_when_to_when(bot: Rig) -> None:
    phones = [bot.phone(name) for name in ("county", "duty", "second")]
    await process(bot).beat()
    await bot.pass_(hours=72)
    again = process(bot)
    await again.beat()
    await again.beat()
    await process(bot).beat()
    assert silences(bot) == [(72.0, 72.0)]
    await bot.worker.send.once()
    for phone in phones:
        [card] = phone.screen
        assert [field["value"] for field in card.fields] == ["系统停过 72 小时，请看日报"]
    await bot.pass_(seconds=6)
    text = (await phones[0].say("日报"))[-1].text
    assert "系统停过：" in text
    assert "（72 小时）。" in text
    found = [one.sentence for one in await bot.turn(check.findings) if one.kind == "silence"]
    assert len(found) == 1
    assert "nothing ran from " in found[0]
    await bot.pass_(days=8)
    await process(bot, replace(AT_ANY_HOUR, system_silent_minutes=0)).beat()
    assert [one for one in await bot.turn(check.findings) if one.kind == "silence"] == []


async def test_a_short_stop_is_none_and_the_county_says_what_is_short(bot: Rig) -> None:
    for minutes, threshold, told in ((9, 10, 0), (11, 10, 1), (50, 60, 1), (600, 0, 1), (5, 4, 2)):
        await process(bot).beat()
        await bot.pass_(minutes=minutes)
        await process(bot, replace(AT_ANY_HOUR, system_silent_minutes=threshold)).beat()
        assert len(silences(bot)) == told, (minutes, threshold)


async def test_while_one_of_several_processes_is_there_nothing_is_silent(bot: Rig) -> None:
    first, second = process(bot), process(bot)
    await first.beat()
    for _ in range(3):
        await bot.pass_(minutes=8)
        await second.beat()
    await process(bot).beat()
    assert silences(bot) == []


async def test_of_several_processes_that_start_at_once_one_tells(bot: Rig) -> None:
    await process(bot).beat()
    await bot.pass_(hours=3)
    await asyncio.gather(*(process(bot).beat() for _ in range(4)))
    assert silences(bot) == [(3.0, 3.0)]
    assert len(bot.rows()) == 3


async def test_a_clock_that_is_put_forward_or_back_is_no_silence(bot: Rig) -> None:
    alive = process(bot)
    await alive.beat()
    await bot.pass_(days=3)
    await alive.beat()
    bot.clock.offset -= timedelta(hours=1)
    await alive.beat()
    await process(bot).beat()
    assert silences(bot) == []
    await bot.pass_(minutes=30)
    await process(bot).beat()
    assert silences(bot) == [(0.5, 0.5)]


async def test_a_clock_moved_in_a_demo_is_no_silence_though_the_process_dies_on_the_way(bot: Rig) -> None:
    await process(bot).beat()
    await bot.travel({"advance_seconds": 5 * 3600})
    await process(bot).beat()
    assert silences(bot) == []


async def test_by_night_it_is_kept_at_once_and_told_in_the_morning(bot: Rig) -> None:
    night = Policy(version=1)
    await process(bot).beat()
    await bot.pass_(seconds=(_at(bot, hour=3) - bot.clock.now()).total_seconds())
    await process(bot, night).beat()
    assert len(silences(bot)) == 1
    assert {row.next_at for row in bot.rows()} == {_at(bot, hour=8, days=0)}


def _at(bot: Rig, hour: int, days: int = 2) -> datetime:
    local = bot.clock.now().astimezone(CHINA)
    return local.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=days)
