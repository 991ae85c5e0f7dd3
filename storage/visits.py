"""Visits and calls to children on file: facts with their day and area."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, bindparam, exists, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, SealedJson
from storage.rows import connection_of
from storage.statements import Hot
from storage.tasks import LIVE, Task, TaskTold

TASK_KIND = "visit"
"""The kind of the tasks that ask for visits; there is one for each child and side of its pair."""


class VisitKind(StrEnum):
    """What came of going there."""

    SEEN = "seen"
    PHONE = "phone"
    NOT_MET = "not_met"


CONTACT = (VisitKind.SEEN, VisitKind.PHONE)
"""The child was met or spoken to."""


class Visit(Base):
    """One visit, call, or vain try."""

    __tablename__ = "visit"
    __table_args__ = (
        Index("ix_visit_area_day", "area_id", "happened_on", "kind"),
        Index("ix_visit_child", "child_id", "happened_on"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("child.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"), unique=True)
    """The task it answered; unique, so that one answer is never filed twice."""
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """`seen`, `phone` or `not_met`."""
    side: Mapped[str] = mapped_column(String(20))
    happened_on: Mapped[date]
    recorded_at: Mapped[datetime]
    late: Mapped[bool] = mapped_column(default=False)
    guardianship: Mapped[str | None] = mapped_column(String(10))
    study: Mapped[str | None] = mapped_column(String(10))
    body_and_mind: Mapped[str | None] = mapped_column(String(10))
    problems: Mapped[int] = mapped_column(SmallInteger, default=0)
    notes: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("visit.notes"))
    """Topic → the one sentence for anything not fine; `why` for a vain try."""


def last_task(session: Session, child_id: int, side: str) -> Task | None:
    """The visit task opened last for a side of a child's pair, whatever became of it."""
    query = select(Task).where(
        Task.subject == "child", Task.subject_id == child_id, Task.kind == TASK_KIND,
        Task.key.startswith(task_key(child_id, side), autoescape=True),
    )  # fmt: skip
    return session.scalars(query.order_by(Task.id.desc()).limit(1)).first()


def task_key(child_id: int, side: str) -> str:
    """How the keys of these tasks begin."""
    return f"{TASK_KIND}:child:{child_id}:{side}."


def held_by(session: Session, person_id: int) -> list[Task]:
    """The visit tasks somebody holds, oldest due first."""
    query = select(Task).where(Task.person_id == person_id, Task.kind == TASK_KIND, Task.state.in_(LIVE))
    return list(session.scalars(query.order_by(Task.due_at, Task.id)))


def steps_taken(session: Session, task_id: int) -> dict[int, datetime]:
    """Steps of a task's ladder → when each was first taken."""
    return {row[0]: row[1] for row in _STEPS_TAKEN.all(connection_of(session), {"task_id": task_id})}


_L = TaskTold.__table__
_STEPS_TAKEN = Hot(
    select(_L.c.rung, func.min(_L.c.told_at))
    .where(_L.c.task_id == bindparam("task_id"), _L.c.rung >= 0)
    .group_by(_L.c.rung)
)


def of_task(session: Session, task_id: int) -> Visit | None:
    """The visit that answered a task."""
    return session.scalar(select(Visit).where(Visit.task_id == task_id))


def same(session: Session, child_id: int, person_id: int, side: str, day: date, kind: str) -> Visit | None:
    """What this person already recorded of this kind for this child, side and day."""
    query = select(Visit).where(
        Visit.child_id == child_id, Visit.happened_on == day, Visit.person_id == person_id, Visit.side == side,
        Visit.kind == kind,
    )  # fmt: skip
    return session.scalars(query.limit(1)).first()


def last_contact(session: Session, child_id: int, side: str | None = None) -> date | None:
    """The last recorded day on which the child was met or spoken to, by one side of its pair or by anybody."""
    query = select(func.max(Visit.happened_on)).where(Visit.child_id == child_id, Visit.kind.in_(CONTACT))
    return session.scalar(query if side is None else query.where(Visit.side == side))


def vain_in_a_row(session: Session, child_id: int, side: str) -> int:
    """Vain tries of a side since anybody last met or spoke to the child."""
    count: int = _VAIN.scalar(connection_of(session), {"child_id": child_id, "side": side})
    return count


_V = Visit.__table__
_MET = _V.alias("met")
_VAIN = Hot(
    select(func.count(_V.c.id)).where(
        _V.c.child_id == bindparam("child_id"), _V.c.side == bindparam("side"), _V.c.kind == VisitKind.NOT_MET,
        ~exists().where(
            _MET.c.child_id == _V.c.child_id, _MET.c.kind.in_(CONTACT), _MET.c.happened_on >= _V.c.happened_on
        ),
    )
)  # fmt: skip
