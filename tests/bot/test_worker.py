"""The loops behind the door: what fails is tried again and in the end listed, and nothing stops the rest."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot import metrics
from bot.worker import BATCH, Loop
from handlers import alarms, check, prompts
from handlers.turn import Turn
from storage import tasks
from storage.outbox import OutboxKind
from storage.people import Person
from storage.tasks import Task
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.waiting import eventually


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


async def open_task(bot: Rig, kind: str, number: int = 1) -> int:
    """A task that is due now."""
    return await bot.turn(
        lambda turn: turn.open_task(kind, "report", number, turn.county_id(), due_at=turn.now, next_at=turn.now)
    )


def task(bot: Rig, number: int) -> Any:  # noqa: ANN401 - a row
    """One task."""
    return next(row for row in bot.rows(Task) if row.id == number)


async def test_due_work_that_fails_is_tried_again_as_the_county_says_then_listed(bot: Rig) -> None:
    broken, sound = await open_task(bot, "no_such_kind"), await open_task(bot, "alarm")
    waits = []
    for _ in bot.policy.retry_minutes:
        await bot.worker.due.once()
        waits.append(round((task(bot, broken).next_at - bot.clock.now()) / timedelta(minutes=1)))
        await bot.pass_(minutes=waits[-1], seconds=1)
    assert waits == list(bot.policy.retry_minutes)
    await bot.worker.due.once()
    assert task(bot, broken).next_at is None
    assert "KeyError" in task(bot, broken).error
    parked = [one.id for one in await bot.turn(check.findings) if one.kind == "parked_task"]
    assert parked == [broken]
    assert task(bot, sound).failures == 0
    assert task(bot, sound).rung >= 1, "its neighbour in the batch was done"


async def test_how_late_due_work_was_done_is_counted(bot: Rig) -> None:
    def counted() -> list[float]:
        names = ("tongban_due_lag_seconds_count", "tongban_due_lag_seconds_sum")
        return [metrics.registry.get_sample_value(name) or 0.0 for name in names]

    await open_task(bot, "alarm")
    before = counted()
    await bot.turn(lambda turn: turn.connection.execute(update(Task).values(next_at=turn.now - timedelta(hours=2))))
    await bot.worker.due.once()
    number, seconds = (after - earlier for after, earlier in zip(counted(), before, strict=True))
    assert number >= 1
    assert seconds >= 2 * 3600


async def test_a_success_forgives_earlier_failures(bot: Rig) -> None:
    number = await open_task(bot, "alarm")
    await bot.turn(lambda turn: tasks.failed(turn.connection, number, turn.now, "KeyError at x.py:1"))
    await bot.worker.due.once()
    assert (task(bot, number).failures, task(bot, number).error) == (0, None)
    assert task(bot, number).next_at is not None


async def test_a_refusal_in_due_work_is_a_failure_too_and_not_forgotten(bot: Rig) -> None:
    def orphan(turn: Turn) -> int:
        return turn.open_task("visit", "child", 999, turn.county_id(), due_at=turn.now, next_at=turn.now)

    number = await bot.turn(orphan)
    await bot.worker.due.once()
    row = task(bot, number)
    assert row.next_at is not None or row.state != "open", "it either ended or is looked at again"


async def test_many_due_tasks_are_all_done_in_one_round_of_small_batches(bot: Rig) -> None:
    count = 2 * BATCH + 5
    for number in range(count):
        await open_task(bot, "alarm", number)
    assert await bot.worker.due.once() == count
    assert all(row.next_at > bot.clock.now() for row in bot.rows(Task))


async def test_run_all_ends_when_nothing_is_left(bot: Rig) -> None:
    phone = bot.phone("county")
    await open_task(bot, "alarm")
    await bot.turn(lambda turn: alarms.open_alarm(turn, 7, turn.county_id(), alarms.URGENT))
    await bot.push(phone, OutboxKind.NOTICE, "有事")
    await asyncio.wait_for(bot.worker.run_all(), 10)
    assert len([item for item in phone.screen if item.source == "template"]) >= 2
    assert await bot.worker.due.once() + await bot.worker.send.once() + await bot.worker.alarms.once() == 0


async def test_a_loop_survives_an_error_and_counts_it() -> None:
    rounds: list[str] = []

    async def work() -> int:
        rounds.append("round")
        if len(rounds) == 1:
            raise ConnectionError("the database is away")
        return 0

    loop = Loop("tested", work)
    loop.start()
    loop.wake()
    await eventually(lambda: len(rounds) == 1)
    loop.wake()
    await eventually(lambda: len(rounds) == 2)
    await loop.stop()
    assert metrics.registry.get_sample_value("tongban_loop_errors_total", {"loop": "tested"}) == 1


async def test_rounds_of_a_loop_never_overlap_and_stopping_lets_the_last_one_finish() -> None:
    running, most, finished = 0, 0, 0
    gate = asyncio.Event()

    async def work() -> int:
        nonlocal running, most, finished
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        finished += 1
        return 0

    loop = Loop("tested", work)
    loop.start()
    loop.wake()
    await eventually(lambda: running == 1)
    more = [asyncio.ensure_future(loop.once()) for _ in range(3)]
    stopping = asyncio.ensure_future(loop.stop())
    gate.set()
    await asyncio.gather(stopping, *more)
    assert (most, running, finished) == (1, 0, 4)


async def test_the_ticks_find_work_by_themselves(bot: Rig) -> None:
    phone = bot.phone("county")
    bot.worker.start()
    await bot.push(phone, OutboxKind.NOTICE, "有事", wait=0.5)
    await eventually(lambda: len(phone.screen) == 1)
    assert not bot.worker.is_silent()
    await bot.worker.stop()


async def test_what_fell_due_while_nothing_ran_joins_the_prompt_that_still_waits(bot: Rig) -> None:
    phone = bot.phone("duty")

    def act(turn: Turn) -> None:
        duty = next(one for one in turn.session.scalars(select(Person)) if one.name == "duty")
        first, _ = (
            turn.open_task(
                "benefit", "report", number, turn.county_id(), due_at=turn.now + timedelta(days=3),
                next_at=turn.now + timedelta(hours=number), person_id=duty.id,
            )
            for number in (100, 1)
        )  # fmt: skip
        prompts.prompt(turn, turn.session.get_one(Task, first), duty.id)

    await bot.turn(act)
    await bot.pass_(hours=72)
    await bot.worker.send.once()
    assert [item.fields[0]["value"] for item in phone.screen] == ["您有 2 件事要办，晚 72 小时"]


async def test_a_wall_clock_set_back_an_hour_stops_no_tick(bot: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wall(dt.datetime):
        """The machine's clock, as APScheduler and the worker read it."""

        set_back = timedelta()

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.now(tz) - cls.set_back

    for place in ("apscheduler.schedulers.base", "apscheduler.triggers.interval", "bot.worker"):
        monkeypatch.setattr(f"{place}.datetime", Wall)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        ticks += 1

    bot.worker.every(0.2, tick)
    bot.worker.start()
    await eventually(lambda: ticks > 1)
    Wall.set_back = timedelta(hours=1)
    before = ticks
    await eventually(lambda: ticks > before + 3, 20)
    await bot.worker.stop()
