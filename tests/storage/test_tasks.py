from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from storage import shown_numbers, tasks
from storage.tasks import Task, TaskState
from tests.storage.conftest import NOW, Ids, settle_county

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def open_task(connection: Connection, ids: Ids, key: str = "alarm:report:7", **values: Any) -> int:  # noqa: ANN401 - columns
    row: dict[str, Any] = {
        "kind": "alarm", "subject": "report", "subject_id": 7, "area_id": ids.county, "now": NOW,
        "due_at": NOW + HOUR, "next_at": NOW, "role": "duty",
    }  # fmt: skip
    return tasks.open_task(connection, key=key, **{**row, **values})


def row_of(connection: Connection, task_id: int) -> Any:  # noqa: ANN401 - a row
    return connection.execute(select(Task.__table__).where(Task.id == task_id)).one()


def test_a_task_opened_twice_is_one_task(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        first = open_task(connection, ids)
        assert open_task(connection, ids, urgency=2) == first
        assert row_of(connection, first).urgency == 0
        assert open_task(connection, ids, "alarm:report:8") != first


def test_a_task_opened_by_several_at_once_is_one_task(engine: Engine, ids: Ids) -> None:
    def once() -> int:
        with engine.begin() as connection:
            return open_task(connection, ids)

    with ThreadPoolExecutor(6) as threads:
        assert len({future.result() for future in [threads.submit(once) for _ in range(6)]}) == 1


def test_of_many_who_claim_at_once_one_holds_it(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        task = open_task(connection, ids)
    together = Barrier(6)

    def claim(person: int) -> bool:
        together.wait(10)
        with engine.begin() as connection:
            return tasks.claim(connection, task, person, NOW)

    with ThreadPoolExecutor(6) as threads:
        asked = [ids.person, ids.other] * 3
        won = [future.result() for future in [threads.submit(claim, person) for person in asked]]
    assert won.count(True) == 1
    with engine.begin() as connection:
        row = row_of(connection, task)
        assert (row.state, row.person_id, row.claimed_at) == (TaskState.CLAIMED, asked[won.index(True)], NOW)


def test_due_tasks_come_danger_first_and_then_the_oldest(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        late = open_task(connection, ids, "a", next_at=NOW - HOUR)
        later = open_task(connection, ids, "b", next_at=NOW)
        danger = open_task(connection, ids, "c", next_at=NOW, urgency=2)
        open_task(connection, ids, "d", next_at=NOW + timedelta(microseconds=1))
        open_task(connection, ids, "e", next_at=None)
        assert [row.id for row in tasks.due(connection, NOW, 10)] == [danger, late, later]
        assert [row.id for row in tasks.due(connection, NOW, 1)] == [danger]
        tasks.put_off(connection, "c", NOW + HOUR)
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            begun = tasks.begin(session, late)
            assert (begun.id, begun.next_at) == (late, None)
        assert [row.id for row in tasks.due(connection, NOW, 10)] == [later]


@pytest.mark.postgres
def test_two_workers_never_get_the_same_due_task(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)
    with postgres_engine.begin() as connection:
        opened = {open_task(connection, ids, f"k{n}") for n in range(20)}
    with postgres_engine.begin() as one, postgres_engine.begin() as other, postgres_engine.begin() as third:
        first = {row.id for row in tasks.due(one, NOW, 8)}
        second = {row.id for row in tasks.due(other, NOW, 8)}
        rest = {row.id for row in tasks.due(third, NOW, 8)}
    assert (len(first), len(second), len(rest)) == (8, 8, 4)
    assert first | second | rest == opened


def test_putting_off_moves_a_live_task_only(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        task = open_task(connection, ids)
        tasks.put_off(connection, "alarm:report:7", NOW + HOUR)
        assert row_of(connection, task).next_at == NOW + HOUR
        tasks.end(connection, task, NOW, TaskState.CANCELLED)
        tasks.put_off(connection, "alarm:report:7", NOW + HOUR)
        assert row_of(connection, task).next_at is None


@pytest.mark.parametrize(("after", "late"), [(HOUR - timedelta(seconds=1), False), (HOUR, False), (2 * HOUR, True)])
def test_a_task_ends_once_and_is_late_when_past_due(engine: Engine, ids: Ids, after: timedelta, late: bool) -> None:  # noqa: FBT001
    with engine.begin() as connection:
        task = open_task(connection, ids)
        assert tasks.end(connection, task, NOW + after)
        assert not tasks.end(connection, task, NOW + 9 * HOUR)
        row = row_of(connection, task)
        assert (row.state, row.ended_at, row.next_at, row.late) == (TaskState.DONE, NOW + after, None, late)
        assert not tasks.claim(connection, task, ids.person, NOW)


def test_a_failed_task_counts_its_failures_and_is_tried_at_its_time(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        task = open_task(connection, ids)
        tasks.failed(connection, task, NOW + HOUR, "KeyError alarms.py:12" + "x" * 300)
        tasks.failed(connection, task, None, "KeyError alarms.py:12")
        row = row_of(connection, task)
        assert (row.failures, row.next_at, row.error, row.state) == (2, None, "KeyError alarms.py:12", TaskState.OPEN)


def test_somebody_is_told_once_at_each_rung(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        task = open_task(session.connection(), ids)
        assert tasks.tell(session, task, ids.person, 0, NOW)
        assert not tasks.tell(session, task, ids.person, 0, NOW)
        assert tasks.tell(session, task, ids.person, 1, NOW)
        assert tasks.tell(session, task, ids.other, 1, NOW)
        assert sorted(tasks.told(session, task)) == sorted([ids.person, ids.other])
        assert [one.id for one in tasks.told_and_open(session, ids.other)] == [task]
        tasks.claim(session.connection(), task, ids.person, NOW)
        assert tasks.told_and_open(session, ids.other) == []


def test_handing_over_moves_all_live_tasks_and_no_ended_ones(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        connection = session.connection()
        live = [open_task(connection, ids, f"k{n}", person_id=ids.person, urgency=n) for n in range(2)]
        ended = open_task(connection, ids, "ended", person_id=ids.person)
        tasks.end(connection, ended, NOW)
        assert [one.id for one in tasks.live_of_person(session, ids.person)] == live[::-1], "most urgent first"
        session.expire_all()
        tasks.hand_over(connection, ids.person, ids.other, NOW)
        assert tasks.live_of_person(session, ids.person) == []
        assert [one.id for one in tasks.live_of_person(session, ids.other)] == live[::-1]


# --- numbers


def test_a_shown_number_means_the_same_for_seven_days(engine: Engine, ids: Ids) -> None:
    def number(session: Session, subject_id: int, after: timedelta) -> int:
        return shown_numbers.number_for(
            session.connection(), ids.contact, "task", subject_id, NOW + after, NOW + after + WEEK
        )

    with Session(engine) as session, session.begin():
        assert [number(session, one, HOUR * 0) for one in (11, 12, 13)] == [1, 2, 3]
        assert number(session, 12, HOUR) == 2
        assert shown_numbers.meant_by(session.connection(), ids.contact, 1, NOW + WEEK - HOUR) == ("task", 11)
        assert number(session, 14, WEEK - HOUR) == 4, "1 still means 11"
        assert shown_numbers.meant_by(session.connection(), ids.contact, 1, NOW + WEEK) is None
        assert number(session, 15, WEEK) == 1, "1 lapsed: nobody was shown it for seven days"
        assert shown_numbers.meant_by(session.connection(), ids.contact, 1, NOW + WEEK) == ("task", 15)
        assert shown_numbers.meant_by(session.connection(), ids.contact, 2, NOW + WEEK) == ("task", 12), (
            "shown again after an hour"
        )
        assert number(session, 11, WEEK) == 3, "a new number where the old one means something else now"
        assert shown_numbers.meant_by(session.connection(), ids.contact, 9, NOW) is None


def test_everybody_has_numbers_of_their_own(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        assert shown_numbers.number_for(session.connection(), ids.contact, "task", 11, NOW, NOW + WEEK) == 1
        assert shown_numbers.number_for(session.connection(), ids.other_contact, "task", 12, NOW, NOW + WEEK) == 1
        assert shown_numbers.number_for(session.connection(), ids.contact, "case", 11, NOW, NOW + WEEK) == 2
        assert shown_numbers.meant_by(session.connection(), ids.other_contact, 1, NOW) == ("task", 12)
