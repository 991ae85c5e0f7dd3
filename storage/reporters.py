"""Who reported: apart from the report, so that no query of the staff joins it by accident.

Only the bot itself reads it, to carry words back and forth.
"""

from datetime import datetime

from sqlalchemy import Connection, ForeignKey, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, Sealed
from storage.statements import Hot


class Reporter(Base):
    """The person behind one report."""

    __tablename__ = "reporter"

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True, autoincrement=False)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    """Erased when the person unfollows."""
    kind: Mapped[str] = mapped_column(String(10))
    """`named`, `anonymous`, or `unasked`."""
    callback: Mapped[str | None] = mapped_column(Sealed("reporter.callback"))
    """The number to ring back, when one was given."""
    role: Mapped[str] = mapped_column(String(30))
    """What the person was registered as when reporting."""
    unit_id: Mapped[int | None] = mapped_column(Id)
    since: Mapped[datetime]


_P = Reporter.__table__
_NEW = Hot(insert(_P))
_LATEST = Hot(
    select(_P.c.report_id).where(_P.c.contact_id == bindparam("contact_id")).order_by(_P.c.report_id.desc()).limit(1)
)
_CONTACT = Hot(select(_P.c.contact_id).where(_P.c.report_id == bindparam("report_id")))


def add(connection: Connection, report_id: int, contact_id: int, role: str, unit_id: int | None, now: datetime) -> None:
    """Keep who reported."""
    _NEW.do(connection, {
        "report_id": report_id, "contact_id": contact_id, "kind": "unasked", "callback": None, "role": role,
        "unit_id": unit_id, "since": now,
    })  # fmt: skip


def latest_report_of(connection: Connection, contact_id: int) -> int | None:
    """The last report this contact made."""
    found: int | None = _LATEST.scalar(connection, {"contact_id": contact_id})
    return found


def contact_of(connection: Connection, report_id: int) -> int | None:
    """Where words to the reporter go; None when the person unfollowed."""
    found: int | None = _CONTACT.scalar(connection, {"report_id": report_id})
    return found


def of(session: Session, report_id: int) -> Reporter:
    """The reporter's row."""
    return session.get_one(Reporter, report_id)


_WISHES = Hot(
    select(_P.c.kind, _P.c.callback.is_not(None).label("number_left")).where(_P.c.report_id == bindparam("report_id"))
)
_CALLBACK = Hot(select(_P.c.callback).where(_P.c.report_id == bindparam("report_id")))


def wishes(connection: Connection, report_id: int) -> tuple[str, bool]:
    """What staff may know of a reporter: `named`, `anonymous` or `unasked`, and whether a number was left."""
    row = _WISHES.first(connection, {"report_id": report_id})
    return (row.kind, bool(row.number_left)) if row else ("unasked", False)


def callback_of(connection: Connection, report_id: int) -> str | None:
    """The number to ring back; whoever asks for it is logged by the caller."""
    found: str | None = _CALLBACK.scalar(connection, {"report_id": report_id})
    return found


_WISH = Hot(
    update(_P).where(_P.c.report_id == bindparam("b_id")).values(kind=bindparam("kind"), callback=bindparam("callback"))
)


_LEAVE_NUMBER = Hot(
    update(_P)
    .where(_P.c.report_id == bindparam("b_id"), _P.c.kind != "anonymous", _P.c.callback.is_(None))
    .values(kind="named", callback=bindparam("callback"))
)


def leave_number(connection: Connection, report_id: int, callback: str) -> bool:
    """Keep a number that was written in passing; an earlier one stays, and who wants to be anonymous leaves none."""
    return _LEAVE_NUMBER.write(connection, {"b_id": report_id, "callback": callback}) == 1


def wish(connection: Connection, report_id: int, kind: str, callback: str | None) -> None:
    """How the reporter wants to be asked back: `named` (with a telephone number or without) or `anonymous`."""
    _WISH.do(connection, {"b_id": report_id, "kind": kind, "callback": callback})
