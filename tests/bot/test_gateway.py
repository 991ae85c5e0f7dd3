"""SMS and calls: the phones of the stand-in ring, people press 1 or send it back, and the database knows who has it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.gateway import SIGNATURE, TIME, sign
from bot.simulator.handles import PhoneHandle
from handlers import alarms, check, prompts
from handlers.policy import Policy
from handlers.turn import Card, Turn
from storage.areas import Area, AreaLevel
from storage.contacts import Contact
from storage.outbox import OutboxKind, OutboxState
from storage.people import Duty, Person, Role
from storage.tasks import Task, TaskState
from tests.bot.rig import GATEWAY_SECRET, Rig, rig
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.support.waiting import eventually
from tests.world import World

DANGER = "我班上一个娃身上全是青的紫的 问他不说话 他爸今天又打他"
NUMBERS = {"duty": "13800000001", "second": "13800000002", "county": "13800000003", "unbound": "13800000004"}


def county(url: str) -> None:
    """A township with a duty person and a stand-in, a county supervisor, and an officer whom WeChat does not know."""
    make_tables(url)
    world = World.on(url)
    top = world.area("安平县", AreaLevel.COUNTY)
    township = world.area("青山镇", AreaLevel.TOWNSHIP, top)
    boss = world.person("county", Role.COUNTY_SUPERVISOR, top, phone=NUMBERS["county"])
    duty = world.person("duty", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone=NUMBERS["duty"])
    second = world.person("second", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone=NUMBERS["second"])
    world.person("unbound", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone=NUMBERS["unbound"], bound=False)
    world.duty(township, duty, second)
    world.duty(top, boss, duty)
    world.close()


@dataclass
class Town:
    """The bot and the phones of the county's staff, by name."""

    bot: Rig
    duty: PhoneHandle
    second: PhoneHandle
    county: PhoneHandle
    unbound: PhoneHandle

    async def alarm(self, urgency: int = alarms.RED, subject: int = 1) -> None:
        """Something happens in the township."""

        def act(turn: Turn) -> None:
            township = turn.session.scalars(select(Area).where(Area.level == AreaLevel.TOWNSHIP)).one()
            turn.open_task(
                "unread_message", "inbox", subject, township.id, due_at=turn.now, next_at=turn.now, role="duty",
                urgency=urgency,
            )  # fmt: skip

        await self.bot.turn(act)
        await self.bot.worker.run_all()

    def alarm_task(self) -> Any:  # noqa: ANN401 - a row
        """The alarm's row."""
        return next(row for row in self.bot.rows(Task) if row.kind in alarms.CLIMBING)

    def name(self, person_id: int | None) -> str | None:
        """Who that is."""
        return next((row.name for row in self.bot.rows(Person) if row.id == person_id), None)

    async def tell(self, body: object, *, moment: float | None = None, secret: str = GATEWAY_SECRET) -> tuple[int, Any]:
        """What a gateway that is not the stand-in tells the bot."""
        sent, at = json.dumps(body).encode(), str(int(moment or time.time()))
        headers = {TIME: at, SIGNATURE: sign(secret, at, sent)}
        async with self.bot.http.post(f"{self.bot.url}/gateway", data=sent, headers=headers) as answer:
            return answer.status, await answer.json()


async def _town(bot: Rig) -> Town:
    phones = {
        name: bot.platform.add_phone(name, f"o-{name}", following=name != "unbound", number=number)
        for name, number in NUMBERS.items()
    }
    return Town(bot, **phones)


@pytest.fixture
async def town(databases: Databases) -> AsyncIterator[Town]:
    """A county with a gateway."""
    async with rig(databases.copy(county), telephone=True) as bot:
        yield await _town(bot)


def said(phone: PhoneHandle, source: str) -> list[str]:
    """What came to a phone by one way: `template`, `sms`, `call`."""
    return [
        item.text or " ".join(str(field["value"]) for field in item.fields)
        for item in phone.screen
        if item.side == "account" and item.source == source
    ]


async def test_a_red_alarm_goes_by_wechat_sms_and_call_at_once(town: Town) -> None:
    await town.alarm()
    for phone in (town.duty, town.county):
        assert len(said(phone, "template")) == 1
        [sms] = said(phone, "sms")
        assert "回复1" in sms
        assert "红色警报" in sms
        assert "青山镇" not in sms, "anybody may read an SMS"
        assert phone.ringing
    assert said(town.second, "sms") == [], "it is not their turn yet"
    sent = [row.created_at for row in town.bot.rows() if row.kind == OutboxKind.ALARM]
    assert len(sent) == 6
    assert max(sent) - min(sent) < timedelta(seconds=1)


async def test_pressing_one_takes_the_alarm_and_the_others_are_told_who(town: Town) -> None:
    await town.alarm()
    await town.duty.pick_up()
    said_back = await town.duty.press_key("1")
    assert any("您接了" in item.text for item in said_back)
    task = town.alarm_task()
    assert (task.state, town.name(task.person_id)) == (TaskState.CLAIMED, "duty"), "its words are still to be read"
    await town.bot.worker.run_all()
    assert len(said(town.county, "template")) == 2, "the county is told that somebody has it"
    await town.duty.say("我的任务")
    [read] = [item.text for item in await town.duty.say("1") if item.side == "account"]
    assert "这件由您办" in read
    assert town.alarm_task().state == TaskState.DONE


async def test_answering_the_sms_takes_it_too_and_twice_changes_nothing(town: Town) -> None:
    await town.alarm()
    first = await town.county.answer_sms("1")
    assert any("您接了" in item.text for item in first)
    again = await town.county.answer_sms("１")
    assert any("是您接的" in item.text for item in again)
    late = await town.duty.answer_sms("1")
    assert any("county接下" in item.text for item in late)
    task = town.alarm_task()
    assert town.name(task.person_id) == "county"
    claims = [row.person_id for row in town.bot.rows(Task) if row.kind in alarms.CLIMBING]
    assert len(claims) == 1


async def test_two_who_press_at_once_have_one_holder(town: Town) -> None:
    await town.alarm()
    await town.duty.pick_up()
    await town.county.pick_up()
    told = await asyncio.gather(town.duty.press_key("1"), town.county.press_key("1"))
    words = [" ".join(item.text for item in items if item.side == "account") for items in told]
    assert sum("您接了" in one for one in words) == 1, words
    assert sum("不用再管" in one for one in words) == 1, words


async def test_a_report_in_danger_rings_and_one_press_opens_the_case(town: Town) -> None:
    teacher = town.bot.phone("teacher")
    [reply] = [item.text for item in await teacher.say(DANGER) if item.side == "account"]
    assert reply.index("110") < 60
    await teacher.say("1")
    await town.bot.worker.run_all()
    ringing = next(phone for phone in (town.duty, town.county) if phone.ringing)
    await ringing.pick_up()
    items = await ringing.press_key("1")
    assert any("您接了" in item.text for item in items)
    await town.bot.worker.run_all()
    assert len(said(ringing, "template")) >= 2, "what to do next is read in WeChat"
    assert town.alarm_task().state == TaskState.DONE


async def test_words_that_are_no_claim_are_answered_and_take_nothing(town: Town) -> None:
    await town.alarm()
    items = await town.duty.answer_sms("我在开会")
    assert any("只认1" in item.text for item in items)
    assert town.alarm_task().state == TaskState.OPEN


async def test_an_ordinary_alarm_does_not_ring(town: Town) -> None:
    await town.alarm(alarms.URGENT)
    assert len(said(town.duty, "template")) == 1
    assert said(town.duty, "sms") == []
    assert not town.duty.ringing


async def test_whom_wechat_does_not_reach_reads_it_by_sms(town: Town) -> None:
    town.duty.user.following = False
    await town.alarm(alarms.URGENT)
    assert len(said(town.duty, "sms")) == 1
    assert [row.kind for row in town.bot.rows(Task) if row.kind == "unreachable"] == []
    row = next(row for row in town.bot.rows() if row.kind == OutboxKind.ALARM)
    assert (row.state, row.channel) == (OutboxState.ACCEPTED, "sms") or row.state == OutboxState.DELIVERED


async def test_somebody_without_wechat_gets_prompts_by_sms_and_check_finds_them_reachable(town: Town) -> None:
    def act(turn: Turn) -> None:
        person = turn.session.scalars(select(Person)).all()
        mine = next(one for one in person if one.name == "unbound")
        number = turn.open_task(
            "benefit", "report", 1, mine.area_id or 0, due_at=turn.now, next_at=None, person_id=mine.id
        )
        assert prompts.prompt(turn, turn.session.get_one(Task, number), mine.id)

    await town.bot.turn(act)
    await town.bot.pass_(seconds=6)
    await town.bot.worker.send.once()
    [sms] = said(town.unbound, "sms")
    assert "1 件事" in sms
    assert [one for one in await town.bot.turn(check.findings) if one.kind == "unreachable_holder"] == []


async def test_a_number_that_nobody_has_is_on_the_countys_list(town: Town) -> None:
    town.duty.user.following = False
    town.duty.user.number = ""
    await town.alarm(alarms.URGENT)
    for _ in range(2):  # the SMS fails, then the call
        await town.bot.platform.quiet()
        await town.bot.worker.run_all()
    assert [row.kind for row in town.bot.rows(Task) if row.kind == "unreachable"] == ["unreachable"]
    assert len(said(town.county, "template")) == 1


async def test_a_refused_number_goes_on_to_the_call(town: Town) -> None:
    town.duty.user.following = False
    town.bot.platform.world.faults.change(
        {"api": [{"path": "gateway/sms", "kind": "http", "status": 400, "times": -1}]},
        town.bot.platform.world.clock.now(),
    )
    await town.alarm(alarms.URGENT)
    assert said(town.duty, "sms") == []
    assert town.duty.ringing


async def test_an_answer_that_is_lost_is_asked_for_again_and_comes_once(town: Town) -> None:
    town.bot.platform.world.faults.change(
        {"api": [{"path": "gateway/sms", "kind": "drop_after", "times": 1}]}, town.bot.platform.world.clock.now()
    )
    town.duty.user.following = False
    await town.alarm(alarms.URGENT)
    await town.bot.pass_(seconds=21)
    await town.bot.worker.run_all()
    assert len(said(town.duty, "sms")) == 1, "the same id is sent once"


@pytest.mark.parametrize(
    ("more", "status"),
    [({"secret": "another"}, 401), ({"moment": time.time() - 4000}, 401), ({}, 200)],
    ids=["another secret", "an old signature", "ours"],
)
async def test_only_what_the_gateway_signed_counts(town: Town, more: dict[str, Any], status: int) -> None:
    await town.alarm()
    told, _ = await town.tell({"from": NUMBERS["duty"], "event": "replied", "text": "1"}, **more)
    assert told == status
    assert (town.alarm_task().person_id is not None) == (status == 200)


@pytest.mark.parametrize("body", [[], {"event": 3}, "x", {"id": "tongban-1-sms"}, {"event": "x" * 50}])
async def test_what_is_no_event_is_refused_in_one_sentence(town: Town, body: object) -> None:
    status, answer = await town.tell(body)
    assert (status, answer) == (400, {"error": "not an event of docs/gateway.md"})


@pytest.mark.parametrize(
    "body",
    [
        {"event": "replied", "from": "13899999999", "text": "1"},
        {"event": "pressed", "id": "tongban-999-call", "key": "1"},
        {"event": "delivered", "id": "tongban-999-sms"}, {"event": "failed", "id": "something"}, {"event": "unheard"},
    ],
)  # fmt: skip
async def test_what_concerns_nobody_changes_nothing(town: Town, body: object) -> None:
    await town.alarm()
    before = [(row.kind, row.state, row.person_id) for row in town.bot.rows(Task)]
    status, _ = await town.tell(body)
    assert status == 200
    assert [(row.kind, row.state, row.person_id) for row in town.bot.rows(Task)] == before


async def test_nobody_takes_what_they_were_not_told_about(town: Town) -> None:
    await town.alarm()
    status, answer = await town.tell({"from": NUMBERS["unbound"], "event": "replied", "text": "1"})
    assert status == 200
    assert "没有要您接的" in answer["say"]
    assert town.alarm_task().state == TaskState.OPEN


async def test_a_county_that_wants_no_telephone_for_red_alarms_has_none(databases: Databases) -> None:
    policy = Policy(version=1, red_by_telephone=False)
    async with rig(databases.copy(county), telephone=True, policy=policy) as bot:
        town = await _town(bot)
        await town.alarm()
        assert said(town.duty, "sms") == []
        assert not town.duty.ringing


async def test_the_contact_of_a_telephone_is_no_wechat_identity(town: Town) -> None:
    unbound = _id(town, "unbound")
    await town.bot.turn(lambda turn: turn.reach(unbound))
    [row] = [row for row in town.bot.rows(Contact) if row.openid is None]
    assert (row.openid_index, town.name(row.person_id)) == (None, "unbound")
    again = await town.bot.turn(lambda turn: turn.reach(unbound))
    assert again == row.id, "there is one for each person"


def _id(town: Town, name: str) -> int:
    return int(next(row.id for row in town.bot.rows(Person) if row.name == name))


async def test_the_last_rung_rings_again(town: Town) -> None:
    await town.alarm()
    before = len(said(town.duty, "sms"))
    for _ in range(4):
        await town.bot.pass_(minutes=31)
        await town.bot.worker.run_all()
    assert len(said(town.duty, "sms")) > before


# What a review found.


def listed(town: Town) -> list[str | None]:
    """Who is on the county's list of people that nobody reaches."""
    return [town.name(row.subject_id) for row in town.bot.rows(Task) if row.kind == "unreachable"]


async def hour(town: Town, minutes: int = 60, step: float = 5) -> None:
    """Time goes by, and what falls due is done."""
    for _ in range(round(minutes / step)):
        await town.bot.pass_(minutes=step)
        await town.bot.worker.run_all()


def gateway_says(town: Town, kind: str, *, way: str = "*", times: int = -1, **more: object) -> None:
    """The gateway misbehaves from now on."""
    fault = {"path": f"gateway/{way}", "kind": kind, "times": times, **more}
    town.bot.platform.world.faults.change({"api": [fault]}, town.bot.platform.world.clock.now())


async def test_a_dead_number_of_somebody_without_wechat_lets_the_alarm_climb(databases: Databases) -> None:
    def with_unbound_duty(url: str) -> None:
        county(url)
        world = World.on(url)

        def put(turn: Turn) -> None:
            township = turn.session.scalars(select(Area).where(Area.level == AreaLevel.TOWNSHIP)).one()
            people = {one.name: one for one in turn.session.scalars(select(Person))}
            turn.session.add(Duty(area_id=township.id, person_id=people["unbound"].id, since=turn.now))

        world.turn(put)
        world.close()

    async with rig(databases.copy(with_unbound_duty), telephone=True) as bot:
        town = await _town(bot)
        town.unbound.user.number = ""
        await town.alarm()
        await bot.platform.quiet()
        await bot.worker.run_all()
        assert listed(town) == ["unbound"]
        assert len(said(town.second, "template")) == 1, "the next rung hears it at once"


async def test_an_sms_answer_that_is_told_again_takes_no_second_alarm(town: Town) -> None:
    await town.alarm(subject=1)
    await town.alarm(subject=2)
    told = {"from": NUMBERS["duty"], "event": "replied", "text": "1"}
    assert "您接了" in (await town.tell(told))[1]["say"]
    assert "是您接的" in (await town.tell(told))[1]["say"]
    states = sorted(row.state for row in town.bot.rows(Task) if row.kind in alarms.CLIMBING)
    assert states == ["claimed", "open"]


async def test_a_gateway_that_was_down_takes_no_number_away(town: Town) -> None:
    town.duty.user.following = False
    gateway_says(town, "http", status=502)
    await town.alarm(alarms.URGENT)
    await hour(town, 240)
    town.bot.platform.world.faults.api = []
    duty = _id(town, "duty")
    assert await town.bot.turn(lambda turn: turn.reach(duty, "alarm")) is not None


@pytest.mark.parametrize("kind", [OutboxKind.ALARM, OutboxKind.PROMPT])
async def test_whom_neither_wechat_nor_the_gateway_reaches_is_listed_within_a_quarter_of_an_hour(
    town: Town, kind: OutboxKind
) -> None:
    town.bot.platform.world.faults.change(
        {
            "api": [
                {"path": "gateway/*", "kind": "http", "status": 503, "times": -1},
                {"path": "/cgi-bin/message/template/send", "kind": "errcode", "errcode": -1, "times": -1},
            ]
        },
        town.bot.platform.world.clock.now(),
    )
    number = await town.bot.push(town.duty, kind, "急事", Card("alarm", {"what": "急事"}))
    await hour(town, 15, 0.5)
    assert "duty" in listed(town)
    town.bot.platform.world.faults.api = []
    await hour(town, 60)
    assert town.bot.state(number) == OutboxState.ACCEPTED, "nothing was given up"


async def test_wechat_is_tried_again_when_the_telephone_fails_too(town: Town) -> None:
    town.bot.platform.world.faults.change(
        {
            "api": [
                {"path": "gateway/*", "kind": "http", "status": 503, "times": -1},
                {"path": "/cgi-bin/message/template/send", "kind": "errcode", "errcode": -1, "times": 3},
            ]
        },
        town.bot.platform.world.clock.now(),
    )
    await town.alarm(alarms.URGENT)
    await hour(town, 30, 1)
    assert len(said(town.duty, "template")) >= 1


async def test_after_an_outage_nobody_is_rung_about_what_somebody_has(town: Town) -> None:
    gateway_says(town, "http", status=503)
    await town.alarm()
    await hour(town, 30)
    await town.duty.say("我接了")
    town.bot.platform.world.faults.api = []
    await hour(town, 60)
    assert said(town.duty, "sms") == []
    assert not town.county.ringing
    assert [row.state for row in town.bot.rows() if row.content.get("besides")].count(OutboxState.CANCELLED) >= 4


async def test_an_sms_that_arrived_says_nothing_about_wechat(town: Town) -> None:
    town.duty.user.following = False
    await town.alarm(alarms.URGENT)
    await town.bot.platform.quiet()
    assert OutboxState.DELIVERED in [row.state for row in town.bot.rows()]
    [contact] = [row for row in town.bot.rows(Contact) if row.openid == "o-duty"]
    assert contact.unreachable_since is not None


async def test_who_was_rung_is_not_listed_because_wechat_failed(town: Town) -> None:
    town.duty.user.following = False
    await town.alarm()
    assert len(said(town.duty, "sms")) == 1
    assert listed(town) == []


async def test_a_key_counts_though_the_gateways_answer_was_lost(town: Town) -> None:
    gateway_says(town, "drop_after", way="call")
    await town.alarm()
    assert town.duty.ringing
    await town.duty.pick_up()
    items = await town.duty.press_key("1")
    assert any("您接了" in item.text for item in items)
    town.bot.platform.world.faults.api = []
    await hour(town, 10)
    assert not town.duty.ringing, "it does not ring again"


async def test_one_is_no_answer_to_what_is_no_alarm(town: Town) -> None:
    duty = _id(town, "duty")

    def lose(turn: Turn) -> None:
        alarms.list_unreachable(turn, turn.session.get_one(Person, duty))

    await town.bot.turn(lose)
    await town.bot.worker.run_all()
    _, answer = await town.tell({"from": NUMBERS["county"], "event": "replied", "text": "1"})
    assert "没有要您接的" in answer["say"]
    assert [row.state for row in town.bot.rows(Task) if row.kind == "unreachable"] == ["open"]


async def test_the_telephone_does_not_wait_for_wechat(town: Town) -> None:
    town.bot.fault("message/template/send", kind="slow", seconds=5, times=-1)
    sending = asyncio.ensure_future(town.alarm())
    await eventually(lambda: bool(said(town.duty, "sms")) and town.duty.ringing, 4)
    assert said(town.duty, "template") == []
    await sending
    assert len(said(town.duty, "template")) == 1
