"""The audit: who looked at or changed what, when and on what ground. Rows are only ever added."""

from datetime import datetime

from sqlalchemy import Connection, Index, String, insert
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
    _NEW.write(connection, {
        "at": at, "person_id": person_id, "os_user": os_user, "act": act, "subject": subject,
        "subject_id": subject_id, "note": note,
    })  # fmt: skip
