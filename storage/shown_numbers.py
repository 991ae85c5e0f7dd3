"""The numbers that people are shown: what stood under a number means the same to that person for days."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id, alone
from storage.statements import Hot


class Shown(Base):
    """A number a person was shown: it means the same thing to that contact until it lapses (seven days)."""

    __tablename__ = "shown"
    __table_args__ = (
        UniqueConstraint("contact_id", "number"),
        Index("ix_shown_subject", "contact_id", "subject", "subject_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    number: Mapped[int]
    subject: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int] = mapped_column(Id)
    until: Mapped[datetime]


_S: Any = Shown.__table__
_HAS = Hot(select(_S.c.number).where(
    _S.c.contact_id == bindparam("contact_id"), _S.c.subject == bindparam("subject"),
    _S.c.subject_id == bindparam("subject_id"), _S.c.until > bindparam("now"),
))  # fmt: skip
_FREE = Hot(
    select(func.min(case((_S.c.until <= bindparam("now"), _S.c.number))), func.max(_S.c.number)).where(
        _S.c.contact_id == bindparam("contact_id")
    )
)
_MEANT = Hot(
    select(_S.c.subject, _S.c.subject_id).where(
        _S.c.contact_id == bindparam("contact_id"), _S.c.number == bindparam("number"), _S.c.until > bindparam("now")
    )
)
_SHOW_NEW = Hot(insert(_S))
_SHOW = Hot(
    update(_S)
    .where(_S.c.contact_id == bindparam("b_contact"), _S.c.number == bindparam("b_number"))
    .values(subject=bindparam("subject"), subject_id=bindparam("subject_id"), until=bindparam("until"))
)


def number_for(
    connection: Connection, contact_id: int, subject: str, subject_id: int, now: datetime, until: datetime
) -> int:
    """The number under which this contact sees a thing: the one it has, or the smallest free one."""
    alone(connection, f"numbers {contact_id}")  # two alarms to one phone must not take the same number
    thing = {"contact_id": contact_id, "subject": subject, "subject_id": subject_id}
    has: int | None = _HAS.scalar(connection, thing | {"now": now})
    if has is not None:
        _SHOW.do(connection, thing | {"b_contact": contact_id, "b_number": has, "until": until})
        return has
    ((lapsed, highest),) = _FREE.all(connection, {"contact_id": contact_id, "now": now})
    if lapsed is None:
        number = (highest or 0) + 1  # there are no gaps: numbers lapse, and are given again
        _SHOW_NEW.do(connection, thing | {"number": number, "until": until})
        return number
    _SHOW.do(connection, thing | {"b_contact": contact_id, "b_number": lapsed, "until": until})
    return int(lapsed)


def meant_by(connection: Connection, contact_id: int, number: int, now: datetime) -> tuple[str, int] | None:
    """What a number means to this contact: (subject, id); None when it lapsed or never was."""
    row = _MEANT.first(connection, {"contact_id": contact_id, "number": number, "now": now})
    return (row.subject, row.subject_id) if row else None


def move(connection: Connection, contact_id: int, to: int) -> None:
    """The numbers this contact was shown mean the same to another one, and no others do."""
    for one in sorted((contact_id, to)):
        alone(connection, f"numbers {one}")
    connection.execute(delete(_S).where(_S.c.contact_id == to))
    connection.execute(update(_S).where(_S.c.contact_id == contact_id).values(contact_id=to))


def forget(connection: Connection, contact_id: int) -> None:
    """The numbers this contact was shown mean nothing any more."""
    connection.execute(delete(_S).where(_S.c.contact_id == contact_id))
