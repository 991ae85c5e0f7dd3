"""Sending to the stand-in platform: what a person sees, what the platform is asked, what the database says then."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from bot import turns
from bot.inbound import Inbound
from bot.simulator.handles import PhoneHandle
from bot.simulator.state import Window
from handlers import alarms, check, prompts
from handlers.turn import Card, Turn
from storage import contacts, outbox, tasks
from storage.areas import Area, AreaLevel
from storage.contacts import Contact, Conversation
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Person
from storage.tasks import Task, TaskState
from tests.bot.rig import FIELDS, Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.waiting import eventually

DANGER = "我班上一个娃身上全是青的紫的 问他不说话 他爸今天又打他"
HOURS = 3600

LINK = '<a href="http://bot.example/m/tasks">点这里打开</a>'


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


def contact_of(bot: Rig, phone: PhoneHandle) -> Any:  # noqa: ANN401 - a row
    """The contact row of a phone."""
    return next(row for row in bot.rows(Contact) if row.openid == phone.openid)


def talk_of(bot: Rig, phone: PhoneHandle) -> Any:  # noqa: ANN401 - a row
    """The conversation row of a phone."""
    number = contact_of(bot, phone).id
    with bot.engine.connect() as connection:
        return connection.execute(select(Conversation.__table__).where(Conversation.contact_id == number)).one()


def opens_window(bot: Rig, phone: PhoneHandle, messages: int = 5) -> None:
    """The platform's side of a message whose turn the test runs by hand."""
    phone.user.long = Window(messages, bot.platform.world.clock.now() + 48 * HOURS)


async def listed(bot: Rig) -> list[str]:
    """What `tongban check` says about messages."""
    return [one.sentence for one in await bot.turn(check.findings) if one.kind == "unseen_message"]


async def open_task(bot: Rig, name: str) -> tuple[int, int]:
    """A task of a person of the county; its id and the person's."""

    def act(turn: Turn) -> tuple[int, int]:
        person = turn.session.scalars(select(Person).where(Person.area_id.is_not(None))).all()
        mine = next(one for one in person if one.name == name)
        number = turn.open_task(
            "benefit", "report", 10_000 + len(tasks.live_of_person(turn.session, mine.id)), mine.area_id or 0,
            due_at=turn.now, next_at=None, person_id=mine.id,
        )  # fmt: skip
        return number, mine.id

    return await bot.turn(act)


async def alarm(bot: Rig) -> None:
    """Something urgent in the township, whose duty person is `duty` and then `second`."""

    def act(turn: Turn) -> None:
        township = turn.session.scalars(select(Area).where(Area.level == AreaLevel.TOWNSHIP)).one()
        turn.open_task(
            "alarm", "report", 1, township.id, due_at=turn.now, next_at=turn.now, role="duty", urgency=alarms.URGENT
        )

    await bot.turn(act)


async def prompt(bot: Rig, task: int, person: int) -> None:
    """Ask somebody for a task."""
    assert await bot.turn(lambda turn: prompts.prompt(turn, turn.session.get_one(Task, task), person))


# The passive reply.


async def test_a_reply_that_was_handed_over_is_not_sent_again(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.say("帮助")
    await bot.handed()
    await bot.pass_(minutes=1)
    assert await bot.sender.drain() == 0
    assert len(bot.texts(phone)) == 1
    assert bot.calls() == []


async def test_a_reply_that_nobody_took_is_sent_after_twenty_seconds(bot: Rig) -> None:
    phone, now = bot.phone("teacher"), bot.clock.now()
    message = Inbound(openid=phone.openid, to="gh", kind="text", msg_id="1", create_time=1, text="帮助", raw="")
    reply = await bot.database.run(lambda connection: turns.take(connection, message, now, now, bot.policy))
    opens_window(bot, phone)
    assert await bot.sender.drain() == 0
    await bot.pass_(seconds=21)
    assert await bot.sender.drain() == 1
    assert bot.texts(phone) == [reply.text]
    [row] = bot.rows()
    assert (row.state, row.channel) == (OutboxState.ACCEPTED, "custom")


@pytest.mark.parametrize("trouble", [False, True], ids=["plainly", "though the platform is busy for the second piece"])
async def test_the_rest_of_a_long_reply_follows_in_order(bot: Rig, *, trouble: bool) -> None:
    phone = bot.phone("teacher")
    await phone.say("帮助")
    await bot.handed()
    long = "\n\n".join(f"第{n}段。" + "话" * 290 for n in range(1, 8))
    contact = contact_of(bot, phone).id

    def say(turn: Turn) -> turns.Reply:
        turn.talk = contacts.talk_with(turn.connection, contact, turn.now)
        turn.said = [long]
        inbox = turn.connection.execute(_inbox_row(contact, turn)).scalar_one()
        return turns._keep_words(turn, inbox, passive=True)

    reply = await bot.turn(say)
    assert reply.text
    assert reply.inbox_id
    assert await bot.sender.drain() == 0, "nothing overtakes the answer itself"
    handed = reply.inbox_id
    await bot.turn(lambda turn: outbox.mark_handed(turn.connection, [handed], turn.now))
    if trouble:
        bot.fault("message/custom/send", errcode=-1, times=3)  # the third wait is longer than any lease
    for _ in range(5):
        await bot.sender.drain()
        await bot.pass_(seconds=41)
    assert "\n\n".join([reply.text, *bot.texts(phone)[1:]]) == long


def _inbox_row(contact: int, turn: Turn) -> Any:  # noqa: ANN401 - a statement
    from storage.inbox import Inbox  # noqa: PLC0415 - only here

    values = {"key": b"long", "contact_id": contact, "received_at": turn.now, "message": {}, "state": "done"}
    return Inbox.__table__.insert().values(attempts=0, **values).returning(Inbox.__table__.c.id)


# Windows.


async def test_five_messages_go_through_the_window_and_the_sixth_is_a_card(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    for number in range(6):
        await bot.push(phone, OutboxKind.NOTICE, f"第{number}条")
    await bot.sender.drain()
    assert [row.channel for row in bot.rows() if row.inbox_id is None] == ["custom"] * 5 + ["template"]
    assert bot.calls() == [0] * 6
    assert bot.texts(phone)[1:6] == [f"第{number}条\n{LINK}" for number in range(5)]
    assert bot.texts(phone)[6] == "有2件事要办 2"


async def test_the_short_window_of_a_follow_is_used_up_first(bot: Rig) -> None:
    phone = bot.platform.add_phone("villager", "o-villager", following=False)
    await phone.follow()
    await phone.say("帮助")
    await bot.handed()
    for number in range(9):
        await bot.push(phone, OutboxKind.NOTICE, f"第{number}条")
    await bot.sender.drain()
    channels = [row.channel for row in bot.rows() if row.inbox_id is None and row.kind == OutboxKind.NOTICE]
    assert channels == ["custom"] * 8 + ["template"]
    assert set(bot.calls()) == {0}
    assert (talk_of(bot, phone).short_left, talk_of(bot, phone).window_left) == (0, 0)


async def test_after_two_days_only_a_card_is_sent(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    await bot.pass_(hours=48, seconds=1)
    await bot.push(phone, OutboxKind.NOTICE, "有事")
    await bot.sender.drain()
    assert bot.calls() == [0]
    assert phone.screen[-1].source == "template"


async def test_without_window_and_template_nothing_is_tried_and_it_is_listed(databases: Databases) -> None:
    async with rig(prepared(databases), fields={"alarm": FIELDS["alarm"]}) as bot:
        phone = bot.phone("duty")
        number = await bot.push(phone, OutboxKind.PROMPT, "有事")
        await bot.sender.drain()
        assert bot.calls() == []
        assert bot.state(number) == OutboxState.UNDELIVERABLE
        assert contact_of(bot, phone).unreachable_since is not None
        assert [task.kind for task in bot.rows(Task)] == ["unreachable"]
        assert len(await listed(bot)) == 1
        await phone.say("帮助")
        assert contact_of(bot, phone).unreachable_since is None, "whoever writes can be reached"
        assert await listed(bot) == []


async def test_a_card_has_every_field_filled_and_none_too_long(bot: Rig) -> None:
    phone = bot.phone("duty")
    cards = [
        Card("task", {"what": "有人接手了，您不用再管这件事，谢谢您，辛苦了", "count": ""}),
        Card("alarm", {"what": "有紧急情况"}),
        Card("alarm", {"what": "  \n ", "number": "R一2", "place": "\x0b青山镇\n柳河村"}),
        Card("digest", {"what": "今天", "when": "2026-11-24"}),
    ]
    for card in cards:
        await bot.push(phone, OutboxKind.NOTICE, "话", card)
    await bot.sender.drain()
    assert bot.calls() == [0] * 4
    shown = [[field["value"] for field in item.fields] for item in phone.screen]
    assert shown == [
        ["有人接手了，您不用再管这件事，谢谢您，辛", "0"],
        ["有紧急情况", "-", "—"],
        ["—", "R2", "青山镇 柳河村"],
        ["今天", "2026-11-24"],
    ]


async def test_words_too_long_for_one_message_are_sent_in_pieces(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    text = "\n\n".join("长" * 400 for _ in range(3))
    await bot.push(phone, OutboxKind.NOTICE, text)
    await bot.sender.drain()
    assert bot.calls() == [0] * 3
    assert "".join(bot.texts(phone)[1:]).replace(f"\n{LINK}", "") == text.replace("\n\n", "")


# Refusals.


async def test_a_window_that_the_platform_closed_leads_to_a_card_at_once(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    phone.user.long = None
    for kind in (OutboxKind.NOTICE, OutboxKind.ALARM, OutboxKind.ALARM, OutboxKind.DIGEST, OutboxKind.PROMPT):
        await bot.push(phone, kind, "有事")
    await asyncio.gather(bot.sender.drain(), bot.sender.drain_alarms())
    assert Counter(bot.calls()) == {45015: 1, 0: 5}
    assert bot.states() == [OutboxState.ACCEPTED] * 5
    assert len([item for item in phone.screen if item.source == "template"]) == 5


async def test_a_window_with_nothing_left_leads_to_a_card_at_once(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    opens_window(bot, phone, messages=0)
    await bot.push(phone, OutboxKind.PROMPT, "有事")
    await bot.sender.drain()
    assert bot.calls() == [45047, 0]
    assert bot.states() == [OutboxState.ACCEPTED]


@pytest.mark.parametrize("code", [43004, 40003])
async def test_whoever_is_gone_is_asked_for_once_and_listed_and_the_alarm_climbs(bot: Rig, code: int) -> None:
    duty, second, county = bot.phone("duty"), bot.phone("second"), bot.phone("county")
    if code == 43004:
        duty.user.following = False
    else:
        del bot.platform.world.state.phones[duty.openid]
    await bot.push(duty, OutboxKind.NOTICE, "之前的一条")
    await alarm(bot)
    await bot.worker.run_all()
    assert Counter(bot.calls()) == {code: 1, 0: len(bot.calls()) - 1}
    assert contact_of(bot, duty).unreachable_since is not None
    assert any(item.source == "template" for item in second.screen), "the next one on the ladder was told at once"
    [unreachable] = [task for task in bot.rows(Task) if task.kind == "unreachable"]
    assert unreachable.state == TaskState.OPEN
    assert [item.source for item in county.screen] == ["template"], "the county hears of it"
    await bot.push(duty, OutboxKind.DIGEST, "之后的一条")
    await bot.worker.run_all()
    assert Counter(bot.calls())[code] == 1, "nobody asks the platform again"


async def test_a_busy_platform_is_asked_again_later_and_the_window_loses_nothing(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", errcode=-1, times=3)
    number = await bot.push(phone, OutboxKind.PROMPT, "有事")
    waits = []
    while bot.state(number) == OutboxState.QUEUED:
        await bot.sender.drain()
        if (again := bot.row(number).next_at) is not None:
            waits.append(round((again - bot.clock.now()).total_seconds()))
            await bot.pass_(seconds=waits[-1] + 1)
    assert [round(wait, -1) for wait in waits] == pytest.approx([20, 40, 80], rel=0.25)
    assert bot.state(number) == OutboxState.ACCEPTED
    assert talk_of(bot, phone).window_left == 4


async def test_a_platform_that_stays_busy_is_given_up_after_a_day_and_listed(bot: Rig) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", errcode=-1, times=-1)
    began = bot.clock.now()
    number = await bot.push(phone, OutboxKind.PROMPT, "有事")
    waits = []
    while True:
        await bot.sender.drain()
        if (again := bot.row(number).next_at) is None:
            break
        waits.append((again - bot.clock.now()).total_seconds())
        await bot.pass_(seconds=waits[-1] + 0.1)
    assert max(waits) <= 1800
    assert 18 * HOURS < (bot.clock.now() - began).total_seconds() < 30 * HOURS
    assert (bot.state(number), bot.row(number).code) == (OutboxState.REFUSED, -1)
    assert len(await listed(bot)) == 1


@pytest.mark.parametrize("code", [40037, 48001, 40001, 45009])
async def test_what_an_operator_must_put_right_waits_for_it_and_is_not_lost(bot: Rig, code: int) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", errcode=code, times=-1)
    number = await bot.push(phone, OutboxKind.ALARM, "有事")
    for _ in range(12):
        await bot.sender.drain_alarms()
        await bot.pass_(minutes=31)
    calls = len(bot.calls())
    assert calls <= (24 if code == 40001 else 12), "a token is renewed once for each try"
    assert bot.state(number) == OutboxState.QUEUED
    assert contact_of(bot, phone).unreachable_since is None
    bot.platform.world.faults.api = []
    if code == 45009:
        await bot.pass_(days=1)
    await bot.sender.drain_alarms()
    assert bot.state(number) == OutboxState.ACCEPTED
    assert len(phone.screen) == 1


async def test_a_used_up_quota_of_the_window_leads_to_a_card(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", errcode=45009)
    number = await bot.push(phone, OutboxKind.ALARM, "有事")
    await bot.sender.drain_alarms()
    assert bot.calls() == [45009, 0]
    assert (bot.state(number), bot.row(number).channel) == (OutboxState.ACCEPTED, "template")


async def test_a_card_the_platform_cannot_read_is_our_mistake_and_listed(bot: Rig) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", errcode=47003)
    number = await bot.push(phone, OutboxKind.NOTICE, "有事")
    await bot.sender.drain()
    await bot.pass_(hours=1)
    await bot.sender.drain()
    assert bot.calls() == [47003]
    assert (bot.state(number), bot.row(number).code) == (OutboxState.REFUSED, 47003)
    assert len(await listed(bot)) == 1


async def test_a_platform_that_cannot_be_asked_for_a_token_loses_nothing(bot: Rig) -> None:
    phone = bot.phone("duty")
    bot.fault("stable_token", kind="drop_after", times=1)
    number = await bot.push(phone, OutboxKind.DIGEST, "日报")
    await bot.sender.drain()
    assert bot.state(number) == OutboxState.QUEUED, "the message itself was never sent"
    await bot.pass_(minutes=1)
    await bot.sender.drain()
    assert bot.state(number) == OutboxState.ACCEPTED


# Outcomes nobody knows.


async def test_an_alarm_without_an_answer_is_sent_again(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", kind="drop_after")
    await bot.push(phone, OutboxKind.ALARM, "急事")
    await bot.sender.drain_alarms()
    await bot.pass_(seconds=21)
    await bot.sender.drain_alarms()
    assert bot.states() == [OutboxState.ACCEPTED]
    assert len([text for text in bot.texts(phone) if "急事" in text]) == 2


async def test_a_prompt_without_an_answer_is_sent_once_more_and_seen_once(bot: Rig) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", kind="drop_after")
    await bot.push(phone, OutboxKind.PROMPT, "有事")
    await bot.sender.drain()
    assert bot.states() == [OutboxState.QUEUED]
    await bot.pass_(seconds=21)
    await bot.sender.drain()
    assert bot.states() == [OutboxState.ACCEPTED]
    assert len(phone.screen) == 1, "the second call carries the same client_msg_id"
    assert len(bot.calls("message/template")) >= 1


async def test_a_prompt_is_not_sent_a_third_time(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", kind="drop_after", times=-1)
    await bot.push(phone, OutboxKind.PROMPT, "有事")
    for _ in range(4):
        await bot.sender.drain()
        await bot.pass_(minutes=5)
    assert bot.states() == [OutboxState.UNKNOWN]
    assert len([text for text in bot.texts(phone) if "有事" in text]) == 2
    assert len(await listed(bot)) == 1


@pytest.mark.parametrize("kind", [OutboxKind.DIGEST, OutboxKind.NOTICE])
async def test_a_digest_or_notice_without_an_answer_is_listed_and_not_sent_again(bot: Rig, kind: OutboxKind) -> None:
    phone = bot.phone("duty")
    bot.fault("message/template/send", kind="drop_after")
    await bot.push(phone, kind, "日报")
    for _ in range(3):
        await bot.sender.drain()
        await bot.pass_(minutes=5)
    assert bot.states() == [OutboxState.UNKNOWN]
    assert len(phone.screen) == 1
    assert len(await listed(bot)) == 1


# Senders that die, and several of them.


@pytest.mark.parametrize(
    ("kind", "begun", "seen"),
    [
        (OutboxKind.ALARM, True, 1), (OutboxKind.PROMPT, True, 1), (OutboxKind.REPLY, True, 1),
        (OutboxKind.DIGEST, False, 1), (OutboxKind.DIGEST, True, 0),
        (OutboxKind.NOTICE, False, 1), (OutboxKind.NOTICE, True, 0),
    ],
)  # fmt: skip
async def test_what_a_dead_sender_had_claimed_is_taken_up_when_its_lease_ends(
    bot: Rig, kind: OutboxKind, seen: int, *, begun: bool
) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    number = await bot.push(phone, kind, "有事")

    def claim(turn: Turn) -> None:
        [row] = outbox.claim(turn.connection, turn.now, 10)
        if begun and row.kind in outbox.SAID_ONCE:
            outbox.begin(turn.connection, row.id)

    await bot.turn(claim)
    assert await bot.sender.drain() + await bot.sender.drain_alarms() == 0
    await bot.pass_(seconds=outbox.LEASE.total_seconds() + 1)
    await bot.sender.drain()
    await bot.sender.drain_alarms()
    assert len([text for text in bot.texts(phone) if "有事" in text]) == seen
    assert bot.state(number) == (OutboxState.ACCEPTED if seen else OutboxState.UNKNOWN)
    assert len(await listed(bot)) == 1 - seen


async def test_messages_to_one_person_keep_their_order_and_an_alarm_overtakes_them(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", kind="slow", seconds=0.4)
    for number in range(3):
        await bot.push(phone, OutboxKind.PROMPT, f"第{number}条")
    drained = asyncio.ensure_future(bot.sender.drain())
    await eventually(lambda: OutboxState.SENDING in bot.states())
    await bot.push(phone, OutboxKind.ALARM, "急事")
    await bot.sender.drain_alarms()
    await drained
    assert [text.splitlines()[0] for text in bot.texts(phone)[1:]] == ["第0条", "急事", "第1条", "第2条"]


async def test_an_alarm_does_not_wait_for_a_call_that_hangs(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("帮助")
    await bot.handed()
    bot.fault("message/custom/send", kind="slow", seconds=6)
    await bot.push(phone, OutboxKind.PROMPT, "有事")
    drained = asyncio.ensure_future(bot.sender.drain())
    await eventually(lambda: OutboxState.SENDING in bot.states())
    await bot.push(phone, OutboxKind.ALARM, "急事")
    began = asyncio.get_running_loop().time()
    await bot.sender.drain_alarms()
    assert asyncio.get_running_loop().time() - began < 4
    assert "急事" in bot.texts(phone)[-1]
    assert not drained.done()
    await drained


@pytest.mark.postgres
async def test_two_senders_send_nothing_twice_and_keep_the_order(postgres: Databases) -> None:
    url = prepared(postgres)
    async with rig(url) as bot, rig(url) as other:
        phones = [bot.phone(f"p{n}") for n in range(20)]
        for phone in phones:
            await phone.say("帮助")
        for number in range(5):
            for phone in phones:
                await bot.push(phone, OutboxKind.ALARM if number == 4 else OutboxKind.PROMPT, f"第{number}条")
        other.sender._wechat = bot.wechat  # one platform, two senders
        senders = (bot.sender, other.sender)
        done = await asyncio.gather(*(one.drain() for one in senders), *(one.drain_alarms() for one in senders))
        assert sum(done) == 100
        for phone in phones:
            said = [text.splitlines()[0] for text in bot.texts(phone)[1:]]
            assert [one for one in said if one != "第4条"] == [f"第{number}条" for number in range(4)]
            assert sorted(said) == [f"第{number}条" for number in range(5)]
        assert set(bot.calls()) == {0}


# Waiting for the person.


async def test_a_prompt_waits_until_a_running_dialogue_has_ended(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say(DANGER)
    await bot.push(phone, OutboxKind.PROMPT, "有件事")
    await bot.push(phone, OutboxKind.ALARM, "急事")
    await bot.worker.alarms.once()
    await bot.worker.send.once()
    assert "急事" in bot.texts(phone)[-1]
    assert not any("有件事" in text for text in bot.texts(phone))
    await phone.say("取消")
    await bot.pass_(minutes=1, seconds=1)
    await bot.worker.send.once()
    assert "有件事" in bot.texts(phone)[-1]


async def test_a_prompt_waits_half_an_hour_at_most_though_the_dialogue_goes_on(bot: Rig) -> None:
    phone = bot.phone("duty")
    await phone.say("隔壁那家娃儿好像没人管")
    number = await bot.push(phone, OutboxKind.PROMPT, "有件事")
    answers = iter(("在村口", "没打", "13800138000", "还有一件", "他爸", "在家"))
    for minutes in range(1, 31):
        await bot.sender.drain()
        assert bot.state(number) == OutboxState.QUEUED, minutes
        await bot.pass_(minutes=1)
        if minutes % 5 == 0 and minutes < 30:
            await phone.say(next(answers))
    await bot.pass_(seconds=1)
    await bot.sender.drain()
    assert bot.state(number) == OutboxState.ACCEPTED
    assert bot.row(number).attempts == 1, "waiting is no try"


async def test_a_task_that_was_answered_is_not_asked_for(bot: Rig) -> None:
    phone = bot.phone("duty")
    task, person = await open_task(bot, "duty")
    other, _ = await open_task(bot, "duty")
    await prompt(bot, task, person)
    await prompt(bot, other, person)
    assert len(bot.states()) == 1, "both are one push"
    await bot.turn(lambda turn: tasks.end(turn.connection, task, turn.now))
    await bot.pass_(seconds=6)
    await bot.sender.drain()
    [card] = phone.screen
    assert card.fields[1]["value"] == "1"
    assert [one[:2] for one in bot.rows(Outbox)[-1].content["tasks"]] == [[other, "benefit"]], "kept as it was said"
    await prompt(bot, other, person)
    await bot.turn(lambda turn: tasks.end(turn.connection, other, turn.now))
    await bot.pass_(seconds=6)
    assert await bot.sender.drain() == 0
    assert bot.states() == [OutboxState.ACCEPTED, OutboxState.CANCELLED]


async def test_a_task_that_comes_while_its_prompt_is_sent_gets_a_prompt_of_its_own(bot: Rig) -> None:
    phone = bot.phone("duty")
    task, person = await open_task(bot, "duty")
    other, _ = await open_task(bot, "duty")
    await prompt(bot, task, person)
    await bot.pass_(seconds=6)
    bot.fault("message/template/send", kind="slow", seconds=0.3)
    drained = asyncio.ensure_future(bot.sender.drain())
    await eventually(lambda: bot.states() == [OutboxState.SENDING])
    await prompt(bot, other, person)
    await drained
    await bot.pass_(seconds=6)
    await bot.sender.drain()
    assert [item.fields[1]["value"] for item in phone.screen] == ["1", "1"]


async def test_what_may_have_been_said_takes_in_nothing_more(bot: Rig) -> None:
    phone = bot.phone("duty")
    task, person = await open_task(bot, "duty")
    other, _ = await open_task(bot, "duty")
    await prompt(bot, task, person)
    await bot.pass_(seconds=6)
    bot.fault("message/template/send", kind="drop_after")
    await bot.sender.drain()
    await prompt(bot, other, person)  # the platform shows the first one's id once, whatever it says then
    await bot.pass_(seconds=30)
    await bot.sender.drain()
    assert [item.fields[1]["value"] for item in phone.screen] == ["1", "1"]
    assert bot.states() == [OutboxState.ACCEPTED] * 2


# What the platform tells afterwards.


async def test_a_delivered_card_is_known_to_be(databases: Databases) -> None:
    async with rig(prepared(databases)) as bot:
        phone = bot.phone("duty")
        number = await bot.push(phone, OutboxKind.PROMPT, "有事")
        await bot.sender.drain()
        assert bot.row(number).state == OutboxState.ACCEPTED
        await bot.told_of_deliveries()
        assert bot.row(number).state == OutboxState.DELIVERED


async def test_whoever_blocks_our_cards_is_unreachable_and_the_alarm_climbs(databases: Databases) -> None:
    async with rig(prepared(databases)) as bot:
        duty, second = bot.phone("duty"), bot.phone("second")
        duty.user.blocks_templates = True
        await alarm(bot)
        await bot.worker.run_all()
        assert second.screen == []
        await bot.told_of_deliveries()
        assert OutboxState.REFUSED in bot.states()
        assert contact_of(bot, duty).unreachable_since is not None
        await bot.worker.run_all()
        assert [item.source for item in second.screen] == ["template"]


async def test_a_bare_digit_after_a_push_is_asked_about_first(bot: Rig) -> None:
    phone = bot.phone("duty")
    await open_task(bot, "duty")
    await phone.say("我的任务")
    await bot.pass_(seconds=1)
    await bot.push(phone, OutboxKind.NOTICE, "别的事")
    await bot.sender.drain()
    await bot.pass_(seconds=1)
    before = talk_of(bot, phone)
    assert before.pushed_at > before.asked_at
    [again] = [item.text for item in await phone.say("1") if item.side == "account"]
    assert "1" in again
