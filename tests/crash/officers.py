"""Forty officers with a thousand children, each of whom is due once in ten days, and what an officer does about it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from bot.clock import Clock
from bot.simulator.handles import PhoneHandle
from bot.simulator.state import ScreenItem
from handlers import digest, pairs
from handlers.turn import Turn
from handlers.workdays import CHINA
from storage import contacts, sealing
from storage.children import Child, Side
from storage.contacts import Contact
from storage.people import Person, PersonRole, Role
from storage.tasks import Task
from tests.crash.town import Town
from tests.support.waiting import eventually

EVERY_DAYS = 91
"""Days between the visits of a green child (handlers/policy.py)."""
AT_ONCE = 8
"""Officers who type at the same time."""
PATIENCE = 120.0
_VISITS = select(Task.id, Task.subject_id).where(Task.kind == "visit")
_VISIT = re.compile(r"^(\d+) 走访 .*?（(\d+)月(\d+)日", re.MULTILINE)
_PROMPT = re.compile(r"您有 (\d+) 件事要办(?:.*?晚\D*(\d+) 小时)?", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """One prompt as it was read: how many things, how many hours late at most (0: in time), whether due now, when."""

    count: int
    hours: int
    is_now: bool
    at: datetime


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """That time of the day in China."""
    return datetime.combine(day, time(hour, minute), CHINA)


class Officers:
    """The officers and their children."""

    def __init__(self, place: Town, officers: int) -> None:
        self.place = place
        self.names = [f"officer{number:02d}" for number in range(officers)]
        self.phones: list[PhoneHandle] = [place.platform.add_phone(name, f"o-{name}") for name in self.names]
        self.due: dict[int, date] = {}
        """Child → the day on which its visit falls due, as it was first planned."""
        self.past: set[int] = set()
        """Children whose visit was planned for a day that was over."""
        self.reminded: set[int] = set()
        """Children for whom somebody was asked before the outage, and reminded after it."""
        self.said_before: set[int] = set()
        """Rows of the outbox of that morning that had been said by then."""
        self.asked_until = 0
        """The last row of the outbox before the outage."""
        self.digest_of_saturday = ""
        self._people: list[int] = []
        self._contacts: dict[int, str] = {}
        self._subjects: dict[int, int] = {}

    def settle(self, days: Sequence[date], each: int) -> None:
        """Put everybody into the database, the visits of every officer spread over the days."""
        self.place.world.turn(lambda turn: self._settle(turn, days, each))

    def _settle(self, turn: Turn, days: Sequence[date], each: int) -> None:
        for number, phone in enumerate(self.phones):
            person = Person(name=self.names[number], area_id=self.place.areas["village"].id, joined_at=turn.now)
            turn.session.add(person)
            turn.session.flush()
            role = PersonRole(
                person_id=person.id, role=Role.VILLAGE_CHILD_OFFICER, area_id=person.area_id, since=turn.now
            )
            turn.session.add(role)
            talk = contacts.hear(turn.connection, phone.openid, turn.now)
            turn.session.get_one(Contact, talk.contact_id).person_id = person.id
            self._contacts[talk.contact_id] = phone.openid
            self._people.append(person.id)
            for child in range(each):
                self.add(turn, number, days[(number + child) % len(days)])
        digest.ensure_digests(turn)

    def add(self, turn: Turn, officer: int, due: date) -> int:
        """A child on file that is followed by an officer and due on a workday, which may be past."""
        name = f"孩子{len(self.due)}"
        child = Child(
            number=f"T{len(self.due):05d}", name=name, name_index=sealing.ring().index("child_name", name),
            sex="female", born=date(2030, 3, 5), area_id=self.place.areas["village"].id, level="green",
            level_since=turn.now - timedelta(days=400), on_file_since=turn.now - timedelta(days=400),
            last_contact_on=due - timedelta(days=EVERY_DAYS),
        )  # fmt: skip
        turn.session.add(child)
        turn.session.flush()
        pairs.pair(turn, child, turn.session.get_one(Person, self._people[officer]), Side.CADRE)
        self.due[child.id] = due
        return child.id

    # Time.

    @property
    def now(self) -> datetime:
        """The time, in China."""
        return datetime.fromtimestamp(self.place.platform.world.clock.now(), CHINA)

    async def until(self, moment: datetime) -> None:
        """Time passes until a moment; a bot that is killed meanwhile is started again."""
        await self.place.advance(max(0.0, (moment - self.now).total_seconds()))

    def set_clocks(self, moment: datetime) -> None:
        """The machine's clock and the world's are put to a moment, forward or back, while the bot is off."""
        self.place.world.run(lambda connection: Clock().move(connection, moment.astimezone(UTC)))
        self.place.platform.world.clock.move_to(moment.timestamp(), force=True)
        self.place.world.now = moment.astimezone(UTC)

    # What officers do.

    async def everybody_answers(self) -> None:
        """Each officer records what is due by today."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(officer: int) -> None:
            async with free:
                while many := await self.reports(officer):
                    if many > 1:
                        await self.hears(officer, "1", "记好了")

        await asyncio.gather(*(one(officer) for officer in range(len(self.phones))))

    async def reports(self, officer: int) -> int:
        """All that are listed and due by today were met; how many. For two or more the bot asks whether it is so."""
        today = self.now.date()
        listed = await self.hears(officer, "我的任务", "件事：|没有")
        due = [found[1] for found in _VISIT.finditer(listed) if date(today.year, int(found[2]), int(found[3])) <= today]
        if due:
            await self.hears(officer, f"记录 {' '.join(due)} 全部正常", "记好了" if len(due) == 1 else "对吗")
        return len(due)

    async def hears(self, officer: int, words: str, wanted: str) -> str:
        """Say something; what is answered, at once or, from a bot that is busy, a moment later."""
        phone = self.phones[officer]
        before = len(phone.screen)
        await phone.say(words)

        def answered() -> str:
            said = [item.text for item in phone.screen[before:] if item.side == "account"]
            return next((text for text in said if re.search(wanted, text)), "")

        return await eventually(answered, PATIENCE)

    # What officers read, and what stands behind it.

    def child_of(self, task: int) -> int:
        """The child whose visit a task asks for."""
        if task not in self._subjects:
            with self.place.reader.connect() as connection:
                self._subjects = {row.id: row.subject_id for row in connection.execute(_VISITS)}
        return self._subjects[task]

    def hours_late(self, child: int, row: int, day: date) -> int:
        """How late a prompt for a child is on the morning after the outage; a reminder was due the day after."""
        reminder = timedelta(days=1) if child in self.reminded and row > self.asked_until else timedelta()
        return (at(day, 8) - at(self.due[child], 8) - reminder) // timedelta(hours=1)

    def openid_of(self, contact: int) -> str:
        """The phone of a contact."""
        return self._contacts[contact]

    def prompts(self, phone: PhoneHandle) -> list[Prompt]:
        """The prompts on a phone, in the order they appeared."""
        return [one for item in pushes(phone) if (one := read(words_of(item), item.at)) is not None]


def pushes(phone: PhoneHandle) -> list[ScreenItem]:
    """What the account said of itself on a phone; answers are none."""
    found = [item for item in phone.screen if item.side == "account" and item.source in {"custom", "template"}]
    return [item for item in found if item.source == "template" or "件事要办" in item.text or "系统停过" in item.text]


def words_of(item: ScreenItem) -> str:
    """What is read of an item."""
    return item.text or " ".join(str(one["value"]) for one in item.fields)


def read(words: str, moment: float) -> Prompt | None:
    """What a prompt says; None when it is something else."""
    found = _PROMPT.search(words)
    if found is None:
        return None
    return Prompt(int(found[1]), int(found[2] or 0), "现在就办" in words, datetime.fromtimestamp(moment, CHINA))
