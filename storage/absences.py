"""Leave: who is away from when to when, who acts meanwhile, and what was lent to them and comes back."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, ForeignKey, Index, String, UniqueConstraint, exists, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.cases import CaseStep
from storage.database import Base, Id
from storage.people import Person


class Absence(Base):
    """One leave of one person; it runs from `began_at` to `ended_at`."""

    __tablename__ = "absence"
    __table_args__ = (Index("ix_absence_person", "person_id", "ended_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    since: Mapped[datetime]
    until: Mapped[datetime]
    """The first moment after it."""
    stand_in_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Who acts: named by a supervisor before it begins, else found when it does."""
    told_at: Mapped[datetime]
    told_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Who said so; None: an operator."""
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Lent(Base):
    """One thing that somebody else has during a leave."""

    __tablename__ = "lent"
    __table_args__ = (UniqueConstraint("absence_id", "subject", "subject_id"), Index("ix_lent_subject", "subject_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    absence_id: Mapped[int] = mapped_column(ForeignKey("absence.id"))
    subject: Mapped[str] = mapped_column(String(10))
    """`task`, or of a case `holder` or `officer`."""
    subject_id: Mapped[int] = mapped_column(Id)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    """Who has it meanwhile."""


def open_of(session: Session, person_id: int) -> Absence | None:
    """The leave of somebody that runs or is to come."""
    query = select(Absence).where(Absence.person_id == person_id, Absence.ended_at.is_(None))
    return session.scalars(query.order_by(Absence.id.desc()).limit(1)).first()


def open_ones(session: Session, people: Sequence[int] | None = None) -> list[Absence]:
    """Every leave that runs or is to come, of these people or of everybody, by its first day."""
    query = select(Absence).where(Absence.ended_at.is_(None))
    if people is not None:
        query = query.where(Absence.person_id.in_(people))
    return list(session.scalars(query.order_by(Absence.since, Absence.id)))


def acting_for(session: Session, person_id: int) -> int | None:
    """Who acts for somebody whose leave runs."""
    query = select(Absence.stand_in_id).where(
        Absence.person_id == person_id, Absence.began_at.is_not(None), Absence.ended_at.is_(None)
    )
    return session.scalars(query.order_by(Absence.id.desc()).limit(1)).first()


def lend(session: Session, absence: Absence, subject: str, subject_id: int, person_id: int) -> None:
    """Note that somebody has it meanwhile; what was lent already by another who is away only changes hands."""
    running = select(Absence.id).where(Absence.ended_at.is_(None), Absence.began_at.is_not(None))
    lent = session.scalars(
        select(Lent).where(Lent.subject == subject, Lent.subject_id == subject_id, Lent.absence_id.in_(running))
    ).first()
    if lent is not None:
        lent.person_id = person_id
        return
    session.add(Lent(absence_id=absence.id, subject=subject, subject_id=subject_id, person_id=person_id))
    session.flush()


def lent_in(session: Session, absence_id: int) -> list[Lent]:
    """Everything that was lent in a leave."""
    return list(session.scalars(select(Lent).where(Lent.absence_id == absence_id).order_by(Lent.id)))


def goes_on_as(connection: Connection, task_id: int, successor_id: int) -> None:
    """Another task stands for one that was lent."""
    connection.execute(
        update(Lent).where(Lent.subject == "task", Lent.subject_id == task_id).values(subject_id=successor_id)
    )


def moved(connection: Connection, subject: str, subject_id: int, to_person: int) -> None:
    """What was lent went on to another, who was not silent or can be reached; it still comes back."""
    running = select(Absence.id).where(Absence.ended_at.is_(None), Absence.began_at.is_not(None))
    connection.execute(
        update(Lent)
        .where(Lent.subject == subject, Lent.subject_id == subject_id, Lent.absence_id.in_(running))
        .values(person_id=to_person)
    )


def passed_on(connection: Connection, from_person: int, to_person: int) -> None:
    """Whoever acted for somebody has left: another does."""
    running = select(Absence.id).where(Absence.ended_at.is_(None))
    connection.execute(
        update(Lent).where(Lent.person_id == from_person, Lent.absence_id.in_(running)).values(person_id=to_person)
    )
    acts = update(Absence).where(Absence.stand_in_id == from_person, Absence.ended_at.is_(None))
    connection.execute(acts.where(Absence.person_id != to_person).values(stand_in_id=to_person))
    connection.execute(acts.where(Absence.person_id == to_person).values(stand_in_id=None))


def begun(session: Session, case_id: int, person_id: int, since: datetime) -> bool:
    """Whether somebody did something in a case since then."""
    did = exists().where(CaseStep.case_id == case_id, CaseStep.by_id == person_id, CaseStep.at >= since)
    return bool(session.scalar(select(did)))


def set_away(connection: Connection, person_id: int, until: datetime | None) -> None:
    """Mark somebody as away, or as back."""
    connection.execute(update(Person).where(Person.id == person_id).values(away_until=until))
