"""Plans of visits: the county's table, holidays, levels; at every moment one live task for each side of a pair."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers import children, pairs, plans
from handlers.policy import Policy
from handlers.turn import Turn
from handlers.visit_filing import Told, file
from handlers.workdays import CHINA, is_workday, local_day
from storage import contacts
from storage.children import Child, Side
from storage.tasks import TaskState
from tests.support.databases import SqliteDatabases
from tests.support.visiting import Village, make_tables, settle, village
from tests.world import World

__all__ = ["village"]
MONDAY = date(2026, 11, 23)


def child_at(level: str, since: date) -> Child:
    return Child(level=level, level_since=datetime(since.year, since.month, since.day, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    ("level", "since", "from_day", "due"),
    [
        ("blue", date(2026, 9, 1), date(2026, 11, 2), date(2026, 12, 2)),
        ("red", date(2026, 11, 23), date(2026, 11, 23), date(2026, 11, 26)),
        ("red", date(2026, 9, 1), date(2026, 11, 23), date(2026, 11, 30)),
        ("green", date(2026, 9, 1), date(2026, 11, 23), date(2027, 2, 22)),
        ("yellow", date(2026, 11, 1), date(2026, 11, 14), date(2026, 11, 30)),  # the 28th is a Saturday
        ("blue", date(2026, 7, 1), date(2026, 9, 2), date(2026, 10, 8)),  # 1-7 October is National Day
    ],
)
def test_a_visit_is_due_by_the_table_and_off_holidays(level: str, since: date, from_day: date, due: date) -> None:
    policy = Policy()
    assert plans.due_day(policy, child_at(level, since), from_day) == due
    assert is_workday(policy, due)


@pytest.mark.parametrize(
    ("from_day", "due"),
    [
        (date(2026, 9, 1), date(2026, 9, 30)),  # National Day is 1-7 October
        (date(2026, 9, 23), date(2026, 9, 30)),
        (date(2026, 9, 24), date(2026, 10, 8)),  # seen in the week before it: that was the visit before
        (date(2026, 9, 30), date(2026, 10, 8)),
        (date(2026, 10, 3), date(2026, 10, 8)),  # seen while everybody was at home
        (date(2026, 10, 8), date(2027, 1, 7)),  # seen after it: by the table again
        (date(2026, 1, 12), date(2026, 2, 14)),  # the Saturday before Spring Festival is a workday
        (date(2026, 2, 14), date(2026, 2, 24)),
        (date(2026, 2, 24), date(2026, 4, 30)),  # Tomb-Sweeping Day has only three days, Labour Day five
        (date(2026, 5, 6), date(2026, 8, 5)),
    ],
)
def test_a_green_child_is_due_before_and_after_long_holidays_too(from_day: date, due: date) -> None:
    policy = Policy()
    assert plans.due_day(policy, child_at("green", date(2025, 9, 1)), from_day) == due
    assert is_workday(policy, due)


def test_which_days_off_ask_for_visits_is_the_countys() -> None:
    def due(policy: Policy, level: str = "green") -> date:
        return plans.due_day(policy, child_at(level, date(2025, 9, 1)), date(2026, 9, 1))

    def asking_from(days: int) -> Policy:
        return Policy(levels={code: replace(one, holiday_days=days) for code, one in Policy().levels.items()})

    assert due(asking_from(0)) == date(2026, 12, 1)
    assert due(asking_from(3)) == date(2026, 9, 24)  # Mid-Autumn Festival is 25-27 September
    assert due(asking_from(5), "blue") == date(2026, 9, 30)
    assert due(Policy(), "blue") == date(2026, 10, 8)
    fair = tuple(date(2026, 9, day) for day in range(14, 19))
    assert due(Policy(holidays=fair)) == date(2026, 9, 11)  # with the weekends nine days from the 12th on


def test_a_recorded_visit_plans_the_one_before_the_holiday(village: Village) -> None:
    world = village.world
    world.now = datetime(2026, 9, 1, 2, tzinfo=UTC)
    green = village.add_child("李小星", level="green")
    village.pair(green, village.officer)
    assert village.due(green) == date(2026, 9, 30)
    world.now = datetime(2026, 9, 29, 2, tzinfo=UTC)
    village.phone(village.officer).says("全部正常")
    village.phone(village.officer).says("1")
    assert "10月8日" in village.phone(village.officer).last
    assert village.due(green) == date(2026, 10, 8)


def test_forming_a_pair_plans_one_visit_for_each_side(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.pair(village.child, village.teacher, Side.TEACHER)
    village.pair(village.child, village.deputy, Side.VOLUNTEER)
    cadre, teacher = village.tasks()
    assert (cadre.person_id, teacher.person_id) == (village.officer.id, village.teacher.id)
    assert {local_day(cadre.due_at), local_day(teacher.due_at)} == {date(2026, 12, 23)}
    assert cadre.next_at == datetime(2026, 12, 23, 0, tzinfo=UTC)  # eight o'clock in China


def test_forming_the_same_pair_twice_changes_nothing(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.pair(village.child, village.officer)
    assert len(village.tasks(live=False)) == 1


def test_planning_the_next_visit_twice_gives_the_same_task(village: Village) -> None:
    village.pair(village.child, village.officer)

    def again(turn: Turn) -> int | None:
        task = plans.schedule_next(turn, turn.session.get_one(Child, village.child.id), Side.CADRE, MONDAY)
        return task.id if task else None

    assert village.turn(again) == village.turn(again) == village.task().id


def test_who_replaces_another_takes_over_the_task_and_who_leaves_lays_it_down(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.pair(village.child, village.deputy)
    assert village.task().person_id == village.deputy.id
    village.turn(
        lambda turn: pairs.unpair(turn, turn.session.get_one(Child, village.child.id), village.deputy, Side.CADRE)
    )
    assert village.tasks() == []
    assert [one.id for one in village.turn(pairs.unreachable)] == [village.child.id]


def test_a_child_that_goes_to_no_school_needs_no_teacher_to_have_a_reachable_pair(village: Village) -> None:
    small = village.add_child("李小星", school=False)
    village.pair(small, village.officer)
    village.pair(village.child, village.officer)
    assert [one.id for one in village.turn(pairs.unreachable)] == [village.child.id]
    village.pair(village.child, village.teacher, Side.TEACHER)
    assert village.turn(pairs.unreachable) == []


def test_a_day_already_past_is_asked_for_at_once_and_says_due_now(village: Village) -> None:
    village.change(village.child, last_contact_on=date(2026, 9, 1), level_since=datetime(2026, 1, 1, tzinfo=UTC))
    village.pair(village.child, village.officer)
    assert village.due() == date(2026, 10, 8)
    village.world.settle()
    village.world.pass_(minutes=1)
    [prompt] = village.phone(village.officer).reads
    assert "走访" in prompt
    assert "王" not in prompt
    assert "其中 1 件日子已过，请现在就办。" in prompt
    assert "晚了" not in prompt  # nobody was late with asking
    assert village.task().prompted_at is not None


def test_raising_the_level_plans_every_visit_anew_in_the_same_turn(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.pair(village.child, village.teacher, Side.TEACHER)
    village.turn(lambda turn: children.change_level(turn, turn.session.get_one(Child, village.child.id), "red", "新伤"))
    assert {local_day(task.due_at) for task in village.tasks()} == {date(2026, 11, 26)}
    assert len(village.tasks()) == 2


def test_raising_the_level_never_puts_a_visit_off(village: Village) -> None:
    village.change(village.child, last_contact_on=date(2026, 10, 25), level_since=datetime(2026, 1, 1, tzinfo=UTC))
    village.pair(village.child, village.officer)
    assert village.due() == date(2026, 11, 24)
    village.turn(lambda turn: children.change_level(turn, turn.session.get_one(Child, village.child.id), "yellow", ""))
    assert village.due() == date(2026, 11, 24)


def test_lowering_red_needs_a_second_supervisor(village: Village) -> None:
    village.pair(village.child, village.officer)
    assert set_level(village, "范宁", "red")
    assert not set_level(village, "田敏", "blue")
    assert not set_level(village, "田敏", "blue")
    assert village.due() == date(2026, 11, 26)
    assert set_level(village, "范宁", "blue")
    assert village.due() == date(2026, 12, 23)


def set_level(village: Village, name: str, level: str) -> bool:
    def act(turn: Turn) -> bool:
        turn.talk = contacts.hear(turn.connection, f"o-{name}", turn.now)
        return children.set_level(turn, turn.session.get_one(Child, village.child.id), level, "走访后评估")

    return village.turn(act)


class Follows:
    """What a property may do to a child: another level, a visit, another adult, time."""

    def __init__(self, village: Village) -> None:
        self.village = village

    def act(self, name: str, value: int, turn: Turn) -> None:
        getattr(self, name)(turn, turn.session.get_one(Child, self.village.child.id), value)

    def level(self, turn: Turn, child: Child, value: int) -> None:
        children.change_level(turn, child, children.LEVELS[value % 4], "评估")

    def visit(self, turn: Turn, child: Child, value: int) -> None:
        adult = [self.village.officer, self.village.teacher, self.village.deputy][value % 3]
        turn.talk = contacts.hear(turn.connection, f"o-{adult.name}", turn.now)
        day = local_day(turn.now) - timedelta(days=value % 40)
        file(turn, child, Told(["seen", "phone", "not_met"][value % 7 % 3], day))

    def pair(self, turn: Turn, child: Child, value: int) -> None:
        adult = [self.village.officer, self.village.teacher][value % 2]
        pairs.pair(turn, child, adult, list(Side)[value % 2])

    def wait(self, turn: Turn, child: Child, value: int) -> None:  # noqa: ARG002 - every act has this shape
        self.village.world.now += timedelta(days=value % 9, hours=value % 5)


ACTS = st.lists(st.tuples(st.sampled_from(["level", "visit", "pair", "wait"]), st.integers(0, 200)), max_size=14)


@given(acts=ACTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_at_every_moment_each_side_of_a_pair_has_exactly_one_live_task(
    sqlite_databases: SqliteDatabases, acts: list[tuple[str, int]]
) -> None:
    world = World.on(sqlite_databases.copy(make_tables))
    village = settle(world)
    village.pair(village.child, village.officer)
    village.pair(village.child, village.teacher, Side.TEACHER)
    village.pair(village.child, village.deputy, Side.VOLUNTEER)
    follows = Follows(village)
    for name, value in acts:
        village.turn(partial(follows.act, name, value))
        world.settle()
        live = village.tasks()
        assert Counter(map(plans.side_of, live)) == {"cadre": 1, "teacher": 1}
        assert all(is_workday(world.policy, local_day(task.due_at)) for task in live)
    ended = [task for task in village.tasks(live=False) if task.state == TaskState.DONE]
    filed = {visit.task_id for visit in village.visits() if visit.kind != "not_met"} - {None}
    assert {task.id for task in ended} == filed
    world.close()


def test_the_hour_somebody_chose_is_kept_inside_the_window(village: Village) -> None:
    def choose(hour: int) -> None:
        village.turn(
            lambda turn: setattr(turn.session.get_one(type(village.officer), village.officer.id), "prompt_hour", hour)
        )

    def asked() -> int:
        moment = village.turn(lambda turn: plans.asked_at(turn, village.officer.id, MONDAY))
        return moment.astimezone(CHINA).hour

    choose(18)
    assert asked() == 18
    choose(22)
    assert asked() == 8
