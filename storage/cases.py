"""Cases: one matter about one child from claim to closure, its steps and its history."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, SmallInteger, String, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, Sealed, alone
from storage.lifecycle import Step, move


class CaseStage(StrEnum):
    """`open`: claimed; `assigned`: a village child officer has it; `visited`: the child was seen."""

    OPEN = "open"
    ASSIGNED = "assigned"
    VISITED = "visited"
    CLOSING = "closing"
    CLOSED = "closed"


TASK_KINDS = ("first_contact", "case")
"""The tasks by which an open case has somebody who must act: until the child was seen, and from then on."""


class Case(Base):
    """One case; people call it by its number."""

    __tablename__ = "case"
    __table_args__ = (Index("ix_case_area_stage", "area_id", "stage"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    child_id: Mapped[int | None] = mapped_column(ForeignKey("child.id"), index=True)
    stage: Mapped[str] = mapped_column(String(10), default=CaseStage.OPEN)
    level: Mapped[str] = mapped_column(String(10))
    situation: Mapped[int | None] = mapped_column(SmallInteger)
    holder_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    """Who claimed it and answers for it."""
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    """The village child officer it was assigned to."""
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    pending: Mapped[str | None] = mapped_column(String(10))
    """What waits for a second person: `aside`, or on a red case `close` or the lower level that was proposed."""
    pending_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    pending_why: Mapped[str | None] = mapped_column(Sealed("case.pending_why"))
    closed_at: Mapped[datetime | None]
    policy_version: Mapped[int] = mapped_column(default=0)

    assign = move(CaseStage.OPEN, CaseStage.ASSIGNED, CaseStage.VISITED, to=CaseStage.ASSIGNED)
    see = move(CaseStage.OPEN, CaseStage.ASSIGNED, CaseStage.VISITED, to=CaseStage.VISITED)
    propose_closing = move(CaseStage.VISITED, to=CaseStage.CLOSING)
    keep_open = move(CaseStage.CLOSING, to=CaseStage.VISITED)
    close = move(CaseStage.VISITED, CaseStage.CLOSING, to=CaseStage.CLOSED)
    put_aside = move(CaseStage.OPEN, CaseStage.ASSIGNED, CaseStage.VISITED, CaseStage.CLOSING, to=CaseStage.CLOSED)
    reopen = move(CaseStage.CLOSED, to=CaseStage.OPEN)


class CaseStep(Base):
    """Something that was done: police told, child seen, safe place, level set, words to the reporter."""

    __tablename__ = "case_step"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    note: Mapped[str | None] = mapped_column(Sealed("case_step.note"))


def steps_of(session: Session, case_id: int) -> list[CaseStep]:
    """What was done, oldest first."""
    return list(session.scalars(select(CaseStep).where(CaseStep.case_id == case_id).order_by(CaseStep.id)))


def next_number(session: Session, year_month: str) -> str:
    """The next case number of a month, e.g. G2611-0007."""
    prefix = f"G{year_month}-"
    alone(session.connection(), "case number")
    newest = select(Case.number).where(Case.number.startswith(prefix))
    last = session.scalar(newest.order_by(func.length(Case.number).desc(), Case.number.desc()).limit(1))
    return f"{prefix}{int(last.removeprefix(prefix)) + 1 if last else 1:04d}"


def note_level(session: Session, case: Case, level: str, *, by: int, at: datetime, why: str) -> None:
    """Set the level; the change is a step of the case's history."""
    session.add(
        Step(
            subject=case.__tablename__,
            subject_id=case.id,
            move="set_level",
            before=case.level,
            after=level,
            by_id=by,
            at=at,
            why=why,
        )
    )
    case.level = level


def held_by(session: Session, person_id: int) -> list[int]:
    """The open cases somebody holds or was assigned (ids), oldest first."""
    query = select(Case.id).where(
        or_(Case.holder_id == person_id, Case.officer_id == person_id), Case.stage != CaseStage.CLOSED
    )
    return list(session.scalars(query.order_by(Case.id)))
