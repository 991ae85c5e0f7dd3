"""Accounts that may only answer: what is late or too long for one reply is read all the same, once and in order."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot import unsaid
from bot.engine import Lane
from bot.replies import MOST
from bot.simulator import crypto, xmls
from bot.simulator.handles import PhoneHandle
from bot.turns import person_key
from handlers import binding, check
from handlers.turn import PASSIVE_PATIENCE, RECEIPT_KEPT, Turn
from messages import render
from storage import outbox
from storage.areas import Area, AreaLevel
from storage.inbox import Inbox, InboxState
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person, Role, phone_index
from storage.reports import Entry
from tests.bot.rig import AES_KEY, APP_ID, TOKEN, Rig, prepared, rig
from tests.crash.town import NUMBERS, town
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.support.waiting import eventually
from tests.world import World

MORE, BEFORE = render("common/more"), render("common/from_before")
PATIENCE, TURN_PATIENCE, LAST_MOMENT = 6.0, 0.3, 1.5
"""Seconds: the platform's and ours, as much shorter as makes these tests short."""
VILLAGES = 20
REPORT = "我班上一个娃身上全是青的紫的 问他不说话"


@asynccontextmanager
async def mute(url: str) -> AsyncIterator[Rig]:
    """The bot with an account that nobody has verified."""
    async with rig(url, kind="unverified-subscription") as here:
        here.platform.world.settings = replace(here.platform.world.settings, patience=PATIENCE)
        here.webhook._turn_patience, here.webhook._last_moment = TURN_PATIENCE, LAST_MOMENT
        yield here


@pytest.fixture
async def here(databases: Databases) -> AsyncIterator[Rig]:
    async with mute(prepared(databases)) as running:
        yield running


def notices(phone: PhoneHandle) -> int:
    """How often somebody read that the account is out of order."""
    return sum(item.kind == "fault" for item in phone.screen)


def deliveries(here: Rig) -> list[int]:
    """What each delivery was answered with so far; 0: the connection was closed."""
    return [int(str(entry["status"])) for entry in here.platform.world.log.after(0) if entry["kind"] == "push"]


def replies(here: Rig) -> list[tuple[str, str]]:
    """Every reply that is kept: state, and how it begins."""
    return [(row.state, row.content["text"][:5]) for row in here.rows() if row.kind == OutboxKind.REPLY]


async def nothing_is_left(here: Rig) -> None:
    """Nothing was ever tried by a way that this account has not, and nothing more waits."""
    await here.handed()
    await here.pass_(seconds=30)
    await here.worker.run_all()
    assert here.calls() == []
    assert {state for state, _ in replies(here)} <= {OutboxState.HANDED, OutboxState.CANCELLED}


def break_turns(here: Rig, *, mend: bool = False) -> None:
    """From now on no turn of a message can be run, though messages can be kept; or again it can."""
    names = ("conversation_away", "conversation") if mend else ("conversation", "conversation_away")
    with here.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {names[0]} RENAME TO {names[1]}")


# A late turn.


async def test_a_late_turn_is_answered_by_the_next_delivery(here: Rig) -> None:
    phone, release = here.phone("teacher"), threading.Event()

    def busy(_connection: object) -> None:
        assert release.wait(60)

    held = asyncio.ensure_future(here.database.run(busy, Lane.CHAT, person_key(phone.openid)))
    writing = asyncio.create_task(phone.say(REPORT))
    await eventually(lambda: deliveries(here) == [0], 20)
    release.set()
    await asyncio.gather(held, writing)
    assert deliveries(here) == [0, 200]
    assert len(here.texts(phone)) == 1
    assert "110" in here.texts(phone)[0]
    assert notices(phone) == 0
    assert [row.text for row in here.rows(Entry)] == [REPORT]
    await nothing_is_left(here)


async def test_a_turn_that_failed_at_first_is_answered_by_the_next_delivery(here: Rig) -> None:
    phone = here.phone("teacher")
    break_turns(here)
    here.worker.start()  # which leaves it to the next delivery
    writing = asyncio.create_task(phone.say(REPORT))
    await eventually(lambda: deliveries(here) == [0], 20)
    assert [row.state for row in here.rows(Inbox)] == [InboxState.WAITING], "kept though nothing is answered"
    break_turns(here, mend=True)
    await writing
    await here.worker.stop()
    assert len(here.texts(phone)) == 1
    assert "110" in here.texts(phone)[0]
    assert notices(phone) == 0
    await nothing_is_left(here)


async def test_after_the_last_delivery_the_reply_waits_for_the_persons_next_message(here: Rig) -> None:
    phone = here.phone("teacher")
    break_turns(here)
    await phone.say("会不会知道是我")
    assert deliveries(here) == [0, 0, 200]
    assert [item.side for item in phone.screen] == ["me"], "neither a reply nor the fault notice"
    break_turns(here, mend=True)
    await here.pass_(seconds=61)
    await here.worker.run_all()
    [reply] = [row for row in here.rows() if row.kind == OutboxKind.REPLY]
    assert reply.state == OutboxState.QUEUED
    await here.pass_(seconds=60)
    await here.worker.run_all()
    assert here.calls() == []
    assert here.texts(phone) == []
    await phone.say("帮助")
    [shown] = here.texts(phone)
    assert shown.startswith(f"孩子有危险，请先打 {here.policy.numbers.police}"), "what was just asked comes first"
    assert shown.endswith(f"{BEFORE}\n\n{reply.content['text']}")
    await phone.say("帮助")
    assert reply.content["text"] not in here.texts(phone)[1], "it is said once"
    await nothing_is_left(here)


async def test_a_turn_that_comes_after_every_delivery_is_read_with_the_next_message(here: Rig) -> None:
    phone, release = here.phone("teacher"), threading.Event()

    def busy(_connection: object) -> None:
        assert release.wait(60)

    held = asyncio.ensure_future(here.database.run(busy, Lane.CHAT, person_key(phone.openid)))
    await phone.say("会不会知道是我")
    if here.database_url.startswith("sqlite"):  # while the one writer is held nothing can be kept: this is not hidden
        assert (deliveries(here), notices(phone)) == ([0, 0, 0], 1)
    else:
        assert (deliveries(here), notices(phone)) == ([0, 0, 200], 0)
    release.set()
    await held
    [reply] = await eventually(lambda: [row for row in here.rows() if row.kind == OutboxKind.REPLY])
    await here.pass_(seconds=PASSIVE_PATIENCE.total_seconds() + 1)
    await here.worker.run_all()
    assert here.state(reply.id) == OutboxState.QUEUED
    await phone.say("帮助")
    [shown] = here.texts(phone)
    assert shown.endswith(f"{BEFORE}\n\n{reply.content['text']}")
    await nothing_is_left(here)


async def test_the_last_delivery_is_known_by_the_kept_message_where_another_process_had_the_first(here: Rig) -> None:
    phone = here.phone("teacher")
    here.platform.world.settings = replace(here.platform.world.settings, retries=1)
    break_turns(here)
    await phone.say("帮助")
    [kept] = here.rows(Inbox)
    answers = []
    for ago in (0.0, 2 * LAST_MOMENT):
        here.webhook._left.clear()  # another process knows nothing of it
        with here.engine.begin() as connection:
            first_at = here.clock.now() - timedelta(seconds=ago)
            connection.execute(update(Inbox).values(received_at=first_at))
        answers.append(await _delivered(here, kept.message["raw"]))
    assert answers == [None, "success"]
    break_turns(here, mend=True)
    await here.pass_(seconds=61)
    await here.worker.run_all()
    await phone.say("会不会知道是我")
    assert "孩子有危险" in here.texts(phone)[-1].partition(BEFORE)[2]


async def _delivered(here: Rig, xml: str) -> str | None:
    """One delivery by hand; what it is answered, None when it is not."""
    sealed = crypto.encrypt(crypto.key_of(AES_KEY), xml, APP_ID)
    query = {
        "signature": crypto.signature(TOKEN, "1", "n"), "timestamp": "1", "nonce": "n", "encrypt_type": "aes",
        "msg_signature": crypto.signature(TOKEN, "1", "n", sealed),
    }  # fmt: skip
    body = xmls.document({"ToUserName": "gh_1", "Encrypt": sealed})
    try:
        async with here.http.post(f"{here.url}/wechat", params=query, data=body.encode()) as answer:
            return await answer.text()
    except aiohttp.ClientError:
        return None


async def test_a_digit_does_not_answer_a_question_that_was_never_shown(here: Rig) -> None:
    phone = here.phone("teacher")
    await phone.say(REPORT)
    break_turns(here)
    await phone.say("2")
    break_turns(here, mend=True)
    await here.pass_(seconds=61)
    await here.worker.run_all()
    unseen = [row.content["text"] for row in here.rows() if row.state == OutboxState.QUEUED][-1]
    await phone.say("1")
    shown = here.texts(phone)[-1]
    assert render("common/again") in shown
    assert unseen in shown


# A long reply.


def ask(turn: Turn, report: int, area: int, person: int) -> None:
    """Somebody has a question to answer."""
    turn.open_task("benefit", "report", report, area, due_at=turn.now, next_at=None, person_id=person)


def long_names(url: str) -> None:
    """A county whose officer has work in many villages with long names."""
    make_tables(url)
    world = World.on(url)
    county = world.area("安平县", AreaLevel.COUNTY)
    township = world.area("青山镇", AreaLevel.TOWNSHIP, county)
    officer = world.person("officer", Role.TOWNSHIP_CHILD_SUPERVISOR, township)
    world.duty(township, officer)
    ask_much(world, township, officer)
    world.close()


def ask_much(world: World, township: Area, person: Person) -> None:
    """Work in many villages, so that its list takes three messages."""
    for number in range(VILLAGES):
        village = world.area(f"第{number:02}号{'很长名字的' * 3}村", AreaLevel.VILLAGE, township)
        world.turn(partial(ask, report=number + 1, area=village.id, person=person.id))


@asynccontextmanager
async def long_list(url: str) -> AsyncIterator[tuple[Rig, PhoneHandle]]:
    """The bot, and the phone of the officer, bound."""
    async with mute(url) as here:
        yield here, here.phone("officer")


def whole(texts: list[str]) -> str:
    """A reply that came in pieces, put together; blanks do not count."""
    return "".join("".join(text.removesuffix(MORE) for text in texts).split())


async def asked(say: Awaitable[object], here: Rig, phone: PhoneHandle) -> str:
    """What the answer to one message is."""
    before = len(here.texts(phone))
    await say
    await here.handed()
    [text] = here.texts(phone)[before:]
    assert len(text.encode()) <= 2048
    return text


async def test_a_long_reply_is_read_in_order_piece_by_piece(databases: Databases) -> None:
    async with long_list(databases.copy(long_names)) as (here, phone):
        first = await asked(phone.say("我的任务"), here, phone)
        assert first.endswith(MORE)
        assert [state for state, _ in replies(here)] == [OutboxState.HANDED, OutboxState.QUEUED]
        second = await asked(phone.say("更多"), here, phone)
        third = await asked(phone.say("更多"), here, phone)
        assert second.endswith(MORE)
        assert not third.endswith(MORE)
        read = whole([first, second, third])
        assert [read.count(f"第{number:02}号") for number in range(VILLAGES)] == [2] * VILLAGES
        places = [read.index(f"第{number:02}号") for number in range(VILLAGES)]
        assert places == sorted(places)
        assert "回数字办理" in read
        assert here.rows(Entry) == [], "who only reads on tells nothing"
        await nothing_is_left(here)


async def test_whatever_is_written_brings_the_rest_below_its_own_answer(databases: Databases) -> None:
    async with long_list(databases.copy(long_names)) as (here, phone):
        shown = [await asked(phone.say("我的任务"), here, phone)]
        shown += [await asked(phone.say(words), here, phone) for words in ("会不会知道是我", "报错了怎么办") * 2]
        assert all(BEFORE in text for text in shown[1:3])
        assert not any(text.startswith(BEFORE) for text in shown)
        rest = [text.partition(BEFORE)[2] for text in shown[1:]]
        read = whole([shown[0], *rest])
        assert [read.count(f"第{number:02}号") for number in range(VILLAGES)] == [2] * VILLAGES
        await nothing_is_left(here)


@pytest.mark.parametrize("by_oneself", [True, False], ids=["by oneself", "by others"])
async def test_nothing_of_the_rest_is_read_on_a_phone_that_was_unbound(
    databases: Databases, *, by_oneself: bool
) -> None:
    async with long_list(databases.copy(long_names)) as (here, phone):
        first = await asked(phone.say("我的任务"), here, phone)
        assert first.endswith(MORE)
        if by_oneself:
            shown = [await asked(phone.say(words), here, phone) for words in ("解绑", "是")]
            assert "很长名字的" in shown[0], "the question whether to unbind was asked while it was still theirs"
        else:
            await here.turn(lambda turn: binding.unbind(turn, turn.session.scalars(select(Person)).one()))
        for words in ("更多", "值班"):
            assert "很长名字的" not in await asked(phone.say(words), here, phone)
        assert OutboxState.QUEUED not in [state for state, _ in replies(here)]


async def test_the_rest_outlives_a_restart_and_a_lost_answer(databases: Databases) -> None:
    url = databases.copy(long_names)
    async with long_list(url) as (here, phone):
        shown = [await asked(phone.say("我的任务"), here, phone)]
    async with long_list(url) as (here, phone):
        here.platform.world.faults.drop_after = 1
        shown.append(await asked(phone.say("更多"), here, phone))
        assert deliveries(here)[-2:] == [0, 200], "the answer to the first delivery was lost"
        shown.append(await asked(phone.say("更多"), here, phone))
        read = whole(shown)
        assert [read.count(f"第{number:02}号") for number in range(VILLAGES)] == [2] * VILLAGES
        await nothing_is_left(here)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["turn_before_commit", "turn_after_commit_before_answer"])
async def test_the_rest_is_read_once_though_the_bot_is_killed_while_it_says_it(
    databases: Databases, tmp_path: Path, fault: str
) -> None:
    async with town(databases.fresh(), tmp_path) as running:
        running.environ["TONGBAN__WECHAT__KIND"] = "unverified-subscription"
        with Session(running.engine) as session:
            duty = session.scalars(select(Person).where(Person.phone_index == phone_index(NUMBERS["duty"]))).one()
        ask_much(running.world, running.areas["township"], duty)
        await running.start()
        phone = running.platform.phone("o-duty")
        await phone.say("我的任务")
        await running.kill()
        await running.start(fault)
        reviving = asyncio.create_task(running.keep_alive())
        for _ in range(2):
            await phone.say("更多")
        reviving.cancel()
        await asyncio.wait([reviving])
        assert running.kills == 2
        read = whole([item.text for item in running.screen("o-duty")])
        assert [read.count(f"第{number:02}号") for number in range(VILLAGES)] == [2] * VILLAGES
        assert running.faults() == 0


async def test_a_reply_that_nothing_carried_away_is_said_again_with_the_next(databases: Databases) -> None:
    """Its process died between the commit and the answer, and the platform did not come again."""
    async with long_list(databases.copy(long_names)) as (here, phone):
        first = await asked(phone.say("我的任务"), here, phone)
        with here.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox SET state = 'passive' WHERE state = 'handed'")
            connection.exec_driver_sql("UPDATE outbox SET next_at = created_at WHERE state = 'passive'")
        await here.pass_(seconds=PASSIVE_PATIENCE.total_seconds() + 1)
        await here.worker.run_all()
        assert [state for state, _ in replies(here)] == [OutboxState.QUEUED, OutboxState.QUEUED]
        again = [await asked(phone.say("更多"), here, phone) for _ in range(3)]
        assert again[0] == first
        assert whole(again).count("第19号") == 2
        await nothing_is_left(here)


# What nobody comes for.


async def test_what_is_never_fetched_is_listed_after_a_day_and_still_said(databases: Databases) -> None:
    async with long_list(databases.copy(long_names)) as (here, phone):
        await asked(phone.say("我的任务"), here, phone)

        async def unseen() -> list[str]:
            found = await here.turn(check.findings)
            return [one.sentence for one in found if one.kind == "unseen_message"]

        await here.pass_(seconds=unsaid.LISTED_AFTER.total_seconds() - 60)
        await here.worker.run_all()
        assert await unseen() == []
        await here.pass_(seconds=120)
        await here.worker.run_all()
        assert [state for state, _ in replies(here)] == [OutboxState.HANDED, OutboxState.UNDELIVERABLE]
        assert here.calls() == []
        assert len(await unseen()) == 1
        await asked(phone.say("更多"), here, phone)
        assert await unseen() == []
        assert here.texts(phone)[-1].endswith(MORE)


async def test_a_receipt_is_erased_after_a_day_wherever_it_waits(here: Rig) -> None:
    phone = here.phone("teacher")
    contact = await here.contact(phone)

    def leave(turn: Turn) -> None:
        outbox.add(
            turn.connection, contact_id=contact, kind=OutboxKind.REPLY, state=OutboxState.QUEUED,
            content={"text": "回执号 1234 5678 9012"}, now=turn.now, next_at=turn.now,
            erase_at=turn.now + RECEIPT_KEPT,
        )  # fmt: skip

    await here.turn(leave)
    await phone.say("帮助")
    assert "1234 5678 9012" in here.texts(phone)[0]
    await here.handed()
    await here.pass_(hours=25)
    await here.worker.run_all()
    assert not any("1234 5678 9012" in str(row.content) for row in here.rows())


async def test_an_account_with_customer_service_messages_says_it_as_before(databases: Databases) -> None:
    async with rig(databases.copy(long_names)) as here:
        phone = here.phone("officer")
        await phone.say("我的任务")
        await here.handed()
        await here.worker.run_all()
        assert len(here.texts(phone)) == 3
        assert not any(MORE in text for text in here.texts(phone))
        assert here.calls() == [0, 0]


def test_the_line_about_the_rest_fits_beside_the_longest_piece() -> None:
    assert len("字".encode()) * MOST + len(f"\n\n{MORE}".encode()) <= 2048
    assert unsaid.pieces([], []) == []
    assert unsaid.pieces(["好"], []) == ["好"]
