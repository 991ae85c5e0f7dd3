"""Subscription notices as a channel: who agreed, what a yes allows, what the platform has to refuse because of us."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.simulator import acts, notices
from bot.simulator.handles import PhoneHandle
from handlers.turn import Card
from storage.optins import OptIn
from storage.outbox import OutboxKind, OutboxState
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases

BIZSEND = "message/subscribe/bizsend"
ALARM = Card("alarm", {"what": "红色报告待处理", "number": "R17", "place": "青山镇"}, "/m/case/17")
LONGEST = 20


@pytest.fixture
async def here(databases: Databases) -> AsyncIterator[Rig]:
    """A county without templates: a notice, or nothing (but for an open window)."""
    async with rig(prepared(databases), fields={}, notices={"task": False, "alarm": True}) as found:
        yield found


async def known(here: Rig, name: str) -> PhoneHandle:
    """A follower who wrote to us long ago."""
    phone = here.phone(name)
    await here.contact(phone)
    return phone


async def agree(here: Rig, phone: PhoneHandle, *template_ids: str, yes: bool = True) -> None:
    await notices.subscribe(
        here.platform.world, phone.user, list(template_ids or ["N-task"]), yes=yes, long=False, scene=1
    )


def said(here: Rig) -> list[tuple[str, bool, bool]]:
    """Notice, agreed, used up."""
    return [(row.template_id, row.agrees, row.used_at is not None) for row in here.rows(OptIn)]


def cards(phone: PhoneHandle) -> list[str]:
    """The titles of all notices on a phone."""
    return [item.title for item in phone.screen if item.source in {"notice", "service-notice"}]


async def test_one_yes_to_a_one_time_notice_is_one_message(here: Rig) -> None:
    phone = await known(here, "duty")
    await agree(here, phone)
    first = await here.push(phone, OutboxKind.PROMPT, "去看看")
    assert await here.sender.drain() == 1
    second = await here.push(phone, OutboxKind.DIGEST, "去看看")
    await here.sender.drain()
    await here.told_of_deliveries()
    assert here.row(first).state == OutboxState.DELIVERED
    assert here.row(first).channel == "subscribe"
    assert here.row(second).state == OutboxState.UNDELIVERABLE
    assert here.calls(BIZSEND) == [0]
    assert cards(phone) == ["task"]
    assert said(here) == [("N-task", True, True)]
    await agree(here, phone)
    await here.push(phone, OutboxKind.PROMPT, "去看看")
    await here.sender.drain()
    assert here.calls(BIZSEND) == [0, 0]


async def test_a_long_term_yes_lasts_until_it_is_taken_back_and_its_fields_fit_and_name_nobody(here: Rig) -> None:
    phone = await known(here, "duty")
    await agree(here, phone, "N-alarm")
    for _ in range(3):
        await here.push(phone, OutboxKind.ALARM, "王小明在家被打，速去", ALARM)
        await here.sender.drain_alarms()
    assert cards(phone) == ["alarm"] * 3
    shown = [str(field["value"]) for item in phone.screen for field in item.fields]
    assert [value for value in shown if len(value) > LONGEST or "小明" in value] == []
    assert next(item.url for item in phone.screen if item.fields) == "http://bot.example/m/case/17"
    await notices.unsubscribe(here.platform.world, phone.user, "N-alarm")
    assert said(here) == [("N-alarm", False, False)]
    await here.push(phone, OutboxKind.ALARM, "速去", ALARM)
    await here.sender.drain_alarms()
    assert here.calls(BIZSEND) == [0, 0, 0]


async def test_it_is_looked_for_after_the_open_window_and_before_a_template(databases: Databases) -> None:
    async with rig(prepared(databases), notices={"task": False}) as here:
        phone = here.phone("duty")
        await phone.say("值班")
        await here.handed()
        await agree(here, phone)
        for _ in range(7):
            await here.push(phone, OutboxKind.PROMPT, "去看看")
            await here.sender.drain()
        ways = [row.channel for row in here.rows() if row.inbox_id is None]
        assert ways == ["custom"] * 5 + ["subscribe", "template"]
        assert here.calls(BIZSEND) == [0]


async def test_events_that_come_three_times_count_once_and_a_used_yes_is_not_told_anew(here: Rig) -> None:
    phone = await known(here, "duty")
    duplicate = {"times": 3, "pushes": 1}
    here.platform.world.faults.change({"duplicate": duplicate}, here.platform.world.clock.now())
    await agree(here, phone)
    for _ in range(2):
        await here.push(phone, OutboxKind.PROMPT, "去看看")
        await here.sender.drain()
    await here.platform.quiet()
    await here.push(phone, OutboxKind.PROMPT, "去看看")
    await here.sender.drain()
    yes = "subscribe_msg_popup_event"
    assert sum(entry["kind"] == "push" and yes in str(entry) for entry in here.platform.world.log.after(0)) == 3
    assert here.calls(BIZSEND) == [0]
    assert said(here) == [("N-task", True, True)]


async def test_two_answers_of_one_second_are_both_kept_and_the_last_one_counts(here: Rig) -> None:
    phone = await known(here, "duty")
    await agree(here, phone, "N-alarm", "N-task")
    await agree(here, phone, "N-alarm", yes=False)
    assert said(here) == [("N-alarm", False, False), ("N-task", True, False)]


async def test_an_answer_that_comes_late_changes_nothing_that_was_said_after_it(here: Rig) -> None:
    phone = await known(here, "duty")
    await agree(here, phone)
    no = {"List": {"TemplateId": "N-task", "SubscribeStatusString": "reject"}}
    fields: dict[str, object] = {
        "CreateTime": int(here.platform.world.clock.now()) - 3600,
        "SubscribeMsgChangeEvent": no,
    }
    await acts.event(here.platform.world, phone.user, "subscribe_msg_change_event", fields)
    assert said(here) == [("N-task", True, False)]


async def test_what_only_the_platform_knows_is_asked_once_of_each_person(here: Rig) -> None:
    """They took their yes back and the event never reached us: the worst case, for ten people and three rounds."""
    phones = [await known(here, f"p{number}") for number in range(10)]
    for phone in phones:
        await agree(here, phone, "N-alarm", "N-task")
        phone.user.long_notices, phone.user.notices = [], {}
    for _ in range(3):
        for phone in phones:
            await here.push(phone, OutboxKind.ALARM, "速去", ALARM)
        await here.sender.drain_alarms()
    assert here.calls(BIZSEND) == [43101] * 10
    assert {row.state for row in here.rows()} >= {OutboxState.UNDELIVERABLE}


@pytest.mark.parametrize("kind", [OutboxKind.ALARM, OutboxKind.PROMPT])
async def test_a_notice_without_an_answer_is_sent_again_and_seen_once(here: Rig, kind: OutboxKind) -> None:
    phone = await known(here, "duty")
    await agree(here, phone)
    here.fault(BIZSEND, "drop_after", times=1)
    number = await here.push(phone, kind, "去看看")
    await here.sender.drain()
    await here.sender.drain_alarms()
    await here.pass_(seconds=25)
    await here.sender.drain()
    await here.sender.drain_alarms()
    assert cards(phone) == ["task"]
    assert here.calls(BIZSEND) == [0, 43101]
    assert here.row(number).state == OutboxState.REFUSED  # there was no other way to try
    assert said(here) == [("N-task", False, True)]


async def test_a_busy_platform_takes_nobody_s_yes(here: Rig) -> None:
    phone = await known(here, "duty")
    await agree(here, phone)
    here.fault(BIZSEND, errcode=-1, times=1)
    number = await here.push(phone, OutboxKind.PROMPT, "去看看")
    await here.sender.drain()
    assert said(here) == [("N-task", True, False)]
    await here.pass_(seconds=30)
    await here.sender.drain()
    assert here.state(number) == OutboxState.ACCEPTED
    assert here.calls(BIZSEND) == [-1, 0]


async def test_a_notice_that_did_not_arrive_goes_as_a_template(databases: Databases) -> None:
    async with rig(prepared(databases), notices={"task": False}) as here:
        phone = await known(here, "duty")
        await agree(here, phone)
        here.platform.world.settings = replace(here.platform.world.settings, finish_delay=1)
        number = await here.push(phone, OutboxKind.PROMPT, "去看看")
        await here.sender.drain()
        failed = {"TemplateId": "N-task", "MsgID": 7, "ErrorCode": 1, "ErrorStatus": "system failed"}
        fields: dict[str, object] = {"SubscribeMsgSentEvent": {"List": failed}}
        await acts.event(here.platform.world, phone.user, "subscribe_msg_sent_event", fields)
        await here.pass_(seconds=6)
        await here.worker.kept.once()
        await here.sender.drain()
        assert (here.row(number).channel, here.state(number)) == ("template", OutboxState.ACCEPTED)


async def test_whoever_leaves_is_forgotten_with_what_they_agreed_to_and_a_stranger_leaves_nothing(
    here: Rig,
) -> None:
    phone = await known(here, "duty")
    await agree(here, phone, "N-alarm", "N-task")
    await phone.unfollow()
    assert said(here) == []
    await notices.unsubscribe(here.platform.world, phone.user, "N-task")
    await agree(here, here.phone("stranger"))
    assert said(here) == []
