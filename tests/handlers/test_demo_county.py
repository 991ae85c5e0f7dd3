"""The demo county: the paper's figures, a believable history, and nobody without somebody who must act."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from handlers import check, demo, who
from handlers.demo import DemoPhones
from handlers.demo.chance import Chance
from handlers.turn import Turn
from storage.areas import Area, AreaLevel, Unit, UnitKind
from storage.cases import Case
from storage.children import Child, ChildCategory, Pairing
from storage.contacts import Contact
from storage.people import Person, PersonRole, Role
from storage.reports import Report
from storage.tasks import LIVE, Task
from storage.visits import Visit
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import MONDAY_MORNING, World

T = TypeVar("T")


def make_county(url: str) -> None:
    make_tables(url)
    world = World.on(url)
    world.turn(demo.build)
    world.close()


@pytest.fixture
def county(databases: Databases) -> Iterator[World]:
    world = World.on(databases.copy(make_county))
    yield world
    world.close()


def ask(world: World, act: Callable[[Turn], T]) -> T:
    answer: T = world.turn(act)
    return answer


def counted(world: World, column: InstrumentedAttribute[str]) -> Counter[str]:
    def rows(turn: Turn) -> Counter[str]:
        return Counter({row[0]: row[1] for row in turn.session.execute(select(column, func.count()).group_by(column))})

    return ask(world, rows)


def test_the_papers_figures_are_on_file(county: World) -> None:
    categories = counted(county, ChildCategory.category)
    assert categories == {"orphan": 91, "de_facto_unattended": 425, "with_disability": 326, "left_behind": 378}
    assert ask(county, lambda turn: turn.session.scalar(select(func.count(Child.id)))) == 1200
    both = ask(
        county,
        lambda turn: turn.session.scalars(
            select(ChildCategory.child_id).group_by(ChildCategory.child_id).having(func.count() == 2)
        ).all(),
    )
    assert len(both) == 20


def test_the_county_has_its_places_and_posts(county: World) -> None:
    levels = counted(county, Area.level)
    assert (levels[AreaLevel.COUNTY], levels[AreaLevel.TOWNSHIP], levels[AreaLevel.VILLAGE]) == (1, 12, 120)
    units = counted(county, Unit.kind)
    assert (units[UnitKind.SCHOOL], units[UnitKind.POLICE_STATION], units[UnitKind.HOSPITAL]) == (78, 12, 1)
    roles = counted(county, PersonRole.role)
    assert roles[Role.VILLAGE_CHILD_OFFICER] == 120
    assert roles[Role.TOWNSHIP_CHILD_SUPERVISOR] == 12
    assert roles[Role.COUNTY_SUPERVISOR] == 3
    assert roles[Role.MANDATED_REPORTER] == 78 * 4 + 1


def test_every_rung_of_every_townships_ladder_reaches_somebody(county: World) -> None:
    def rungs(turn: Turn) -> list[list[int]]:
        townships = turn.session.scalars(select(Area).where(Area.level == AreaLevel.TOWNSHIP)).all()
        return [who.rung(turn, one.id, number) for one in townships for number in range(who.RUNGS)]

    assert all(ask(county, rungs))


def test_no_open_matter_is_left_to_nobody(county: World) -> None:
    assert ask(county, check.findings) == []


def test_nobody_is_left_to_nobody_after_a_week_either(county: World) -> None:
    county.settle()
    county.now = MONDAY_MORNING.replace(day=30)
    county.settle()
    assert ask(county, check.findings) == []


def test_the_history_has_every_stage(county: World) -> None:
    assert counted(county, Report.stage) == {"draft": 1, "filed": 2, "accepted": 9, "resolved": 9, "set_aside": 4}
    assert counted(county, Case.stage) == {"open": 2, "assigned": 3, "visited": 4, "closed": 9}
    kinds = counted(county, Visit.kind)
    assert kinds["seen"] > 500
    assert kinds["phone"] > 50
    assert kinds["not_met"] > 10
    late = ask(county, lambda turn: turn.session.scalar(select(func.count(Visit.id)).where(Visit.late)))
    assert 30 < (late or 0) < 300
    overdue = ask(
        county,
        lambda turn: turn.session.scalar(
            select(func.count(Task.id)).where(Task.state.in_(LIVE), Task.due_at < turn.now)
        ),
    )
    assert 10 < (overdue or 0) < 80


def test_a_visit_never_happened_before_its_child_was_on_file_or_in_the_future(county: World) -> None:
    def wrong(turn: Turn) -> list[int]:
        impossible = or_(Visit.recorded_at > turn.now, Visit.recorded_at < Child.on_file_since)
        return list(turn.session.scalars(select(Visit.id).join(Child, Child.id == Visit.child_id).where(impossible)))

    assert ask(county, wrong) == []


def test_every_child_has_its_pair_and_one_open_visit_for_each_side(county: World) -> None:
    def sides(turn: Turn) -> tuple[Counter[int], Counter[int]]:
        pairs = Counter(turn.session.scalars(select(Pairing.child_id)))
        live = Counter(turn.session.scalars(select(Task.subject_id).where(Task.kind == "visit", Task.state.in_(LIVE))))
        return pairs, live

    pairs, live = ask(county, sides)
    assert len(pairs) == 1200
    assert pairs == live


def test_the_pages_phones_belong_to_whom_they_say(county: World) -> None:
    def roles(turn: Turn, person: Person) -> set[str]:
        return set(turn.session.scalars(select(PersonRole.role).where(PersonRole.person_id == person.id)))

    def known(turn: Turn) -> dict[str, set[str] | None]:
        return {phone.key: roles(turn, phone.person) if phone.person else None for phone in demo.build(turn)}

    assert ask(county, known) == {
        "teacher": {Role.MANDATED_REPORTER},
        "villager": None,
        "officer": {Role.VILLAGE_CHILD_OFFICER},
        "duty": {Role.AGENCY_LIAISON},
        "county": {Role.COUNTY_SUPERVISOR},
    }


def test_the_officers_list_holds_visits_due_today(county: World) -> None:
    county.pass_(minutes=1)
    phone = county.by_openid["o-demo-officer"]
    assert phone.last.startswith("您有 3 件事要办：走访 3。")
    assert phone.says("我的任务").count("11月23日 周一前") == 3


def test_the_duty_phone_starts_with_nothing_waiting(county: World) -> None:
    county.pass_(minutes=20)
    assert "o-demo-duty" not in county.by_openid


def test_all_who_are_bound_are_phones_of_the_page_or_followers_without_a_gap(county: World) -> None:
    def openids(turn: Turn) -> tuple[set[str | None], DemoPhones]:
        return set(turn.session.scalars(select(Contact.openid))), demo.build(turn)

    bound, phones = ask(county, openids)
    assert bound == {phone.openid for phone in phones if phone.person} | set(phones.followers)
    assert phones.followers[0] == "o-sim-00001"
    assert phones.followers[-1] == f"o-sim-{len(phones.followers):05d}"


def test_a_second_call_changes_nothing(county: World) -> None:
    before = counted(county, Task.kind), counted(county, Area.level), counted(county, PersonRole.role)
    ask(county, demo.build)
    assert (counted(county, Task.kind), counted(county, Area.level), counted(county, PersonRole.role)) == before


def test_the_same_seed_gives_the_same_people() -> None:
    first, second = Chance(), Chance()
    assert [first.adult() for _ in range(50)] == [second.adult() for _ in range(50)]


def test_no_name_is_used_twice_for_staff(databases: Databases) -> None:
    url = databases.fresh()
    make_tables(url)
    world = World.on(url)
    world.turn(demo.build)
    names = ask(world, lambda turn: turn.session.scalars(select(Person.name)).all())
    world.close()
    assert len(set(names)) == len(names)
