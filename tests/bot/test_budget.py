"""The day's budget of a channel, and accounts that may send nothing: what is not sent is not lost and not asked for."""

from collections.abc import AsyncIterator

import pytest

from bot.settings import Kind
from handlers import prompts
from handlers.turn import Turn
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person
from storage.tasks import Task
from tests.bot.rig import Rig, prepared, rig
from tests.bot.test_gateway import NUMBERS, county, said
from tests.support.databases import Databases

LIMIT = 10


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """A platform that lets ten cards through in a day, and a bot that knows."""
    async with rig(prepared(databases), limits={"template": LIMIT}) as running:
        running.platform.world.account.daily_limits = {"/cgi-bin/message/template/send": LIMIT}
        yield running


async def test_the_last_tenth_is_kept_for_alarms_and_the_rest_goes_the_next_day(bot: Rig) -> None:
    duty, second = bot.phone("duty"), bot.phone("second")
    for number in range(12):
        await bot.push(duty, OutboxKind.NOTICE, f"第{number}条")
    await bot.sender.drain()
    assert bot.states().count(OutboxState.ACCEPTED) == 9
    for _ in range(2):
        await bot.push(second, OutboxKind.ALARM, "急事")
    await bot.sender.drain_alarms()
    assert len(second.screen) == 1
    assert set(bot.calls()) == {0}, "the platform never had to refuse"
    [waiting] = [row for row in bot.rows() if row.kind == OutboxKind.ALARM and row.state == OutboxState.QUEUED]
    assert waiting.next_at > bot.clock.now()
    assert [row.kind for row in bot.rows(Task)] == ["unreachable"], (
        "an alarm that waits for tomorrow is somebody's matter"
    )
    await bot.pass_(seconds=(waiting.next_at - bot.clock.now()).total_seconds() + 1)
    await bot.sender.drain_alarms()
    await bot.sender.drain()
    assert set(bot.states()) == {OutboxState.ACCEPTED}
    assert (len(duty.screen), len(second.screen)) == (12, 2)
    assert 45009 not in bot.calls()


async def test_a_budget_is_shared_and_kept_over_a_restart(databases: Databases) -> None:
    url = prepared(databases)
    for round_ in range(3):
        async with rig(url, limits={"template": LIMIT}) as bot:
            phone = bot.phone("duty")
            for number in range(4):
                await bot.push(phone, OutboxKind.NOTICE, f"{round_}.{number}")
            await bot.sender.drain()
            states = [row.state for row in bot.rows()]
    assert states.count(OutboxState.ACCEPTED) == 9
    assert states.count(OutboxState.QUEUED) == 3


async def test_a_quota_that_the_platform_says_is_used_up_is_not_asked_again_today(bot: Rig) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", errcode=45009, times=-1)
    for _ in range(3):
        await bot.push(phone, OutboxKind.NOTICE, "话")
    await bot.sender.drain()
    first = len(bot.calls())
    assert first <= 3, "what was planned already may still ask"
    for _ in range(5):
        await bot.pass_(hours=1)
        await bot.sender.drain()
    assert len(bot.calls()) == first or bot.calls().count(45009) <= 2 * 3, "but for the day that may have begun"


UNVERIFIED: tuple[Kind, ...] = ("unverified-subscription", "unverified-service")


@pytest.mark.parametrize("kind", UNVERIFIED)
@pytest.mark.parametrize("telephone", [True, False], ids=["with a gateway", "without one"])
async def test_an_account_that_may_send_nothing_prompts_by_sms_or_on_the_telephone_list(
    databases: Databases, kind: Kind, *, telephone: bool
) -> None:
    async with rig(databases.copy(county), telephone=telephone, kind=kind) as bot:
        phones = {name: bot.platform.add_phone(name, f"o-{name}", number=number) for name, number in NUMBERS.items()}

        def ask(turn: Turn) -> None:
            mine = next(one for one in turn.session.query(Person).all() if one.name == "duty")
            number = turn.open_task(
                "benefit", "report", 1, mine.area_id or 0, due_at=turn.now, next_at=None, person_id=mine.id
            )
            assert prompts.prompt(turn, turn.session.get_one(Task, number), mine.id)

        await bot.turn(ask)
        await bot.pass_(seconds=6)
        await bot.worker.run_all()
        assert bot.calls() == [], "nothing was tried that the platform would refuse"
        assert len(said(phones["duty"], "sms")) == int(telephone)
        [tasks_shown] = [item.text for item in await phones["duty"].say("我的任务") if item.side == "account"]
        assert "困难" in tasks_shown or "补助" in tasks_shown or "1" in tasks_shown
        if telephone:
            return
        [listed] = [item.text for item in await phones["county"].say("我的任务") if item.side == "account"]
        assert "联系不上" in listed
        [told] = [item.text for item in await phones["county"].say("1") if item.side == "account"]
        assert NUMBERS["duty"] in told, "the clerk's telephone list"
        assert "1 件" in told
