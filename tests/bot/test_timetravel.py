"""A moved clock plays everything out that would have happened, for the bot and for the platform."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.clock import Clock
from handlers import alarms
from handlers.turn import Turn
from storage import outbox, tasks
from storage.areas import Area, AreaLevel
from storage.outbox import OutboxKind
from storage.tasks import Task
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.visiting import make_tables, settle
from tests.world import World

DAY = 86400


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


async def test_a_ladder_plays_as_it_would_have(bot: Rig) -> None:
    phones = {name: bot.phone(name) for name in ("duty", "second", "county")}
    began = bot.clock.now()

    def act(turn: Turn) -> None:
        township = turn.session.scalars(select(Area).where(Area.level == AreaLevel.TOWNSHIP)).one()
        turn.open_task(
            "alarm", "report", 1, township.id, due_at=turn.now, next_at=turn.now, role="duty",
            urgency=alarms.URGENT,
        )  # fmt: skip

    await bot.turn(act)
    status, answer = await bot.travel({"advance_seconds": 95 * 60})
    assert status == 200
    assert datetime.fromisoformat(answer["now"]) - began >= timedelta(minutes=95)
    times = {
        name: [round((datetime.fromtimestamp(item.at, UTC) - began) / timedelta(minutes=1)) for item in phone.screen]
        for name, phone in phones.items()
    }
    assert times == {"duty": [0, 60], "second": [30, 60], "county": [90]}
    assert abs(bot.platform.world.clock.now() - bot.clock.now().timestamp()) < 1


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "soon", None, 5, {"advance_seconds": "60"}, {"advance_seconds": None}, {"advance_seconds": True},
        {"advance_seconds": -1}, {"advance_seconds": 11 * 366 * DAY}, {"seconds": 60},
    ],
)  # fmt: skip
async def test_what_is_no_way_forward_is_refused_in_one_sentence(bot: Rig, body: object) -> None:
    before = bot.clock.offset
    status, answer = await bot.travel(body)
    assert status == 400
    assert "advance_seconds" in answer["error"]
    assert bot.clock.offset == before


async def test_what_is_not_json_is_refused_too(bot: Rig) -> None:
    for body in (b"", b"{", b"\xff\xfe", b'{"advance_seconds": NaN}', b'{"advance_seconds": Infinity}'):
        async with bot.http.post(f"{bot.url}/demo/clock", data=body) as answer:
            assert answer.status == 400, body


async def test_the_moved_clock_is_kept_over_a_restart(databases: Databases) -> None:
    url = prepared(databases)
    async with rig(url) as bot:
        await bot.travel({"advance_seconds": 3 * DAY})
        reached = bot.clock.now()
    async with rig(url) as bot:
        assert timedelta() <= bot.clock.now() - reached < timedelta(minutes=1)
    assert Clock().offset == timedelta()


async def test_advances_at_the_same_time_follow_each_other(bot: Rig) -> None:
    began = bot.clock.now()
    answers = await asyncio.gather(*(bot.travel({"advance_seconds": 3600}) for _ in range(3)))
    assert [status for status, _ in answers] == [200] * 3
    assert timedelta(hours=3) <= bot.clock.now() - began < timedelta(hours=3, minutes=1)


async def test_a_row_that_waits_for_a_dead_sender_does_not_stop_the_clock(bot: Rig) -> None:
    phone = bot.phone("duty")
    await bot.push(phone, OutboxKind.PROMPT, "第一条")
    await bot.turn(lambda turn: outbox.claim(turn.connection, turn.now, 10))
    await bot.push(phone, OutboxKind.PROMPT, "第二条")
    await asyncio.wait_for(bot.travel({"advance_seconds": 3600}), 20)
    assert bot.states() == ["accepted", "accepted"]


async def test_a_bot_stopped_between_the_two_clocks_catches_up(bot: Rig) -> None:
    bot.platform.world.clock.advance(12 * 3600)
    await bot.travel({"advance_seconds": 60})
    assert abs(bot.platform.world.clock.now() - bot.clock.now().timestamp()) < 1


async def test_without_the_platform_nothing_is_moved_and_that_is_said(bot: Rig) -> None:
    before = bot.clock.offset
    bot.worker.due.start()  # the loops need no platform while nothing is due
    await bot.worker.due.stop()
    await bot.platform.close()
    status, answer = await bot.travel({"advance_seconds": 60})
    assert (status, bot.clock.offset) == (502, before)
    assert "platform" in answer["error"]


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_sixty_days_over_fifty_tasks_come_to_an_end(databases: Databases) -> None:
    url = databases.copy(make_tables)
    world = World.on(url)
    village = settle(world)
    world.now = datetime.now(UTC)
    for number in range(24):
        child = village.add_child(f"孩子{number}", level="yellow" if number % 2 else "blue")
        village.pair(child, village.officer)

    def ask(turn: Turn) -> None:
        for number in range(25):
            turn.open_task(
                "benefit", "report", number, village.group.id, due_at=turn.now + timedelta(days=3), next_at=turn.now,
                person_id=village.officer.id,
            )  # fmt: skip

    world.turn(ask)
    live = len(world.turn(lambda turn: tasks.live_of_person(turn.session, village.officer.id)))
    world.close()
    async with rig(url) as bot:
        for person in (village.officer, village.deputy, village.township_supervisor, village.county_supervisor):
            bot.phone(person.name)
        until = bot.clock.now() + timedelta(days=60)
        status, _ = await bot.travel({"advance_seconds": 60 * DAY})
        assert status == 200
        assert live >= 45
        left = [row for row in bot.rows(Task) if row.next_at is not None and row.next_at <= until]
        assert [(row.kind, row.state, row.rung, row.next_at, row.error) for row in left] == []
