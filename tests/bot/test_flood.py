"""A thousand messages from one account: they slow nobody else, none is lost, and danger among them rings at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from bot.simulator.handles import PhoneHandle
from handlers.policy import Policy
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox
from storage.reports import Entry
from storage.tasks import Task
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases

SLOWLY = "您发得太快了"
DANGER = "有个娃站在楼顶要跳楼"
RATE = 5
FLOOD = 30


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """A bot that takes five messages a minute, on each kind of database."""
    async with rig(prepared(databases), policy=Policy(version=1, messages_per_minute=RATE)) as found:
        yield found


async def flood(phone: PhoneHandle, words: Callable[[int], str], count: int) -> None:
    """Everything at once."""
    await asyncio.gather(*(phone.say(words(number)) for number in range(count)))


async def worked_off(bot: Rig) -> None:
    """Time passes until no kept message waits any more."""
    for _ in range(100):
        if {row.state for row in bot.rows(Inbox)} == {InboxState.DONE}:
            return
        await bot.pass_(minutes=1)
        await bot.worker.kept.once()
    raise AssertionError([row.error for row in bot.rows(Inbox) if row.state != InboxState.DONE])


def texts(bot: Rig) -> list[str]:
    """The words of all reports, in the order in which their turns were taken."""
    return [row.text for row in bot.rows(Entry) if row.text]


async def test_a_thousand_messages_of_one_account_slow_only_that_account(databases: Databases) -> None:
    async with rig(prepared(databases)) as bot:
        flooder, others = bot.phone("flooder"), [bot.phone(f"p{number}") for number in range(10)]
        asked = flood(flooder, lambda n: f"我家隔壁有个娃儿没人管 第{n}回", 1000)
        await asyncio.gather(asked, *(other.say("帮助") for other in others))
        await bot.handed()
        for other in others:
            assert [item.source for item in other.screen if item.side == "account"] == ["reply"]
        assert all(row.state != InboxState.FAILED for row in bot.rows(Inbox))
        assert len(bot.rows(Inbox)) == 1010, "nothing that was answered is missing"
        assert sum(row.state == InboxState.WAITING for row in bot.rows(Inbox)) >= 900
        assert sum(SLOWLY in text for text in bot.texts(flooder)) == 1
        await bot.worker.kept.once()
        await others[0].say("帮助")
        assert others[0].screen[-1].source == "reply"


async def test_what_is_over_the_rate_is_worked_off_in_order_and_the_last_is_answered(bot: Rig) -> None:
    phone = bot.phone("flooder")
    for number in range(FLOOD):
        await phone.say(f"我家隔壁有个娃儿没人管 第{number}回")
    assert len(texts(bot)) == RATE
    await bot.pass_(minutes=1)
    await bot.worker.kept.once()
    assert RATE < len(texts(bot)) <= 2 * RATE + 1, "no faster than the rate"
    await worked_off(bot)
    assert texts(bot) == [f"我家隔壁有个娃儿没人管 第{number}回" for number in range(FLOOD)]
    said = len(bot.texts(phone))
    await bot.pass_(minutes=2)
    await bot.worker.run_all()
    assert len([row for row in bot.rows(Outbox) if row.contact_id == 1]) <= said + 7
    assert not [row.state for row in bot.rows(Outbox) if row.state in {"refused", "undeliverable", "unknown"}]
    assert sum(SLOWLY in text for text in bot.texts(phone)) == 1


async def test_danger_in_a_flood_rings_at_once(bot: Rig) -> None:
    phone, staff = bot.phone("flooder"), bot.phone("county")
    await flood(phone, lambda n: DANGER if n == FLOOD // 2 else f"隔壁有个娃儿没人管 第{n}回", FLOOD)
    assert DANGER in texts(bot)
    assert len(texts(bot)) <= RATE + 1, "the others still wait"
    await bot.worker.due.once()
    await bot.worker.alarms.once()
    assert [row.urgency for row in bot.rows(Task) if row.kind == "alarm"] != []
    assert bot.texts(staff) != []
    await worked_off(bot)
    assert len(texts(bot)) == FLOOD
    assert texts(bot).count(DANGER) == 1


async def test_a_flood_of_danger_is_slowed_too_once_it_has_rung(bot: Rig) -> None:
    await flood(bot.phone("flooder"), lambda n: f"{DANGER} 第{n}回", FLOOD)
    assert RATE < len(texts(bot)) <= 2 * RATE
    await worked_off(bot)
    assert len(texts(bot)) == FLOOD


async def test_whoever_leaves_after_a_flood_is_forgotten_when_it_is_worked_off(bot: Rig) -> None:
    phone = bot.phone("flooder")
    await flood(phone, lambda n: f"隔壁有个娃儿没人管 第{n}回", FLOOD)
    await phone.unfollow()
    await worked_off(bot)
    assert len(texts(bot)) == FLOOD
    assert not [row for row in bot.rows(Task) if row.kind == "unread_message"]


async def test_what_became_of_cards_is_never_slowed(bot: Rig) -> None:
    phone = bot.phone("duty")
    for number in range(2 * RATE):
        await bot.push(phone, "notice", f"第{number}件", wait=0)  # type: ignore[arg-type]
    await bot.worker.run_all()
    await bot.told_of_deliveries()
    assert bot.states().count("accepted") == 2 * RATE
    assert sum(SLOWLY in text for text in bot.texts(phone)) == 0


async def test_a_slowed_message_that_is_delivered_again_is_one_message_with_the_same_answer(bot: Rig) -> None:
    phone = bot.phone("flooder")
    for _ in range(RATE):
        await phone.say("隔壁有个娃儿没人管")
    bot.platform.world.faults.change({"drop_after": 1}, bot.platform.world.clock.now())
    await phone.say("又在打了")
    assert len(bot.rows(Inbox)) == RATE + 1
    assert sum(SLOWLY in text for text in bot.texts(phone)) == 1
    await bot.pass_(minutes=timedelta(minutes=5) / timedelta(minutes=1))
    await worked_off(bot)
    assert texts(bot)[-1] == "又在打了"
