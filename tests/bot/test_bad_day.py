"""A bad day: 1,000 pushes of 50 people with every fault of the wire, and a database that refuses for a moment.

Whatever was said to somebody is on their screen once, whatever they wrote is kept once, and nobody reads the platform's
fault notice because of the bot.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select, text

from bot import metrics
from bot.engine import Lane
from bot.simulator.faults import Duplicate, Faults
from bot.simulator.handles import PhoneHandle
from bot.turns import person_key
from messages import render
from storage.contacts import Contact
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.reports import Entry, Report
from tests.bot.conftest import Log
from tests.bot.platform import door
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.waiting import eventually

PEOPLE, EACH, AT_ONCE = 50, 20, 25
SHARE = PEOPLE * EACH * 5 // 100
PATIENCE, TURN_PATIENCE, LAST_MOMENT = 2.0, 1.2, 1.7
"""Seconds: the platform's, and the door's two, which are below it as 3.5 and 4.5 are below 5."""
HELD = 2.6
"""Seconds that the database is held: the first delivery of whoever writes meanwhile is too late."""
HOLDS = (150, 450, 750)
"""Pushes before which it is held."""
ONE_BY_ONE = ("wrong_signature", "broken_padding", "drop_before", "drop_after", "doubled", "doubled_at_once")
BROKEN = frozenset({"wrong_signature", "broken_padding"})
_fault: ContextVar[str] = ContextVar("fault", default="")
ASIDE = {
    "帮助": "people/help", "会不会知道是我": "reports/who_sees_me", "要不要校长同意": "reports/need_permission",
    "报错了怎么办": "reports/wrong_report",
}  # fmt: skip
"""Words answered at any moment, by one text that nothing else says."""


@dataclass
class Weather(Faults):
    """Faults for one push each: the one that was drawn for it, in the first of its deliveries."""

    injected: Counter[str] = field(default_factory=Counter)

    def take(self, name: str) -> bool:
        drawn = _fault.get() == name
        if drawn:
            _fault.set("")
            self.injected[name] += 1
        return drawn or super().take(name)

    def take_duplicate(self) -> Duplicate:
        drawn = _fault.get()
        if drawn not in {"doubled", "doubled_at_once"}:
            return super().take_duplicate()
        _fault.set("")
        self.injected[drawn] += 1
        return Duplicate(times=2, concurrent=drawn == "doubled_at_once")


@dataclass
class Day:
    """What was sent, and by whom."""

    rig: Rig
    weather: Weather
    faults: list[str]
    """By push: which fault is drawn for it."""
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    sent: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    """Openid → pushes that no delivery of could be read."""
    taken: dict[str, Counter[str]] = field(default_factory=dict)
    """Openid → words that reached the bot."""
    holds: list[asyncio.Future[None]] = field(default_factory=list)

    async def write(self, phone: PhoneHandle, words: str) -> None:
        """One message, with the fault drawn for it."""
        async with self.room:
            number, self.sent = self.sent, self.sent + 1
            if number in HOLDS:
                self.hold()
            fault = self.faults[number]
            if fault in BROKEN:
                self.broken[phone.openid] += 1
            else:
                self.taken.setdefault(phone.openid, Counter())[words] += 1
            _fault.set(fault)  # each phone is a task of its own
            await phone.say(words)
            _fault.set("")

    def hold(self) -> None:
        """Every thread that runs turns is busy with something else for longer than the platform waits."""

        def busy(_connection: object) -> None:
            threading.Event().wait(HELD)

        for key in range(4):
            self.holds.append(asyncio.ensure_future(self.rig.database.run(busy, Lane.CHAT, key)))
            if self.rig.database_url.startswith("sqlite"):
                return

    async def live(self, number: int) -> PhoneHandle:
        """What one person writes: an account of something, and questions in between."""
        phone, draw = self.rig.phone(f"p{number}"), random.Random(number)
        await self.write(phone, f"我们班上有个男生背上都是皮带印，他说是他爸打的，他叫小{number}号")
        for line in range(1, EACH):
            words = draw.choice([*ASIDE, f"我还想起来一件事，是第{number}家的第{line}句"])
            await self.write(phone, words)
        return phone


@pytest.fixture
async def here(databases: Databases) -> AsyncIterator[Rig]:
    async with rig(prepared(databases)) as found:
        for name in ("county", "duty", "second"):
            found.phone(name)
        yield found


def less_patient(here: Rig) -> None:
    """Both sides wait as much less as makes this test short."""
    here.platform.world.settings = replace(here.platform.world.settings, patience=PATIENCE)
    here.webhook._turn_patience, here.webhook._last_moment = TURN_PATIENCE, LAST_MOMENT


def said(here: Rig, phone: PhoneHandle) -> Counter[str]:
    """What the account's messages of a person say that are no pushes of another matter."""
    with here.engine.connect() as connection:
        contact = next(row for row in connection.execute(select(Contact.__table__)) if row.openid == phone.openid)
        rows = connection.execute(
            select(Outbox.content).where(Outbox.contact_id == contact.id, Outbox.kind == OutboxKind.REPLY)
        )
        return Counter(row.content["text"] for row in rows)


def late(here: Rig) -> int:
    """Deliveries that were answered too late: not at all, or by a `success` before the turn was done."""
    pushes = [entry for entry in here.platform.world.log.after(0) if entry["kind"] == "push"]
    unanswered = [one for one in pushes if not one["status"] and "on purpose" not in str(one["problem"])]
    return len(unanswered) + int(metrics.late._value.get())


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_on_a_bad_day_everybody_reads_each_reply_once_and_nothing_is_lost_or_doubled(here: Rig) -> None:
    faults = [fault for fault in ONE_BY_ONE for _ in range(SHARE)]
    faults += [""] * (PEOPLE * EACH - len(faults))
    random.Random(20261125).shuffle(faults)
    less_patient(here)
    here.platform.world.faults = weather = Weather()
    day, late_before = Day(here, weather, faults), late(here)
    here.worker.start()
    phones = await asyncio.gather(*(asyncio.create_task(day.live(number)) for number in range(PEOPLE)))
    await asyncio.gather(*day.holds)
    await eventually(lambda: late(here) - late_before > 0)

    # Every fault happened as often as it was meant to, and the database was too slow for as many more.
    assert day.sent == PEOPLE * EACH == 1000
    assert weather.injected == Counter(dict.fromkeys(ONE_BY_ONE, SHARE))
    assert late(here) - late_before >= SHARE

    # What is still to be said goes out: the bot's own seconds, then those that a reply waits for its mark.
    await here.platform.quiet()
    await eventually(lambda: not unsaid(here, OutboxState.QUEUED, OutboxState.SENDING), 30)
    await here.pass_(seconds=25)
    await eventually(lambda: not unsaid(here, OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.SENDING), 30)
    await here.worker.stop()

    assert {row.state for row in here.rows(Inbox)} == {InboxState.DONE}
    kept = Counter((row.message["openid"], row.message["text"]) for row in here.rows(Inbox) if row.message.get("text"))
    assert kept == Counter({(who, words): n for who, all_ in day.taken.items() for words, n in all_.items()})
    ids = [(row.message["openid"], row.message["msg_id"]) for row in here.rows(Inbox) if row.message.get("msg_id")]
    assert len(set(ids)) == len(ids) == PEOPLE * EACH - 2 * SHARE
    told = Counter(row.text for row in here.rows(Entry))
    assert told == Counter({words: n for all_ in day.taken.values() for words, n in all_.items() if words not in ASIDE})
    assert len(here.rows(Report)) == PEOPLE

    for phone in phones:
        read = Counter(here.texts(phone))
        assert (read - said(here, phone), said(here, phone) - read) == (Counter(), Counter()), phone.openid
        for words, name in ASIDE.items():
            reply = _text(name, here)
            assert read[reply] == day.taken[phone.openid][words], (phone.openid, words)
        notices = sum(item.kind == "fault" for item in phone.screen)
        assert notices == day.broken[phone.openid], phone.openid


def _text(name: str, here: Rig) -> str:
    numbers = here.policy.numbers
    values = {"role": "citizen", "police": numbers.police} if name == "people/help" else {"numbers": numbers}
    return render(name, **values)


def unsaid(here: Rig, *states: OutboxState) -> list[object]:
    """Replies in one of these states."""
    return [row.id for row in here.rows() if row.kind == OutboxKind.REPLY and row.state in states]


async def test_a_repeat_gets_its_answer_even_when_its_turn_is_late(database_url: str) -> None:
    async with door(database_url, patience=(0.2, 10.0)) as platform:
        first = await platform.push("o-teacher", "帮助", 1)

        def busy(_connection: object) -> None:
            threading.Event().wait(1.0)

        held = asyncio.ensure_future(platform.database.run(busy, key=person_key("o-teacher")))
        assert await platform.push("o-teacher", "帮助", 1) == first
        await held
        assert "110" in first[1]
        assert len(platform.rows(Outbox)) == 1


# A database that refuses for a moment.


def refuse(here: Rig) -> None:
    """From now on the database does not let a reply be noted as handed over."""
    if here.database_url.startswith("sqlite"):
        statement = (
            "CREATE TRIGGER refusal BEFORE UPDATE ON outbox WHEN new.state = 'handed' "
            "BEGIN SELECT raise(ABORT, 'not now'); END"
        )
    else:
        statement = "ALTER TABLE outbox ADD CONSTRAINT refusal CHECK (state <> 'handed') NOT VALID"
    with here.engine.begin() as connection:
        connection.execute(text(statement))


def relent(here: Rig) -> None:
    """It does so again."""
    sqlite = here.database_url.startswith("sqlite")
    with here.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refusal" if sqlite else "ALTER TABLE outbox DROP CONSTRAINT refusal"))


async def test_a_reply_that_could_not_be_noted_as_given_is_noted_later_and_not_said_again(here: Rig, log: Log) -> None:
    written = log("info", "json")
    phone, other = here.phone("teacher"), here.phone("other")
    refuse(here)
    await phone.say("帮助")
    await other.say("帮助")
    await eventually(lambda: "handed_not_marked" in written.getvalue())
    assert {row.state for row in here.rows()} == {OutboxState.PASSIVE}
    relent(here)
    await here.pass_(seconds=30)
    await here.worker.run_all()
    assert [len(here.texts(one)) for one in (phone, other)] == [1, 1]
    assert {row.state for row in here.rows()} == {OutboxState.HANDED}


async def test_what_is_not_noted_when_the_bot_stops_is_tried_a_last_time_and_holds_nothing_up(
    here: Rig, log: Log
) -> None:
    written = log("info", "json")
    phone = here.phone("teacher")
    refuse(here)
    await phone.say("帮助")
    await eventually(lambda: "handed_not_marked" in written.getvalue())
    relent(here)
    await here.webhook.close()
    assert [row.state for row in here.rows()] == [OutboxState.HANDED]
    refuse(here)
    await phone.say("帮助")
    await here.webhook.close()
    assert [row.state for row in here.rows()] == [OutboxState.HANDED, OutboxState.PASSIVE]
