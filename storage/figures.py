"""The figures of a digest (domain.md 4.2). Each is one function that gives the list behind the number as a query.

The number is that query counted, so digest and list cannot differ. Rows carry their area, so a figure is an index
range below one path prefix. Each query yields `id`, `area_id` and `detail` (what the number is split by).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from storage.areas import Area
from storage.children import Child, no_reachable_pair
from storage.lifecycle import Step
from storage.reports import Report, ReportStage
from storage.tasks import LIVE, SERVICE, Task, TaskState
from storage.visits import Visit

Query = Select[int, int, str]

NO_REPORT = ("greeting", "advert", "question", "benefit")
"""Kinds of messages that are kept but report nothing."""
CLIMBING = ("alarm", "listen", "unread_message")
"""Kinds of tasks that somebody has to claim."""
VISIT = "visit"
RED = "red"
DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
RED_DAYS = 7
AGES = {"1-3": 3, "4-7": 7}
"""Age of an overdue task → the most days it may be; older ones are `8+`."""
OLDEST = "8+"

_UNSETTLED = (ReportStage.DRAFT, ReportStage.FILED, ReportStage.ACCEPTED)
_CONTACT = ("seen", "phone")
_ONE = aliased(Task)


@dataclass(frozen=True)
class Span:
    """What one digest looks at: everything below an area, as it stood at a moment."""

    path: str
    """Path of the area."""
    moment: datetime
    midnight: datetime
    """Where the moment's day began, by the county's clock."""
    day: date
    past: bool
    """Whether the moment is over, so that what happened since has to be left out."""
    unclaimed_after: timedelta
    on_time_from: Mapping[str, date]
    """Level → a child seen or spoken to on this day or later was contacted on time."""
    expected_since: Mapping[str, datetime]
    """Level → children on it since before this moment should have been contacted."""


def new_reports(span: Span) -> Query:
    """Reports opened in the 24 hours before the moment, without merged ones and those set aside; by situation."""
    return _reports(span, Report.opened_at >= span.moment - DAY, _not_set_aside(span))


def immediate_danger(span: Span) -> Query:
    """Those of `new_reports` in which a child was in danger at that very time."""
    return new_reports(span).where(Report.urgency == "immediate_danger")


def without_police_receipt(span: Span) -> Query:
    """Unsettled reports without the receipt of the police, unless a person found none of the nine situations."""
    no_receipt: ColumnElement[bool] = Report.police_receipt_at.is_(None)
    if span.past:
        no_receipt = or_(no_receipt, Report.police_receipt_at > span.moment)
    return _reports(span, no_receipt, _unsettled(span), or_(Report.situation.is_(None), Report.situation != 0))


def unclaimed_alarms(span: Span) -> Query:
    """Alarms out for longer than the county allows that nobody has taken; by kind."""
    return _tasks(
        span, Task.kind, _live(span, _ONE.kind.in_(CLIMBING)), Task.opened_at < span.moment - span.unclaimed_after,
        _open(span),
    )  # fmt: skip


def visits_due(span: Span) -> Query:
    """Visits whose due day is one of the seven days before this one, without cancelled ones; by how they were made."""
    standing: ColumnElement[bool] = Task.state != TaskState.CANCELLED
    if span.past:
        standing = or_(standing, Task.ended_at > span.moment)
    return _due_in_week(span, standing)


def visits_done(span: Span) -> Query:
    """Those of `visits_due` in which the child was seen face to face; phone calls are apart."""
    return visits_due(span).where(Visit.kind == "seen")


def visits_overdue(span: Span) -> Query:
    """Visits whose due day is over and that were not made; by age."""
    return _overdue(span, Task.kind == VISIT)


def tasks_overdue(span: Span) -> Query:
    """Everything that somebody of the county should have done before this day began, visits included; by age."""
    return _overdue(
        span,
        Task.kind.not_in(SERVICE),
        or_(Task.role.is_(None), Task.role != "reporter"),
        or_(Task.kind.not_in(CLIMBING), _open(span)),
    )


def children_on_file(span: Span) -> Query:
    """Children with an open file; by level."""
    return _children(span, Child.level)


def red_without_contact(span: Span) -> Query:
    """Red children on file for more than seven days whom nobody has seen face to face for more than seven days."""
    seen = exists().where(
        Visit.child_id == Child.id, Visit.kind == "seen", Visit.happened_on >= span.day - timedelta(days=RED_DAYS),
        Visit.recorded_at <= span.moment,
    )  # fmt: skip
    return _children(
        span, Child.level, Child.level == RED, Child.on_file_since < span.moment - timedelta(days=RED_DAYS), ~seen
    )


def unattended(span: Span) -> Query:
    """Children on file whose pair reaches nobody on a side, or who were not contacted on time; by reason (pair first).

    The pair is taken as it is now, also when the moment is over.
    """
    no_pair = no_reachable_pair()
    reason = case((no_pair, literal("no_pair")), else_=literal("late"))
    return _children(span, reason, or_(no_pair, _not_on_time(span)))


# Counting and listing.


def counted(connection: Connection, query: Query) -> list[tuple[int, str, int]]:
    """How many by area and detail: (area id, detail, number)."""
    rows = query.subquery()
    count = select(rows.c.area_id, rows.c.detail, func.count()).group_by(rows.c.area_id, rows.c.detail)
    return [(area, detail, number) for area, detail, number in connection.execute(count)]


def listed(connection: Connection, query: Query, limit: int | None = None, start: int = 0) -> list[Any]:
    """The list or a part of it, place by place: id, area_id, detail."""
    rows = query.subquery()
    ordered = (
        select(rows.c.id, rows.c.area_id, rows.c.detail)
        .join(Area, Area.id == rows.c.area_id)
        .order_by(Area.path, rows.c.id)
    )
    return list(connection.execute(ordered.limit(limit).offset(start)))


def below(connection: Connection, path: str) -> dict[int, tuple[int, str]]:
    """Area id → (id, name) of the area directly below `path` that it lies in; the top itself is its own group."""
    rows = connection.execute(select(Area.id, Area.path, Area.name).where(Area.path.startswith(path))).all()
    names = {row.id: row.name for row in rows}
    depth = path.count("/")
    groups = {}
    for row in rows:
        steps = row.path.strip("/").split("/")
        group = int(steps[min(depth - 1, len(steps) - 1)])
        groups[row.id] = (group, names[group])
    return groups


def role_matters(span: Span, role: str) -> Query:
    """Live tasks that wait for whoever holds a role, such as an empty post for the county; by kind."""
    return _tasks(span, Task.kind, Task.state.in_(LIVE), Task.person_id.is_(None), Task.role == role)


def people_with_live(connection: Connection, kind: str) -> set[int]:
    """The people who hold a live task of a kind."""
    held = select(Task.person_id).where(Task.kind == kind, Task.state.in_(LIVE), Task.person_id.is_not(None))
    return {person for person in connection.execute(held).scalars() if person is not None}


# What the queries share.


def _within(area_id: InstrumentedAttribute[int], span: Span) -> ColumnElement[bool]:
    return area_id.in_(select(Area.id).where(Area.path.startswith(span.path)))


def _until(end: InstrumentedAttribute[datetime | None], span: Span) -> ColumnElement[bool]:
    """Not ended at the moment."""
    return or_(end.is_(None), end > span.moment) if span.past else end.is_(None)


def _reports(span: Span, *where: ColumnElement[bool]) -> Query:
    """The person's word on the situation, else the rules' suggestions as they stand in the row."""
    detail = case((Report.situation.is_not(None), cast(Report.situation, String)), else_=Report.suggested)
    return select(Report.id, Report.area_id, detail.label("detail")).where(
        _within(Report.area_id, span), Report.opened_at < span.moment, Report.kind.not_in(NO_REPORT),
        Report.merged_into_id.is_(None), *where,
    )  # fmt: skip


def _moved_since(span: Span, *stages: ReportStage) -> ColumnElement[bool]:
    """Whether a report left one of these stages after the moment."""
    return exists().where(
        Step.subject == Report.__tablename__, Step.subject_id == Report.id, Step.at > span.moment,
        Step.before.in_(stages),
    )  # fmt: skip


def _not_set_aside(span: Span) -> ColumnElement[bool]:
    standing: ColumnElement[bool] = Report.stage != ReportStage.SET_ASIDE
    return or_(standing, _moved_since(span, *_UNSETTLED)) if span.past else standing


def _unsettled(span: Span) -> ColumnElement[bool]:
    unsettled: ColumnElement[bool] = Report.stage.in_(_UNSETTLED)
    return or_(unsettled, _moved_since(span, *_UNSETTLED)) if span.past else unsettled


def _tasks(span: Span, detail: ColumnElement[str] | InstrumentedAttribute[str], *where: ColumnElement[bool]) -> Query:
    """The area is looked at last, row by row: most tasks of a county ended long ago, and only time tells which."""
    inside = exists().where(Area.id == Task.area_id, Area.path.startswith(span.path))
    return select(Task.id, Task.area_id, detail.label("detail")).where(Task.opened_at <= span.moment, *where, inside)


def _live(span: Span, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Live at the moment: live now, or ended since. Looked for first, since almost all tasks ended long ago.

    `where`: what else is known of them, said of `_ONE`.
    """
    live = select(_ONE.id).where(_ONE.state.in_(LIVE), *where)
    if not span.past:
        return Task.id.in_(live)
    return Task.id.in_(live.union_all(select(_ONE.id).where(_ONE.ended_at > span.moment, *where)))


def _open(span: Span) -> ColumnElement[bool]:
    """Taken by nobody at the moment."""
    if not span.past:
        return Task.state == TaskState.OPEN
    return and_(
        or_(Task.claimed_at.is_(None), Task.claimed_at > span.moment),
        or_(Task.ended_at.is_(None), Task.ended_at > span.moment),
    )


def _due_in_week(span: Span, *where: ColumnElement[bool]) -> Query:
    query = _tasks(
        span, func.coalesce(Visit.kind, literal("none")),
        Task.kind == VISIT, Task.due_at >= span.midnight - WEEK, Task.due_at < span.midnight, *where,
    )  # fmt: skip
    return query.outerjoin_from(Task, Visit, and_(Visit.task_id == Task.id, Visit.recorded_at <= span.moment))


def _overdue(span: Span, *where: ColumnElement[bool]) -> Query:
    ages = ((Task.due_at >= span.midnight - timedelta(days=most), literal(age)) for age, most in AGES.items())
    return _tasks(span, case(*ages, else_=literal(OLDEST)), _live(span, _ONE.due_at < span.midnight), *where)


def _children(
    span: Span, detail: ColumnElement[str] | InstrumentedAttribute[str], *where: ColumnElement[bool]
) -> Query:
    return select(Child.id, Child.area_id, detail.label("detail")).where(
        _within(Child.area_id, span), Child.on_file_since <= span.moment, _until(Child.off_file_at, span), *where
    )


def _not_on_time(span: Span) -> ColumnElement[bool]:
    """Nobody saw or spoke to the child within the interval of its level; an unknown level counts as the strictest."""
    known = list(span.on_time_from)
    return or_(
        *(
            and_(
                Child.level.not_in([one for one in known if one != RED]) if level == RED else Child.level == level,
                Child.level_since < span.expected_since[level],
                or_(Child.last_contact_on.is_(None), Child.last_contact_on < since, *_only_later(span, since)),
            )
            for level, since in span.on_time_from.items()
        )
    )


def _only_later(span: Span, since: date) -> list[ColumnElement[bool]]:
    """For a moment that is over: whether the contact that counts was made only after it."""
    contact = and_(Visit.child_id == Child.id, Visit.kind.in_(_CONTACT))
    made_later = exists().where(contact, Visit.recorded_at > span.moment)
    made_before = exists().where(contact, Visit.recorded_at <= span.moment, Visit.happened_on >= since)
    return [and_(made_later, ~made_before)] if span.past else []
