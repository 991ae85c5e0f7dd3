"""Tasks: the one record behind everything that somebody must do, and the numbers people were shown.

Who (a person, or a role of an area, or the reporter of a report), about what (subject), why (kind), due when, and
`next_at`, when the task's function looks at it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, due_index, live_index
from storage.rows import Found, connection_of
from storage.statements import Hot


class TaskState(StrEnum):
    """`open`: somebody must act; `claimed`: one person took it; the rest are ends."""

    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    CANCELLED = "cancelled"


LIVE = (TaskState.OPEN, TaskState.CLAIMED)


SERVICE = ("digest", "burst", "absence")
"""Kinds of tasks that the bot itself does: in nobody's list, nobody has to act for them or is behind with them."""


class Task(Base):
    """One obligation."""

    __tablename__ = "task"
    __table_args__ = (
        due_index("ix_task_due", "next_at", "person_id"),
        due_index("ix_task_urgent", only="urgency > 0"),
        Index("ix_task_person", "person_id", "state"),
        Index("ix_task_subject", "subject", "subject_id", "kind"),
        Index("ix_task_kind", "kind", "due_at"),
        live_index("ix_task_live", "ended_at", "kind", "due_at", "area_id", "opened_at", "id"),
        due_index("ix_task_ended", "ended_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    """What makes it the same task when it is opened twice: kind, subject and, where it repeats, its date."""
    kind: Mapped[str] = mapped_column(String(30))
    subject: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int] = mapped_column(Id)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str | None] = mapped_column(String(30))
    """Who must act while no person does: `duty` of the area, a role of the area, or `reporter`."""
    state: Mapped[str] = mapped_column(String(10))
    urgency: Mapped[int] = mapped_column(SmallInteger, default=0)
    """0 ordinary, 1 urgent, 2 danger; the order of the list."""
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    rung: Mapped[int] = mapped_column(SmallInteger, default=0)
    """How far its ladder was climbed: the next step to take."""
    prompted_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    """Since when its holder has known of it and done nothing about it; None: not asked yet, or answered since."""
    claimed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    late: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    error: Mapped[str | None] = mapped_column(String(200))
    policy_version: Mapped[int] = mapped_column(default=0)


class TaskTold(Base):
    """Who was told about a task, at which rung."""

    __tablename__ = "task_told"
    __table_args__ = (UniqueConstraint("task_id", "person_id", "rung"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    rung: Mapped[int] = mapped_column(SmallInteger)
    told_at: Mapped[datetime]


_T = Task.__table__
_FIND = Hot(select(_T.c.id).where(_T.c.key == bindparam("key")))
_NEW = Hot(lambda insert: insert(_T).on_conflict_do_nothing(index_elements=[_T.c.key]).returning(_T.c.id))
_DUE = (
    select(_T.c.id, _T.c.kind, _T.c.subject, _T.c.subject_id, _T.c.failures, _T.c.next_at)
    .where(_T.c.next_at <= bindparam("now"), _T.c.state.in_(LIVE))
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, key_share=True)
)
# Two statements, each in the order of its index: sorting 100,000 due rows for every batch of them would cost 30 ms.
# What is said to one person at one moment lies together. The zero is literal, or SQLite would not use the index.
_NONE = literal_column("0", Integer)
_DUE_URGENT = Hot(_DUE.where(_T.c.urgency > _NONE).order_by(_T.c.urgency.desc(), _T.c.next_at, _T.c.id))
_DUE_REST = Hot(_DUE.where(_T.c.urgency <= _NONE).order_by(_T.c.next_at, _T.c.person_id, _T.c.id))
_BEGIN = Found(Task, update(_T).where(_T.c.id == bindparam("b_id")).values(next_at=None).returning(*_T.c))
_MOVE_OPEN = Hot(
    update(_T).where(_T.c.key == bindparam("b_key"), _T.c.state.in_(LIVE)).values(next_at=bindparam("next_at"))
)
_NEW_ONLY = Hot(insert(_T))
_FRESH: dict[str, Any] = dict.fromkeys(("person_id", "role", "ended_at")) | {
    "state": TaskState.OPEN, "urgency": 0, "rung": 0, "late": False, "failures": 0
}  # fmt: skip
# Only ever moved nearer, so that most messages write no row; a look that is early moves on (`handlers.drafts.quiet`).
_QUIET_AT = bindparam("quiet_at", type_=_T.c.next_at.type)
_IS_DRAFT = and_(
    _T.c.key == bindparam("draft"), _T.c.state.in_(LIVE), or_(_T.c.next_at.is_(None), _T.c.next_at > _QUIET_AT)
)
_QUIET = Hot(update(_T).where(_IS_DRAFT).values(next_at=_QUIET_AT))
_BURST = _T.c.key == bindparam("burst")
_FOLLOW_AT = bindparam("follow_at", type_=_T.c.next_at.type)
_HEARD = Hot(
    update(_T)
    .where(or_(_BURST, _IS_DRAFT))
    .values(
        next_at=case((_BURST, _FOLLOW_AT), else_=_QUIET_AT),
        due_at=case((_BURST, _FOLLOW_AT), else_=_T.c.due_at),
        state=case((_BURST, literal(TaskState.OPEN.value)), else_=_T.c.state),
        ended_at=case((_BURST, null()), else_=_T.c.ended_at),
    )
)
"""One update moves both clocks of a report: its silence, and what follows its last words, which may run many times."""
_CLAIM = Hot(
    update(_T)
    .where(_T.c.id == bindparam("b_id"), _T.c.state == TaskState.OPEN)
    .values(state=TaskState.CLAIMED, person_id=bindparam("person_id"), claimed_at=bindparam("now"), next_at=None)
)
_END = Hot(
    update(_T)
    .where(_T.c.id == bindparam("b_id"), _T.c.state.in_(LIVE))
    .values(state=bindparam("new_state"), ended_at=bindparam("now"), next_at=None, late=_T.c.due_at < bindparam("now"))
)
_FAILED = Hot(
    update(_T)
    .where(_T.c.id == bindparam("b_id"))
    .values(next_at=bindparam("next_at"), failures=_T.c.failures + 1, error=bindparam("error"))
)


def open_task(  # noqa: PLR0913 - a row has this many columns
    connection: Connection,
    *,
    key: str,
    kind: str,
    subject: str,
    subject_id: int,
    area_id: int,
    now: datetime,
    due_at: datetime,
    next_at: datetime | None,
    person_id: int | None = None,
    role: str | None = None,
    urgency: int = 0,
    policy_version: int = 0,
) -> int:
    """Open a task; its id, or that of the one already opened under this key."""
    number: int | None = _NEW.scalar(connection, {
        "key": key, "kind": kind, "subject": subject, "subject_id": subject_id, "area_id": area_id,
        "person_id": person_id, "role": role, "state": TaskState.OPEN, "urgency": urgency, "opened_at": now,
        "due_at": due_at, "next_at": next_at, "rung": 0, "late": False, "failures": 0,
        "policy_version": policy_version,
    })  # fmt: skip
    if number is None:
        number = int(_FIND.scalar(connection, {"key": key}))
    return number


def open_several(connection: Connection, shared: Mapping[str, Any], *own: Mapping[str, Any]) -> None:
    """Open several new tasks about one new thing in one statement; nothing was opened under their keys before."""
    _NEW_ONLY.write_all(connection, [{**_FRESH, **shared, **one} for one in own])


def heard(connection: Connection, report_id: int, *, quiet_at: datetime, follow_at: datetime | None) -> None:
    """Something was added to a report: its silence is looked at `quiet_at` or before, what follows at `follow_at`."""
    values = {"draft": f"draft_report:report:{report_id}", "quiet_at": quiet_at}
    if follow_at is None:
        _QUIET.do(connection, values)
    else:
        _HEARD.do(connection, values | {"burst": f"burst:report:{report_id}", "follow_at": follow_at})


def due(connection: Connection, now: datetime, limit: int) -> list[Any]:
    """Tasks to look at now, danger first: id, kind, subject, subject_id, failures, next_at; locked till the end."""
    urgent = _DUE_URGENT.all(connection, {"now": now, "limit": limit})
    return urgent + _DUE_REST.all(connection, {"now": now, "limit": limit - len(urgent)})


def begin(session: Session, task_id: int) -> Task:
    """The task as it is now, which nothing looks at again unless its function says when."""
    task = _BEGIN.first(session, {"b_id": task_id})
    assert task is not None  # noqa: S101 - it is locked, and no task is ever deleted
    return task


def put_off(connection: Connection, key: str, next_at: datetime) -> None:
    """Move the look at a live task known by its key (one update, nothing read)."""
    _MOVE_OPEN.do(connection, {"b_key": key, "next_at": next_at})


def claim(connection: Connection, task_id: int, person_id: int, now: datetime) -> bool:
    """Make this person the one holder; False when it is no longer open (one update decides)."""
    return _CLAIM.write(connection, {"b_id": task_id, "person_id": person_id, "now": now}) == 1


_IS_OPEN = Hot(select(_T.c.id).where(_T.c.id == bindparam("id"), _T.c.state == TaskState.OPEN))
_LIVE_AMONG = select(_T.c.id).where(_T.c.id.in_(bindparam("ids", expanding=True)), _T.c.state.in_(LIVE))


def live_among(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of these tasks that have not ended."""
    return set(connection.execute(_LIVE_AMONG, {"ids": list(ids)}).scalars())


def is_open(connection: Connection, task_id: int) -> bool:
    """Whether nobody has taken a task yet."""
    return _IS_OPEN.first(connection, {"id": task_id}) is not None


def end(connection: Connection, task_id: int, now: datetime, state: TaskState = TaskState.DONE) -> bool:
    """End a live task, marked late when it is past due; False when it had ended before."""
    return _END.write(connection, {"b_id": task_id, "now": now, "new_state": state}) == 1


def failed(connection: Connection, task_id: int, next_at: datetime | None, error: str) -> None:
    """Its function failed: try again at `next_at`, or never (None: parked, and listed by `tongban check`)."""
    _FAILED.do(connection, {"b_id": task_id, "next_at": next_at, "error": error[:200]})


def live_of_subject(session: Session, subject: str, subject_id: int, kinds: Iterable[str] | None = None) -> list[Task]:
    """Live tasks about one thing, oldest first."""
    found = _LIVE_OF_SUBJECT.all(session, {"subject": subject, "subject_id": subject_id})
    wanted = None if kinds is None else set(kinds)
    return [one for one in found if wanted is None or one.kind in wanted]


_LIVE_OF_SUBJECT = Found(
    Task,
    select(_T)
    .where(Task.subject == bindparam("subject"), Task.subject_id == bindparam("subject_id"), Task.state.in_(LIVE))
    .order_by(Task.id),
)


def newest_of_subject(session: Session, subject: str, subject_id: int, kinds: Sequence[str]) -> Task | None:
    """The last task of these kinds about one thing, a live one if there is any."""
    query = select(Task).where(Task.subject == subject, Task.subject_id == subject_id, Task.kind.in_(kinds))
    return session.scalars(query.order_by(Task.state.in_(LIVE).desc(), Task.id.desc()).limit(1)).first()


def live_of_person(session: Session, person_id: int) -> list[Task]:
    """What one person holds, most urgent and oldest due first."""
    query = select(Task).where(Task.person_id == person_id, Task.state.in_(LIVE))
    return list(session.scalars(query.order_by(Task.urgency.desc(), Task.due_at, Task.id)))


def told_and_open(session: Session, person_id: int) -> list[Task]:
    """Open tasks without a holder that this person was told about: what the claim word can take."""
    query = (
        select(Task)
        .join(TaskTold)
        .where(TaskTold.person_id == person_id, Task.state == TaskState.OPEN, Task.person_id.is_(None))
    )
    return list(session.scalars(query.distinct().order_by(Task.urgency.desc(), Task.opened_at, Task.id)))


def tell(session: Session, task_id: int, person_id: int, rung: int, now: datetime) -> bool:
    """Note that this person was told at this rung; False when already noted."""
    values = {"task_id": task_id, "person_id": person_id, "rung": rung}
    connection = connection_of(session)
    if _WAS_TOLD.first(connection, values) is not None:
        return False
    _TELL.write(connection, values | {"told_at": now})
    return True


_L = TaskTold.__table__
_WAS_TOLD = Hot(
    select(_L.c.id).where(
        _L.c.task_id == bindparam("task_id"), _L.c.person_id == bindparam("person_id"), _L.c.rung == bindparam("rung")
    )
)
_TELL = Hot(insert(_L))
_TOLD = Hot(select(_L.c.person_id).where(_L.c.task_id == bindparam("task_id")).distinct())


def told(session: Session, task_id: int) -> list[int]:
    """Everybody who was told about a task (person ids)."""
    return _TOLD.scalars(connection_of(session), {"task_id": task_id})


def hand_over(connection: Connection, from_person: int, to_person: int, now: datetime) -> None:
    """Move everything one person holds to another in one step; what was asked already is asked of the other."""
    moved = update(_T).where(_T.c.person_id == from_person, _T.c.state.in_(LIVE))
    again = case((_T.c.prompted_at.is_not(None), now), else_=_T.c.next_at)
    connection.execute(moved.values(person_id=to_person, asked_at=None, next_at=again))


HAD = -1
"""The rung of those who held a task and were silent: it does not come back to them."""


def had(session: Session, task_id: int) -> set[int]:
    """Who held a task once and was silent (person ids)."""
    query = select(TaskTold.person_id).where(TaskTold.task_id == task_id, TaskTold.rung == HAD)
    return set(session.scalars(query))


def last_told(session: Session, person_id: int, kinds: Sequence[str]) -> Task | None:
    """The task of these kinds this person was told about last, whatever became of it."""
    query = select(Task).join(TaskTold).where(TaskTold.person_id == person_id, Task.kind.in_(kinds))
    return session.scalars(query.order_by(TaskTold.id.desc()).limit(1)).first()


def open_cases_of(session: Session, person_id: int) -> list[int]:
    """The cases this person has live tasks in (ids)."""
    query = select(Task.subject_id).where(Task.person_id == person_id, Task.subject == "case", Task.state.in_(LIVE))
    return list(session.scalars(query.distinct().order_by(Task.subject_id)))


def told_about(session: Session, subject: str, subject_id: int) -> set[int]:
    """Everybody who was ever told about any task of one thing (person ids)."""
    query = select(TaskTold.person_id).join(Task).where(Task.subject == subject, Task.subject_id == subject_id)
    return set(session.scalars(query.distinct()))


_ONCE = Hot(
    select(_T.c.id)
    .where(_T.c.subject == bindparam("subject"), _T.c.subject_id == bindparam("subject_id"))
    .where(_T.c.kind == bindparam("kind"))
    .limit(1)
)


def once_opened(session: Session, subject: str, subject_id: int, kind: str) -> bool:
    """Whether a task of this kind was ever opened about this thing."""
    values = {"subject": subject, "subject_id": subject_id, "kind": kind}
    return _ONCE.first(connection_of(session), values) is not None


_AGAIN = Hot(
    update(_T)
    .where(_T.c.key == bindparam("b_key"), _T.c.state.not_in(LIVE))
    .values(state=TaskState.OPEN, ended_at=None, next_at=bindparam("next_at"))
)


def open_again(connection: Connection, key: str, next_at: datetime) -> None:
    """A task that had ended is live again, under its old key."""
    _AGAIN.do(connection, {"b_key": key, "next_at": next_at})


_ANEW = Hot(
    update(TaskTold.__table__)
    .where(TaskTold.__table__.c.task_id == bindparam("b_id"))
    .values(rung=TaskTold.__table__.c.rung - 100)
)


def climb_anew(connection: Connection, task_id: int) -> None:
    """The ladder begins again from its first rung: who was told before is kept, under rungs that are out of the way."""
    _ANEW.do(connection, {"b_id": task_id})


_WAITING_SINCE = select(func.min(_T.c.next_at)).where(_T.c.next_at.is_not(None))


def waiting_since(connection: Connection) -> datetime | None:
    """When the task that waits longest should have been looked at; later than now when none is due."""
    since: datetime | None = connection.execute(_WAITING_SINCE).scalar()
    return since
