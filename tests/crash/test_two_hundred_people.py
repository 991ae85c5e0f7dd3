"""Two hundred people report at once, everything is delivered three times, and the process is killed twenty times.

Who says what, how much of it, and the moments of the kills are told by their seed; TONGBAN_SEED=… plays them again.
The platform goes on delivering until it has an answer, as nobody's real process dies every other second; that it gives
up after three deliveries, and what the person reads then, is tested elsewhere.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from sqlalchemy import select

from bot.simulator.faults import Duplicate
from bot.simulator.handles import PhoneHandle
from storage.contacts import Contact, openid_index
from storage.outbox import Outbox, OutboxState
from storage.reporters import Reporter
from storage.reports import Entry, Report
from storage.tasks import LIVE, Task
from tests.crash.town import MSG_ID, OK, Town, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE, KILLS, DELIVERIES = 200, 20, 3
PATIENCE = 120.0
MOST_MESSAGES = 8
"""Of a person who answers everything, the first sentence among them (capability 1)."""
FIRST_WORDS = (
    "快来人 他爸提起菜刀在堂屋门口 娃儿还在里头",
    "隔壁的娃儿身上全是伤，说是他后爸打的",
    "我们班上有个男生背上都是皮带印\n他说是他爸打的",
    "村头有个娃儿 我看着不对头",
    "  我想说个事，不晓得该不该说 😟 ",
    'she said "他打我" & <b>哭了</b> ]]> 100% \\n {x}',
)
"""Danger, known to the rules, unknown to them; with what is easily spoilt on the way."""
QUESTIONS = {
    "孩子现在正有危险吗": "2",
    "出了什么事？什么时候的事": "上个星期开始的",
    "哪个孩子？几岁": "九岁，三年级",
    "孩子现在在哪里": "在屋里，跟奶奶一起",
    "可能是谁做的": "不晓得",
    "打110报警了吗": "2",
    "回您哪个电话": "1",
}
"""What the bot asks, and how everybody answers; words, where they are asked for, are a sentence of the person's own."""
RECEIPT = "回执号 "
ON_THE_LIST = ("draft_report", "alarm", "read_report")


@dataclass
class Person:
    """Somebody with a phone who reports."""

    phone: PhoneHandle
    first: str
    answers: int
    """How many questions are answered before the phone is put away, if so many are put."""
    said: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Of what was said, the sentences: all of them belong to the account."""
        return [one for one in self.said if not one.isdecimal()]

    def read(self) -> list[str]:
        """What came as the answer to something, without the second copy that a kill may cause later."""
        return [item.text for item in self.phone.screen if item.side == "account" and item.source == "reply"]

    def screen(self) -> list[str]:
        """Everything that the account said."""
        return [item.text for item in self.phone.screen if item.side == "account"]

    async def reports(self, place: Town) -> None:
        """The first sentence, then an answer to whatever is asked, until enough is said or nothing is asked."""
        await self._says(self.first)
        assert is_on_the_list(place, self.phone.openid), "answered, and not on the duty list"
        for _ in range(self.answers):
            question = self._asked()
            if question is None:
                return
            answer = QUESTIONS[question]
            await self._says(answer if answer.isdecimal() else f"{answer}（{self.phone.openid}）")

    async def _says(self, words: str) -> None:
        before = len(self.screen())
        await self.phone.say(words)
        await eventually(lambda: len(self.screen()) > before, PATIENCE)
        self.said.append(words)

    def _asked(self) -> str | None:
        """The question that is open; None after the receipt."""
        last = self.screen()[-1]
        return next((one for one in QUESTIONS if one in last), None)


def is_on_the_list(place: Town, openid: str) -> bool:
    """Whether somebody has to act for what this person reported."""
    mine = (
        select(Task.id)
        .join(Reporter, Reporter.report_id == Task.subject_id)
        .join(Contact, Contact.id == Reporter.contact_id)
        .where(
            Contact.openid_index == openid_index(openid), Task.subject == "report", Task.kind.in_(ON_THE_LIST),
            Task.state.in_(LIVE),
        )
    )  # fmt: skip
    with place.reader.connect() as connection:
        return connection.execute(mine).first() is not None


@dataclass
class Deliveries:
    """What became of every delivery of a message, read from the platform's log before it forgets."""

    place: Town
    last: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)

    def collect(self) -> None:
        """Take over what is new."""
        new = self.place.platform.world.log.after(self.last)
        self.last = max((int(str(entry["n"])) for entry in new), default=self.last)
        self.found += [entry for entry in new if entry["kind"] == "push" and MSG_ID.search(str(entry["xml"]))]


async def until_settled(people: Sequence[Person], number: int) -> None:
    """So many messages are settled."""
    await eventually(lambda: sum(len(one.said) for one in people) >= number, PATIENCE)


async def killed_at(place: Town, people: Sequence[Person], moments: Sequence[int], chance: Random) -> Deliveries:
    """Kill the bot whenever so many messages are settled, and start it again."""
    deliveries = Deliveries(place)
    for number, moment in enumerate(moments):
        await until_settled(people, moment)
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(chance.random() / 50))])
        await place.kill()
        deliveries.collect()
        # Copies come one after the other, or all at the same time.
        place.platform.world.faults.duplicate = Duplicate(DELIVERIES, concurrent=number % 2 == 0, pushes=-1)
        await place.start()
        deliveries.collect()
    return deliveries


def accounts(place: Town) -> dict[str, list[list[str]]]:
    """Openid → the words of each report that this person made, as they are kept."""
    query = (
        select(Contact.openid, Reporter.report_id, Entry.text)
        .join(Reporter, Reporter.contact_id == Contact.id)
        .join(Entry, Entry.report_id == Reporter.report_id)
        .order_by(Entry.id)
    )
    found: dict[str, dict[int, list[str]]] = {}
    with place.reader.connect() as connection:
        for openid, report, text in connection.execute(query):
            found.setdefault(str(openid), {}).setdefault(report, []).append(str(text))
    return {openid: list(reports.values()) for openid, reports in found.items()}


def outbox(place: Town) -> dict[str, list[str]]:
    """Openid → everything that the bot ever wanted to say there."""
    query = select(Contact.openid, Outbox.content).join(Outbox, Outbox.contact_id == Contact.id).order_by(Outbox.id)
    found: dict[str, list[str]] = {}
    with place.reader.connect() as connection:
        for openid, content in connection.execute(query):
            found.setdefault(openid, []).append(content["text"])
    return found


def said_again(place: Town, people: Sequence[Person]) -> int:
    """How many replies a person saw once more, since the process died before it had noted them (design 3.3)."""
    wanted, doubled = outbox(place), 0
    for one in people:
        again = Counter(one.screen()) - Counter(wanted[one.phone.openid])
        assert not Counter(wanted[one.phone.openid]) - Counter(one.screen()), "something was never said"
        assert set(again.values()) <= {1, 2}, again  # 2: the process died again while it said it once more
        doubled += again.total()
    return doubled


def asked_in_vain(person: Person) -> list[str]:
    """Questions that came again though their answer had been taken, as another message showed."""
    asked: set[str] = set()
    taken: set[str] = set()
    again: list[str] = []
    is_said = False
    for item in person.phone.screen:
        if item.side == "me":
            is_said = True
            continue
        if is_said and item.source == "reply":
            taken, asked, is_said = taken | asked, set(), False
        questions = {one for one in QUESTIONS if one in item.text}
        again += questions & taken
        asked |= questions
    return again


async def test_two_hundred_people_report_at_once_and_nothing_is_lost_by_twenty_kills(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("TONGBAN_SEED", SystemRandom().randrange(1_000_000)))
    told = f"TONGBAN_SEED={seed}"
    print(told)  # noqa: T201 - a failure shows it
    chance = Random(seed)
    async with town(database_url, tmp_path) as place:
        people = [
            Person(
                place.platform.add_phone(openid=f"o-person-{number}"), chance.choice(FIRST_WORDS), chance.randrange(8)
            )
            for number in range(PEOPLE)
        ]
        place.platform.world.faults.duplicate = Duplicate(DELIVERIES, concurrent=True, pushes=-1)
        await place.start()
        reporting = asyncio.gather(*(one.reports(place) for one in people))
        moments = sorted(chance.sample(range(sum(1 + min(one.answers, 3) for one in people)), KILLS))
        deliveries = await killed_at(place, people, moments, chance)
        await reporting
        deliveries.collect()
        assert place.kills == KILLS, told

        # Every message is kept once, and every account is whole, letter for letter.
        assert place.count(Report) == PEOPLE, told
        assert accounts(place) == {one.phone.openid: [one.words] for one in people}, told
        assert Counter(one["text"] for one in place.messages()) == Counter(
            words for one in people for words in one.said
        ), told

        # The platform was answered in time, or found nobody there and came again.
        answered = [one for one in deliveries.found if one["status"] == OK]
        assert len(answered) == DELIVERIES * sum(len(one.said) for one in people), told
        assert {one["status"] for one in deliveries.found} <= {OK, 0}, told
        late = sum("no answer in" in str(one["problem"]) for one in deliveries.found)
        slowest = max(float(one["ms"]) for one in answered)
        assert place.faults() == 0, told

        # Who answers everything needs few messages.
        complete = [one for one in people if any(RECEIPT in reply for reply in one.read())]
        assert complete, told
        assert max(len(one.said) for one in complete) <= MOST_MESSAGES, told

        # In the end everything was said, nothing waits, and everything open is somebody's.
        await place.advance(120)
        await eventually(lambda: place.undone() == 0, PATIENCE)
        with place.reader.connect() as connection:
            states = Counter(connection.execute(select(Outbox.state)).scalars())
        assert not states.keys() & {OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.SENDING}, (told, states)
        again = said_again(place, people)

        # Nobody is asked twice for one answer.
        for one in people:
            asked = [question for reply in one.read() for question in QUESTIONS if question in reply]
            assert set(Counter(asked).values()) <= {1}, (told, one.phone.transcript)
            assert asked_in_vain(one) == [], (told, one.phone.transcript)
        assert await place.check() == "", told
        most = max(len(one.said) for one in complete)
        print(  # noqa: T201 - what was measured
            f"{sum(len(one.said) for one in people)} messages, {len(deliveries.found)} deliveries, {len(answered)} "
            f"answered, the slowest after {slowest:.0f} ms, {late} not within the platform's patience; "
            f"{len(complete)} complete with at most {most} messages; {again} replies were said twice"
        )
