"""The audit: who looked at or changed what, when and on what ground. Rows are only ever added."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Index, String, func, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id, Sealed
from storage.statements import Hot


class Audit(Base):
    """One act."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject", "subject_id"), Index("ix_audit_person", "person_id", "at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(Id)
    os_user: Mapped[str | None] = mapped_column(String(40))
    """The operating system's user, when a command did it."""
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int | None] = mapped_column(Id)
    note: Mapped[str | None] = mapped_column(Sealed("audit.note"))


_NEW = Hot(insert(Audit.__table__))


def add(
    connection: Connection,
    *,
    at: datetime,
    act: str,
    subject: str,
    subject_id: int | None = None,
    person_id: int | None = None,
    os_user: str | None = None,
    note: str | None = None,
) -> None:
    """Append one act."""
    _NEW.do(connection, {
        "at": at, "person_id": person_id, "os_user": os_user, "act": act, "subject": subject,
        "subject_id": subject_id, "note": note,
    })  # fmt: skip


_A = Audit.__table__
_TOLD = select(_A.c.id, _A.c.at, _A.c.person_id, _A.c.os_user, _A.c.act, _A.c.subject, _A.c.subject_id)


def newest(connection: Connection) -> int:
    """The number of the newest act; 0 when there is none."""
    return int(connection.execute(select(func.max(_A.c.id))).scalar() or 0)


def between(connection: Connection, after: int, upto: int, limit: int) -> list[Any]:
    """Acts after one number up to another, oldest first, without their notes."""
    query = _TOLD.where(_A.c.id > after, _A.c.id <= upto).order_by(_A.c.id).limit(limit)
    return list(connection.execute(query))
