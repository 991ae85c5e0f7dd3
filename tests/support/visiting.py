"""A county with one child and its pair, for the tests of visits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

import pytest
from sqlalchemy import select

from handlers import pairs, visit_ladder
from handlers.turn import Turn
from handlers.workdays import local_day
from storage import sealing, tables
from storage.areas import Area, AreaLevel, UnitKind
from storage.children import Child, Side
from storage.database import connect
from storage.people import Person, Role
from storage.tasks import LIVE, Task
from storage.visits import Visit
from tests.support.databases import Databases
from tests.world import Phone, World, ring

T = TypeVar("T")


def make_tables(url: str) -> None:
    """All tables, empty."""
    ring()
    engine = connect(url)
    tables.METADATA.create_all(engine)
    engine.dispose()


@dataclass
class Village:
    """The world, its areas and people, and a first child."""

    world: World
    township: Area
    group: Area
    officer: Person
    teacher: Person
    deputy: Person
    township_supervisor: Person
    county_supervisor: Person
    child: Child

    def turn(self, act: Callable[[Turn], T]) -> T:
        """Run `act` as a turn without a conversation."""
        result: T = self.world.turn(act)
        return result

    def phone(self, person: Person) -> Phone:
        """The phone of somebody of the village."""
        return self.world.phone(person.name)

    def add_child(self, name: str, *, level: str = "blue", born: date = date(2017, 5, 1), school: bool = True) -> Child:
        """A child on file, without a pair."""

        def add(turn: Turn) -> Child:
            number = f"T{len(list(turn.session.scalars(select(Child.id)))) + 1:05d}"
            child = Child(
                number=number, name=name, name_index=sealing.ring().index("name", name), sex="male", born=born,
                area_id=self.group.id, level=level, level_since=turn.now, on_file_since=turn.now,
                school_id=self.school_id if school else None,
            )  # fmt: skip
            turn.session.add(child)
            turn.session.flush()
            return child

        return self.turn(add)

    school_id: int = 0

    def pair(self, child: Child, person: Person, side: Side = Side.CADRE) -> None:
        """Form one half of a pair."""
        self.turn(lambda turn: pairs.pair(turn, turn.session.get_one(Child, child.id), person, side))

    def tasks(self, child: Child | None = None, *, live: bool = True) -> list[Task]:
        """The visit tasks of a child, oldest first."""
        number = (child or self.child).id
        found = self.turn(
            lambda turn: list(
                turn.session.scalars(
                    select(Task).where(Task.kind == "visit", Task.subject_id == number).order_by(Task.id)
                )
            )
        )
        return [task for task in found if not live or task.state in LIVE]

    def task(self, child: Child | None = None) -> Task:
        """The one live visit task of a child."""
        [task] = self.tasks(child)
        return task

    def due(self, child: Child | None = None) -> date:
        """The day on which that task is due."""
        return local_day(self.task(child).due_at)

    def visits(self, child: Child | None = None) -> list[Visit]:
        """What was recorded for a child."""
        number = (child or self.child).id
        return self.turn(
            lambda turn: list(turn.session.scalars(select(Visit).where(Visit.child_id == number).order_by(Visit.id)))
        )

    def change(self, child: Child, **values: object) -> None:
        """Set columns of a child."""

        def write(turn: Turn) -> None:
            row = turn.session.get_one(Child, child.id)
            for name, value in values.items():
                setattr(row, name, value)

        self.turn(write)

    def look(self, task: Task) -> None:
        """Let the ladder look at a task now."""
        self.turn(lambda turn: visit_ladder.look(turn, turn.session.get_one(Task, task.id)))


@pytest.fixture
def village(databases: Databases) -> Iterator[Village]:
    """A village on each kind of database."""
    world = World.on(databases.copy(make_tables))
    yield settle(world)
    world.close()


def settle(world: World) -> Village:
    """People and a first child, not paired yet; it is Monday the 23rd of November 2026, nine o'clock."""
    world.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    county = world.area("青溪县", AreaLevel.COUNTY)
    township = world.area("石桥镇", AreaLevel.TOWNSHIP, county)
    place = world.area("柳湾村", AreaLevel.VILLAGE, township)
    group = world.area("3组", AreaLevel.GROUP, place)
    school = world.unit("石桥小学", UnitKind.SCHOOL, township)
    village = Village(
        world, township, group,
        officer=world.person("何平", Role.VILLAGE_CHILD_OFFICER, place),
        teacher=world.person("梁静", Role.MANDATED_REPORTER, township, unit=school),
        deputy=world.person("卢强", Role.CARE_PARTNER, place),
        township_supervisor=world.person("田敏", Role.TOWNSHIP_CHILD_SUPERVISOR, township),
        county_supervisor=world.person("范宁", Role.COUNTY_SUPERVISOR, county),
        child=Child(),
        school_id=school.id,
    )  # fmt: skip
    village.child = village.add_child("王小宝")

    def stand_in(turn: Turn) -> None:
        turn.session.get_one(Person, village.officer.id).stand_in_id = village.deputy.id

    world.turn(stand_in)
    return village
