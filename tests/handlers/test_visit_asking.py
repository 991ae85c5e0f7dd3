"""Many visits asked for together are what the ladder makes of each of them alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from bot import turns
from handlers.turn import Turn
from storage import contacts, tasks
from storage.children import Child
from storage.contacts import Contact
from storage.outbox import Outbox
from storage.people import Person
from storage.tasks import Task, TaskTold
from storage.visits import Visit
from tests.support.visiting import Village, village

__all__ = ["village"]
DUE = datetime(2026, 12, 23, 0, tzinfo=UTC)
"""Eight o'clock in China on the due day of a blue child."""


@pytest.fixture(autouse=True)
def _many(village: Village) -> None:
    """Plain ones, and one each of what is not: never met, told before, off file, somebody unreachable or on leave."""
    people = [village.officer, village.deputy, village.teacher]
    for number in range(9):
        child = village.add_child(f"孩子{number}", level=("blue", "blue", "yellow", "red")[number % 4])
        village.pair(child, people[number % 3])
        if number in ODD:
            ODD[number](village, child.id, village.task(child).id)


def _vain(village: Village, child: int, _task: int) -> None:
    for number in range(2):
        village.turn(lambda turn, number=number: turn.session.add(Visit(  # type: ignore[misc]
            child_id=child, person_id=village.officer.id, area_id=village.group.id, kind="not_met", side="cadre",
            happened_on=DUE.date() - timedelta(days=number + 1), recorded_at=turn.now,
        )))  # fmt: skip


def _told(village: Village, _child: int, task: int) -> None:
    village.turn(lambda turn: tasks.tell(turn.session, task, village.officer.id, 0, turn.now))


def _off_file(village: Village, child: int, _task: int) -> None:
    village.turn(lambda turn: setattr(turn.session.get_one(Child, child), "off_file_at", turn.now))


ODD = {4: _vain, 5: _told, 6: _off_file}


def done(village: Village, now: datetime, limit: int) -> tuple[list[Any], list[Any], list[Any]]:
    """What due work leaves behind when it takes so many at a time; nothing of it is kept."""

    def work(connection: Connection) -> None:
        while turns.run_due(connection, now, village.world.policy, limit):
            pass
        told = connection.execute(select(TaskTold.task_id, TaskTold.person_id, TaskTold.rung, TaskTold.told_at)).all()
        said = connection.execute(select(Outbox.contact_id, Outbox.kind, Outbox.next_at, Outbox.content)).all()
        says = [(row[:3], sorted(row[3].pop("tasks", [])), row[3]) for row in said]
        left = connection.execute(select(Task.__table__).order_by(Task.id)).all()
        raise Undo([tuple(one) for one in left], sorted(map(tuple, told)), sorted(says, key=str))

    with pytest.raises(Undo) as undone:
        village.world.run(work)
    return undone.value.args


class Undo(Exception):  # noqa: N818 - no error
    """Takes what was seen out of a transaction that is rolled back."""


@pytest.mark.parametrize("days", [0, 1, 8, 40])
def test_together_is_as_one_by_one(village: Village, days: int) -> None:
    now = DUE + timedelta(days=days, minutes=1)
    alone, together = done(village, now, 1), done(village, now, 100)
    assert alone == together
    assert len(alone[1]) > 5


def test_whoever_cannot_be_asked_is_left_to_the_ladder(village: Village) -> None:
    def lose(turn: Turn) -> None:
        talk = contacts.hear(turn.connection, f"o-{village.officer.name}", turn.now)
        turn.session.get_one(Contact, talk.contact_id).unreachable_since = turn.now
        turn.session.get_one(Person, village.teacher.id).away_until = DUE + timedelta(days=9)

    village.turn(lose)
    now = DUE + timedelta(minutes=1)
    assert done(village, now, 1) == done(village, now, 100)


def test_at_night_nobody_is_asked(village: Village) -> None:
    now = DUE + timedelta(hours=15)
    alone, together = done(village, now, 1), done(village, now, 100)
    assert alone == together
    assert alone[2] == []


def test_each_is_asked_by_the_hour_they_chose(village: Village) -> None:
    village.turn(lambda turn: setattr(turn.session.get_one(Person, village.deputy.id), "prompt_hour", 10))
    for hours in (1, 3):
        now = DUE + timedelta(hours=hours)
        assert done(village, now, 1) == done(village, now, 100)
