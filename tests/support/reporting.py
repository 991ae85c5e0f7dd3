"""The county of the journeys, for tests that look behind what people read."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import select

from handlers.turn import Turn
from storage import shown_numbers
from storage.cases import Case
from storage.contacts import Contact
from storage.inbox import Inbox
from storage.people import Person
from storage.reports import Entry, Report
from storage.tasks import LIVE, Task
from tests.support.databases import Databases
from tests.support.journeys import County
from tests.support.visiting import make_tables
from tests.world import Phone, World

T = TypeVar("T")
BEATEN = "我们班上有个男生背上都是皮带印，他说是他爸打的"
"""The rules know it; it is not happening now."""
DANGER = "快来人 他爸提起菜刀在堂屋门口 娃儿还在里头"
ANSWERS = ("现在没有", "李小明，六年级", "在学校", "他爸", "没打", "1")
"""To every question that BEATEN leaves open."""


class Town(County):
    """The county with questions a test asks of the database."""

    def phone(self, who: Person | str) -> Phone:
        return self.world.phone(who if isinstance(who, str) else who.name)

    def turn(self, act: Callable[[Turn], T]) -> T:
        return self.world.turn(act)

    def reports(self) -> list[Report]:
        return self.turn(lambda turn: list(turn.session.scalars(select(Report).order_by(Report.id))))

    def report(self) -> Report:
        [report] = self.reports()
        return report

    def texts(self, report: Report | None = None) -> list[str | None]:
        number = (report or self.report()).id
        query = select(Entry).where(Entry.report_id == number).order_by(Entry.id)
        return [one.text for one in self.turn(lambda turn: list(turn.session.scalars(query)))]

    def tasks(self, kind: str, *, live: bool = True) -> list[Task]:
        query = select(Task).where(Task.kind == kind).order_by(Task.id)
        found = self.turn(lambda turn: list(turn.session.scalars(query)))
        return [task for task in found if not live or task.state in LIVE]

    def task(self, kind: str) -> Task:
        [task] = self.tasks(kind)
        return task

    def all_tasks(self) -> list[Task]:
        return self.turn(lambda turn: list(turn.session.scalars(select(Task).order_by(Task.id))))

    def states(self) -> set[str]:
        """Where the turns of all messages stand."""
        return self.turn(lambda turn: set(turn.session.scalars(select(Inbox.state))))

    def case(self) -> Case:
        return self.turn(lambda turn: turn.session.scalars(select(Case)).one())

    def number(self, who: Person, task: Task) -> int:
        """The number under which somebody sees a task."""

        def shown(turn: Turn) -> int:
            contact = turn.session.scalars(select(Contact.id).where(Contact.person_id == who.id)).one()
            until = turn.now + timedelta(days=7)
            return shown_numbers.number_for(turn.connection, contact, "task", task.id, turn.now, until)

        return self.turn(shown)

    def tell(self, who: str = "李婶", first: str = BEATEN, answers: tuple[str, ...] = ANSWERS) -> Phone:
        """Somebody reports and answers; on their screen is what they read."""
        phone = self.phone(who)
        for words in (first, *answers):
            phone.says(words)
            self.world.pass_(seconds=25)
        return phone


@pytest.fixture
def town(databases: Databases) -> Iterator[Town]:
    """The county on each kind of database."""
    world = World.on(databases.copy(make_tables))
    yield Town(world)
    world.close()
