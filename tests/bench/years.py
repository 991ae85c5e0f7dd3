"""A county after ten years: a file, a report and a case for each of many children, and every visit to them since.

A tenth of the children is still on file. Visits are spread over the years; each answered a task of its own. Everything
happened before `until`, so that a plain recount needs no rules for what came later.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Date, Select, and_, case, cast, func, literal, select

from storage.cases import Case, CaseStage
from storage.children import Child, Pairing, Side
from storage.database import is_sqlite
from storage.reports import Report, ReportStage
from storage.tasks import Task, TaskState
from storage.visits import Visit
from tests.bench.filled import VILLAGES, Staff, add, level, numbers, of, scattered, values, village

ROWS = (Child, Pairing, Case, Report, Task, Visit)
YEARS = timedelta(days=3650)
ON_FILE = 0.1
ALARMS = 200
_STEP = 48_271
"""Visits go round the children in steps of this."""
_HOUR, _DAY = 3600, 86400
_DAYS_AGO = (2, 5, 12, 20, 33, 45, 80, 100)
"""When children on file were last contacted."""


def fill(connection: Connection, staff: Staff, children: int, visits: int, until: datetime) -> None:
    """Write it all: one report and one case for each child, `visits` visits with their tasks, what is open now."""
    i = (every := numbers(children)).c.i
    on_file = scattered(i, ON_FILE)
    add(connection, Child, select(*_child(connection, i, on_file, staff, until)).select_from(every))
    paired = select(*_pairing(i, staff, until)).select_from(every).where(on_file, _is_paired(i))
    add(connection, Pairing, paired)
    add(connection, Case, select(*_case(connection, i, on_file, staff, children, until)).select_from(every))
    add(connection, Report, select(*_report(connection, i, staff, children, until)).select_from(every))
    add(connection, Task, _live(connection, i, visits, staff, until).select_from(every).where(on_file))
    add(
        connection,
        Task,
        _alarms(connection, every.c.i, visits + children, staff, until).select_from(every).where(i <= 200),
    )
    j = (times := numbers(visits)).c.i
    add(connection, Task, select(*_done(connection, j, children, visits, staff, until)).select_from(times))
    add(connection, Visit, select(*_visit(connection, j, children, visits, staff, until)).select_from(times))


def moment(connection: Connection, seconds: ColumnElement[int]) -> ColumnElement[Any]:
    """Seconds since 1970 as a column of ours keeps a moment."""
    if is_sqlite(connection):
        return func.strftime("%Y-%m-%d %H:%M:%S.000000", seconds, "unixepoch")
    return func.to_timestamp(seconds)


def day(connection: Connection, seconds: ColumnElement[int]) -> ColumnElement[Any]:
    """Seconds since 1970 as a column of ours keeps a day."""
    return func.date(seconds, "unixepoch") if is_sqlite(connection) else cast(func.to_timestamp(seconds), Date)


def _spread(number: ColumnElement[int], count: int, until: datetime) -> ColumnElement[int]:
    """When the thing with this number happened: one after the other through all the years."""
    years = int(YEARS.total_seconds())
    return cast(literal(int(until.timestamp()) - years, BigInteger) + number * years / count, BigInteger)


def _child(
    connection: Connection, i: ColumnElement[int], on_file: ColumnElement[bool], staff: Staff, until: datetime
) -> list[ColumnElement[Any]]:
    contacts = [
        (i % len(_DAYS_AGO) == n, literal(int(until.timestamp()) - ago * _DAY)) for n, ago in enumerate(_DAYS_AGO)
    ]
    return [
        i.label("id"), literal("C").concat(cast(i, Child.number.type)).label("number"),
        *values(Child, name="王小雨", name_index=b"n" * 32, sex="male", level_since=until - timedelta(days=200)),
        *values(Child, on_file_since=until - timedelta(days=300), policy_version=0),
        village(i, staff).label("area_id"), level(i).label("level"),
        day(connection, case(*contacts, else_=0)).label("last_contact_on"),
        case((_is_paired(i), of(Child.paired_since, until)), else_=of(Child.paired_since, None)).label("paired_since"),
        case((on_file, of(Child.off_file_at, None)), else_=of(Child.off_file_at, until - timedelta(days=99))).label(
            "off_file_at"
        ),
    ]  # fmt: skip


def _is_paired(i: ColumnElement[int]) -> ColumnElement[bool]:
    return i % 100 != 0


def _officer(child: ColumnElement[int], staff: Staff) -> ColumnElement[int]:
    return child % VILLAGES + staff.officer


def _pairing(i: ColumnElement[int], staff: Staff, until: datetime) -> list[ColumnElement[Any]]:
    return [
        i.label("id"), i.label("child_id"), _officer(i, staff).label("person_id"),
        *values(Pairing, side=Side.CADRE, since=until - timedelta(days=300)),
    ]  # fmt: skip


def _case(
    connection: Connection,
    i: ColumnElement[int],
    on_file: ColumnElement[bool],
    staff: Staff,
    count: int,
    until: datetime,
) -> list[ColumnElement[Any]]:
    stage = case((on_file, CaseStage.VISITED.value), else_=CaseStage.CLOSED.value)
    return [
        i.label("id"), literal("G-").concat(cast(i, Case.number.type)).label("number"), i.label("child_id"),
        village(i, staff).label("area_id"), stage.label("stage"), level(i).label("level"),
        _officer(i, staff).label("holder_id"), moment(connection, _spread(i, count, until)).label("opened_at"),
        *values(Case, policy_version=0),
    ]  # fmt: skip


def _report(
    connection: Connection, i: ColumnElement[int], staff: Staff, count: int, until: datetime
) -> list[ColumnElement[Any]]:
    """The last of a hundred are not settled yet, a tenth of these without the receipt of the police."""
    opened, settled = _spread(i, count, until), i * 100 < count * 99
    stages = case(
        (settled, ReportStage.RESOLVED.value), (i % 9 == 0, ReportStage.SET_ASIDE.value), else_=ReportStage.FILED.value
    )
    no_receipt = and_(~settled, i % 10 == 0)
    receipt = case((no_receipt, of(Report.police_receipt_at, None)), else_=of(Report.police_receipt_at, until))
    return [
        i.label("id"), i.label("child_id"), i.label("case_id"), village(i, staff).label("area_id"),
        moment(connection, opened).label("opened_at"), moment(connection, opened).label("heard_at"),
        stages.label("stage"), receipt.label("police_receipt_at"),
        case((i % 50 == 0, "immediate_danger"), else_="urgent").label("urgency"),
        *values(Report, kind="report", suggested="4", entries=1, policy_version=0),
    ]  # fmt: skip


def _task(child: ColumnElement[int], staff: Staff, kind: str, subject: str) -> list[ColumnElement[Any]]:
    return [
        village(child, staff).label("area_id"),
        *values(Task, kind=kind, subject=subject, urgency=0, rung=0, late=False, failures=0, policy_version=0),
    ]  # fmt: skip


def _live(connection: Connection, i: ColumnElement[int], after: int, staff: Staff, until: datetime) -> Select[Any]:
    """The visit to come of each child on file, some overdue."""
    due = literal(int(until.timestamp()), BigInteger) + (i % 90 - 9) * _DAY
    key = literal("visit:child:").concat(cast(i, Task.key.type)).concat(":cadre.live")
    return select(
        (i + after).label("id"), key.label("key"), i.label("subject_id"), _officer(i, staff).label("person_id"),
        moment(connection, due).label("due_at"), *_task(i, staff, "visit", "child"),
        *values(Task, state=TaskState.OPEN, opened_at=until - timedelta(days=30), next_at=until + timedelta(days=90)),
    )  # fmt: skip


def _alarms(connection: Connection, i: ColumnElement[int], after: int, staff: Staff, until: datetime) -> Select[Any]:
    """Alarms of the last two days, of which a third was taken."""
    key = literal("alarm:report:").concat(cast(i, Task.key.type))
    opened = literal(int(until.timestamp()), BigInteger) - i * 800
    state = case((i % 3 == 0, TaskState.CLAIMED.value), else_=TaskState.OPEN.value)
    claimed = case((i % 3 == 0, moment(connection, opened + 60)), else_=None)
    return select(
        (i + after).label("id"), key.label("key"), i.label("subject_id"), state.label("state"),
        claimed.label("claimed_at"), moment(connection, opened).label("opened_at"),
        moment(connection, opened + _HOUR).label("due_at"), *_task(i, staff, "alarm", "report"),
    )  # fmt: skip


def _of_visit(j: ColumnElement[int], children: int) -> ColumnElement[int]:
    return j * _STEP % children + 1


def _done(
    connection: Connection, j: ColumnElement[int], children: int, visits: int, staff: Staff, until: datetime
) -> list[ColumnElement[Any]]:
    child, due = _of_visit(j, children), _spread(j, visits, until)
    key = literal("visit:child:").concat(cast(child, Task.key.type)).concat(":cadre.").concat(cast(j, Task.key.type))
    state = case((j % 40 == 0, TaskState.CANCELLED.value), else_=TaskState.DONE.value)
    return [
        j.label("id"), key.label("key"), child.label("subject_id"), _officer(child, staff).label("person_id"),
        state.label("state"), moment(connection, due).label("due_at"),
        moment(connection, due - 10 * _DAY).label("opened_at"), moment(connection, due + _HOUR).label("ended_at"),
        *_task(child, staff, "visit", "child"),
    ]  # fmt: skip


def _visit(
    connection: Connection, j: ColumnElement[int], children: int, visits: int, staff: Staff, until: datetime
) -> list[ColumnElement[Any]]:
    child, due = _of_visit(j, children), _spread(j, visits, until)
    kind = case((j % 20 == 0, "not_met"), (j % 7 == 0, "phone"), else_="seen")
    return [
        j.label("id"), child.label("child_id"), j.label("task_id"), _officer(child, staff).label("person_id"),
        village(child, staff).label("area_id"), kind.label("kind"), day(connection, due).label("happened_on"),
        moment(connection, due + _HOUR).label("recorded_at"), *values(Visit, side=Side.CADRE, late=False, problems=0),
    ]  # fmt: skip
