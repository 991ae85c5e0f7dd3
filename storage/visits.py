"""Visits and calls to children on file: facts with their day and area."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.children import Child
from storage.contacts import Contact
from storage.database import Base, Id, SealedJson
from storage.people import Person
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
    recorded_at: Mapped[datetime] = mapped_column(index=True)
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


_L, _V = TaskTold.__table__, Visit.__table__
_STEPS_TAKEN = Hot(
    select(_L.c.rung, func.min(_L.c.told_at))
    .where(_L.c.task_id == bindparam("task_id"), _L.c.rung >= 0)
    .group_by(_L.c.rung)
)


MANY = 50
"""Ids that one statement takes."""
_T, _C, _P, _K = Task.__table__, Child.__table__, Person.__table__, Contact.__table__
_SOME: list[BindParameter[int]] = [bindparam(f"id{number}") for number in range(MANY)]
_CONTACT = (
    select(func.max(_K.c.id))
    .where(_K.c.person_id == _T.c.person_id, _K.c.openid_index.is_not(None), _K.c.unreachable_since.is_(None))
    .scalar_subquery()
)
_NOT_ASKED = Hot(
    select(
        _T.c.id, _T.c.kind, _T.c.person_id, _T.c.due_at, _T.c.opened_at, _C.c.level, _P.c.prompt_hour,
        _CONTACT.label("contact"),
    )
    .select_from(_T.join(_C, _C.c.id == _T.c.subject_id).join(_P, _P.c.id == _T.c.person_id))
    .where(
        _T.c.id.in_(_SOME), _T.c.kind == TASK_KIND,
        _T.c.state.in_(LIVE), _T.c.asked_at.is_(None), _C.c.off_file_at.is_(None), _P.c.left_at.is_(None),
        _P.c.away_until.is_(None),
        ~exists().where(_L.c.task_id == _T.c.id),
        ~exists().where(_V.c.child_id == _C.c.id, _V.c.kind == VisitKind.NOT_MET),
    )
    .order_by(_T.c.id)
)  # fmt: skip
_ASKED = Hot(
    update(_T)
    .where(_T.c.id.in_(_SOME))
    .values(
        rung=1, prompted_at=bindparam("now"), asked_at=bindparam("now"), next_at=bindparam("next_at"), failures=0,
        error=None,
    )
)  # fmt: skip
_TOLD = Hot(
    insert(_L).from_select(
        ["task_id", "person_id", "rung", "told_at"],
        select(
            _T.c.id, _T.c.person_id, bindparam("step", type_=_L.c.rung.type), bindparam("now", type_=_L.c.told_at.type)
        ).where(_T.c.id.in_(_SOME)),
    )
)


def not_asked_yet(connection: Connection, ids: Sequence[int]) -> Iterator[Any]:
    """Those of these tasks whose holder is at work and was not asked, and whose child nobody sought in vain.

    Each: id, kind, person_id, due_at, opened_at, the child's level, the holder's prompt_hour, and the contact by which
    WeChat reaches them.
    """
    for some in _some(ids):
        yield from _NOT_ASKED.all(connection, some)


def asked(connection: Connection, ids: Sequence[int], *, next_at: datetime | None, step: int, now: datetime) -> None:
    """Each of these tasks was asked of its holder just now, for the first time; all are looked at next at one moment.

    A statement for many: PostgreSQL takes 100 µs for each, whatever it changes.
    """
    for some in _some(ids):
        _TOLD.do(connection, {"step": step, "now": now, **some})
        _ASKED.do(connection, {"next_at": next_at, "now": now, **some})


def _some(ids: Sequence[int]) -> Iterator[dict[str, int]]:
    """The values of `_SOME`, as often as it takes; what is over repeats the last one."""
    for start in range(0, len(ids), MANY):
        some = [*ids[start : start + MANY]]
        some += some[-1:] * (MANY - len(some))
        yield {f"id{number}": one for number, one in enumerate(some)}


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


_MET = _V.alias("met")
_VAIN = Hot(
    select(func.count(_V.c.id)).where(
        _V.c.child_id == bindparam("child_id"), _V.c.side == bindparam("side"), _V.c.kind == VisitKind.NOT_MET,
        ~exists().where(
            _MET.c.child_id == _V.c.child_id, _MET.c.kind.in_(CONTACT), _MET.c.happened_on >= _V.c.happened_on
        ),
    )
)  # fmt: skip
