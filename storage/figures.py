"""The figures of a digest (domain.md 4.2). Each is one function that gives the list behind the number as a query.

The number is that query counted, so digest and list cannot differ. Each yields `id`, `area_id` and `detail` (what the
number is split by). Each is made of index ranges over what is live, open or of these days, one range a branch: neither
database uses an index for two ways to be behind that are joined by OR, and a county keeps ten years of rows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    SelectBase,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from storage.areas import Area
from storage.children import Child, without_reach
from storage.lifecycle import Step
from storage.reports import Report, ReportStage
from storage.statements import Hot
from storage.tasks import LIVE, SERVICE, Task, TaskState
from storage.visits import Visit

Detail = ColumnElement[str] | InstrumentedAttribute[str]
One = Select[int, int, str]
Query = One | CompoundSelect[int, int, str]
Figure = Callable[["Shape"], Query]

NO_REPORT = ("greeting", "advert", "question", "benefit")
"""Kinds of messages that are kept but report nothing."""
CLIMBING = ("alarm", "listen", "unread_message")
"""Kinds of tasks that somebody has to claim."""
VISIT = "visit"
RED = "red"
DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
RED_DAYS = timedelta(days=7)
AGES = {"1-3": 3, "4-7": 7}
"""Age of an overdue task → the most days it may be; older ones are `8+`."""
OLDEST = "8+"

_UNSETTLED = (ReportStage.DRAFT, ReportStage.FILED, ReportStage.ACCEPTED)
_CONTACT = ("seen", "phone")


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

    @property
    def shape(self) -> "Shape":
        """What decides how its queries are written."""
        return Shape(self.past, "/" not in self.path.strip("/"), tuple(sorted(self.on_time_from)))

    def values(self) -> dict[str, Any]:
        """What its queries ask with, by the names of `_at` and `_on`."""
        return {
            "path": self.path, "moment": self.moment, "midnight": self.midnight, "yesterday": self.moment - DAY,
            "unclaimed_before": self.moment - self.unclaimed_after, "week_ago": self.midnight - WEEK,
            "seen_from": self.day - RED_DAYS, "red_before": self.moment - RED_DAYS,
            **{f"age_{age}": self.midnight - timedelta(days=most) for age, most in AGES.items()},
            **{f"on_time_from_{level}": one for level, one in self.on_time_from.items()},
            **{f"expected_since_{level}": one for level, one in self.expected_since.items()},
        }  # fmt: skip


class Shape(NamedTuple):
    """The queries of all spans of one shape are the same, so each is written and compiled only once."""

    past: bool
    is_county: bool
    """Whether the area is the whole county, so that every row is below it."""
    levels: tuple[str, ...]
    """The levels that have rules, sorted."""


def new_reports(shape: Shape) -> Query:
    """Reports opened in the 24 hours before the moment, without merged ones and those set aside; by situation."""
    return _new_reports(shape)


def immediate_danger(shape: Shape) -> Query:
    """Those of `new_reports` in which a child was in danger at that very time."""
    return _new_reports(shape, Report.urgency == "immediate_danger")


def without_police_receipt(shape: Shape) -> Query:
    """Unsettled reports without the receipt of the police, unless a person found none of the nine situations."""
    no_receipt: ColumnElement[bool] = Report.police_receipt_at.is_(None)
    if shape.past:
        no_receipt = or_(no_receipt, Report.police_receipt_at > _at("moment"))
    asked_for = no_receipt, or_(Report.situation.is_(None), Report.situation != 0)
    unsettled = [_reports(shape, Report.stage.in_(_UNSETTLED), *asked_for)]
    if shape.past:
        settled_since = Report.id.in_(_moved_since(*_UNSETTLED))
        unsettled.append(_reports(shape, Report.stage.not_in(_UNSETTLED), settled_since, *asked_for))
    return union_all(*unsettled)


def unclaimed_alarms(shape: Shape) -> Query:
    """Alarms out for longer than the county allows that nobody has taken; by kind."""
    too_long = Task.opened_at < _at("unclaimed_before")
    kinds = (_live(shape, Task.kind, Task.kind == kind, too_long, _open(shape)) for kind in CLIMBING)
    return union_all(*(one for kind in kinds for one in kind))


def visits_due(shape: Shape) -> Query:
    """Visits whose due day is one of the seven days before this one, without cancelled ones; by how they were made."""
    return _due_in_week(shape)


def visits_done(shape: Shape) -> Query:
    """Those of `visits_due` in which the child was seen face to face; phone calls are apart."""
    return _due_in_week(shape, Visit.kind == "seen")


def visits_overdue(shape: Shape) -> Query:
    """Visits whose due day is over and that were not made; by age."""
    return union_all(*_overdue(shape, Task.kind == VISIT))


def tasks_overdue(shape: Shape) -> Query:
    """Everything that somebody of the county should have done before this day began, visits included; by age."""
    owed = (
        Task.kind.not_in(SERVICE),
        or_(Task.role.is_(None), Task.role != "reporter"),
        or_(Task.kind.not_in(CLIMBING), _open(shape)),
    )
    others = (one for kind in (Task.kind < VISIT, Task.kind > VISIT) for one in _overdue(shape, kind, *owed))
    return union_all(*_overdue(shape, Task.kind == VISIT), *others)


def children_on_file(shape: Shape) -> Query:
    """Children with an open file; by level."""
    return union_all(*_children(shape, Child.level))


def red_without_contact(shape: Shape) -> Query:
    """Red children on file for more than seven days whom nobody has seen face to face for more than seven days."""
    seen = exists().where(
        Visit.child_id == Child.id, Visit.kind == "seen", Visit.happened_on >= _on("seen_from"),
        Visit.recorded_at <= _at("moment"),
    )  # fmt: skip
    long_on_file = Child.on_file_since < _at("red_before")
    return union_all(*_children(shape, Child.level, Child.level == RED, long_on_file, ~seen))


def unattended(shape: Shape) -> Query:
    """Children on file whose pair reaches nobody on a side, or who were not contacted on time; by reason (pair first).

    The pair is taken as it is now, also when the moment is over.
    """
    no_pair = (one for side in without_reach() for one in _children(shape, literal("no_pair"), side))
    alone = union(*no_pair).cte("alone")
    return union_all(select(alone.c.id, alone.c.area_id, alone.c.detail), *_late(shape, alone))


# Counting and listing.


def counted(connection: Connection, figure: Figure, span: Span) -> list[tuple[int, str, int]]:
    """How many by area and detail: (area id, detail, number); two branches of a query may both have some."""
    return _counting(figure, span.shape).all(connection, span.values())


@cache
def _counting(figure: Figure, shape: Shape) -> Hot:
    query = figure(shape)
    branches = query.selects if isinstance(query, CompoundSelect) else [query]
    return Hot(union_all(*map(_grouped, branches)))


def _grouped(branch: SelectBase) -> Select[int, str, int]:
    rows = branch.subquery()
    return select(rows.c.area_id, rows.c.detail, func.count().label("number")).group_by(rows.c.area_id, rows.c.detail)


def listed(connection: Connection, figure: Figure, span: Span, limit: int | None = None, start: int = 0) -> list[Any]:
    """The list or a part of it, place by place: id, area_id, detail."""
    rows = figure(span.shape).subquery()
    ordered = (
        select(rows.c.id, rows.c.area_id, rows.c.detail)
        .join(Area, Area.id == rows.c.area_id)
        .order_by(Area.path, rows.c.id)
    )
    return list(connection.execute(ordered.limit(limit).offset(start), span.values()))


def below(connection: Connection, path: str) -> dict[int, tuple[int, str]]:
    """Area id → (id, name) of the area directly below `path` that it lies in; first the top, which is its own group."""
    below = select(Area.id, Area.path, Area.name).where(Area.path.startswith(path))
    rows = connection.execute(below.order_by(Area.path)).all()
    names = {row.id: row.name for row in rows}
    depth = path.count("/")
    groups = {}
    for row in rows:
        steps = row.path.strip("/").split("/")
        group = int(steps[min(depth - 1, len(steps) - 1)])
        groups[row.id] = (group, names[group])
    return groups


@cache
def role_matters(role: str) -> Figure:
    """Live tasks that wait for whoever holds a role, such as an empty post for the county; by kind."""
    return lambda shape: _tasks(shape, Task.kind, Task.state.in_(LIVE), Task.person_id.is_(None), Task.role == role)


def people_with_live(connection: Connection, kind: str) -> set[int]:
    """The people who hold a live task of a kind."""
    held = select(Task.person_id).where(Task.kind == kind, Task.ended_at.is_(None), Task.person_id.is_not(None))
    return {person for person in connection.execute(held).scalars() if person is not None}


# What the queries share.


def _within(area_id: InstrumentedAttribute[int], shape: Shape) -> list[ColumnElement[bool]]:
    """Nothing is asked of the whole county's rows."""
    below = select(Area.id).where(Area.path.startswith(bindparam("path", type_=String)))
    return [] if shape.is_county else [area_id.in_(below)]


def _reports(shape: Shape, *where: ColumnElement[bool]) -> One:
    """The person's word on the situation, else the rules' suggestions as they stand in the row."""
    detail = case((Report.situation.is_not(None), cast(Report.situation, String)), else_=Report.suggested)
    return select(Report.id, Report.area_id, detail.label("detail")).where(
        Report.opened_at < _at("moment"), Report.kind.not_in(NO_REPORT), Report.merged_into_id.is_(None), *where,
        *_within(Report.area_id, shape),
    )  # fmt: skip


def _new_reports(shape: Shape, *where: ColumnElement[bool]) -> Query:
    standing: ColumnElement[bool] = Report.stage != ReportStage.SET_ASIDE
    if shape.past:
        standing = or_(standing, Report.id.in_(_moved_since(*_UNSETTLED)))
    return _reports(shape, Report.opened_at >= _at("yesterday"), standing, *where)


def _moved_since(*stages: ReportStage) -> Select[int]:
    """The reports that left one of these stages after the moment."""
    return select(Step.subject_id).where(
        Step.subject == Report.__tablename__, Step.at > _at("moment"), Step.before.in_(stages)
    )


def _tasks(shape: Shape, detail: Detail, *where: ColumnElement[bool]) -> One:
    return select(Task.id, Task.area_id, detail.label("detail")).where(
        Task.opened_at <= _at("moment"), *where, *_within(Task.area_id, shape)
    )


def _live(shape: Shape, detail: Detail, *where: ColumnElement[bool]) -> list[One]:
    """Tasks that had not ended at the moment; those that ended since are looked for by when they did."""
    return [_tasks(shape, detail, one, *where) for one in _not_over(Task, "ended_at", shape)]


def _not_over(row: type[Task | Child], end: str, shape: Shape) -> list[ColumnElement[bool]]:
    """What had no end at the moment: what has none, and of a moment that is over what ended since, found by its end."""
    since = aliased(row)
    ended_since = row.id.in_(select(since.id).where(getattr(since, end) > _at("moment")))
    return [getattr(row, end).is_(None), *([ended_since] if shape.past else [])]


def _open(shape: Shape) -> ColumnElement[bool]:
    """Taken by nobody at the moment."""
    if not shape.past:
        return Task.state == TaskState.OPEN
    return or_(Task.claimed_at.is_(None), Task.claimed_at > _at("moment"))


def _due_in_week(shape: Shape, *where: ColumnElement[bool]) -> Query:
    standing: ColumnElement[bool] = Task.state != TaskState.CANCELLED
    if shape.past:
        standing = or_(standing, Task.ended_at > _at("moment"))
    query = _tasks(
        shape, func.coalesce(Visit.kind, literal("none")),
        Task.kind == VISIT, Task.due_at >= _at("week_ago"), Task.due_at < _at("midnight"), standing, *where,
    )  # fmt: skip
    return query.outerjoin_from(Task, Visit, and_(Visit.task_id == Task.id, Visit.recorded_at <= _at("moment")))


def _overdue(shape: Shape, *where: ColumnElement[bool]) -> list[One]:
    ages = ((Task.due_at >= _at(f"age_{age}"), literal(age)) for age in AGES)
    return _live(shape, case(*ages, else_=literal(OLDEST)), Task.due_at < _at("midnight"), *where)


def _children(shape: Shape, detail: Detail, *where: ColumnElement[bool]) -> list[One]:
    """Children on file at the moment; those who went off it since are looked for by when they did."""
    return [
        select(Child.id, Child.area_id, detail.label("detail")).where(
            one, Child.on_file_since <= _at("moment"), *where, *_within(Child.area_id, shape)
        )
        for one in _not_over(Child, "off_file_at", shape)
    ]


def _late(shape: Shape, alone: CTE) -> Iterator[One]:
    """Nobody saw or spoke to the child within the interval of its level; an unknown level counts as the strictest."""
    since = _by_level({level: _on(f"on_time_from_{level}") for level in shape.levels})
    expected = Child.level_since < _by_level({level: _at(f"expected_since_{level}") for level in shape.levels})
    on_file, *off_since = _children(shape, literal("late"), expected, Child.id.not_in(select(alone.c.id)))
    known = shape.levels
    for level in known:  # by one value each: with IN, SQLite takes to another index and reads every child
        yield on_file.where(Child.level == level, Child.last_contact_on < _on(f"on_time_from_{level}"))
        yield on_file.where(Child.level == level, Child.last_contact_on.is_(None))
    # A level that nobody knows lies before, between or after the others: ranges in which there is nothing.
    between = (and_(Child.level > one, Child.level < following) for one, following in pairwise(known))
    unknown = (Child.level < known[0], *between, Child.level > known[-1])
    missed = [Child.last_contact_on.is_(None), Child.last_contact_on < since]
    if shape.past:  # or the contact that counts was made only after it
        met = Visit.child_id == Child.id, Visit.kind.in_(_CONTACT)
        before = select(Visit.id).where(*met, Visit.happened_on >= since, Visit.recorded_at <= _at("moment"))
        met_since = select(Visit.child_id).where(Visit.kind.in_(_CONTACT), Visit.recorded_at > _at("moment"))
        only_later = Child.id.in_(met_since), ~before.exists()
        missed.append(and_(*only_later))
        yield on_file.where(*only_later, Child.level.in_(known), Child.last_contact_on >= since)
    for one in unknown:
        yield on_file.where(one, or_(*missed))
    for gone in off_since:
        yield gone.where(or_(*missed))


def _by_level(values: Mapping[str, ColumnElement[Any]]) -> ColumnElement[Any]:
    """What the child's level gives; the strictest's for one that nobody knows."""
    return case(*((Child.level == level, value) for level, value in values.items()), else_=values[RED])


def _at(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=Task.due_at.type)


def _on(name: str) -> BindParameter[date]:
    return bindparam(name, type_=Child.last_contact_on.type)
