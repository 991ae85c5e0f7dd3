"""Who agreed to be sent which subscription notice, as the platform's events tell.

A yes to a one-time notice allows one message, however long after it; one to a long-term notice stays until it is taken
back (wechat-platform.md 6.3). Saying yes again before the first was used allows no second message: whether such
consents add up the platform does not say.
"""

from datetime import datetime
from zlib import crc32

from sqlalchemy import Connection, ForeignKey, String, UniqueConstraint, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id
from storage.statements import Hot


class OptIn(Base):
    """What somebody said last about one notice."""

    __tablename__ = "opt_in"
    __table_args__ = (UniqueConstraint("contact_id", "template_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    template_id: Mapped[str] = mapped_column(String(64))
    said_at: Mapped[datetime]
    """By the platform's clock: an event that comes late changes nothing that was said after it."""
    agrees: Mapped[bool]
    used_at: Mapped[datetime | None]
    """When the one message of a one-time notice was planned."""


_O = OptIn.__table__
_MINE = (_O.c.contact_id == bindparam("b_contact_id"), _O.c.template_id == bindparam("b_template_id"))
_OPEN = (_O.c.agrees.is_(True), _O.c.used_at.is_(None))
_SAY = Hot(
    lambda insert: (new := insert(_O)).on_conflict_do_update(
        index_elements=[_O.c.contact_id, _O.c.template_id],
        set_={name: new.excluded[name] for name in ("said_at", "agrees", "used_at")},
        where=_O.c.said_at <= new.excluded.said_at,
    )
)
_HOLDS = Hot(select(_O.c.id).where(*_MINE, *_OPEN))
_USE = Hot(update(_O).where(*_MINE).values(used_at=bindparam("now")))
_GIVE_BACK = Hot(update(_O).where(*_MINE).values(used_at=None))
_NONE_LEFT = Hot(update(_O).where(*_MINE).values(agrees=False))
_FORGET = Hot(delete(_O).where(_O.c.contact_id == bindparam("b_contact_id")))
_OF_CONTACT = Hot(select(_O.c.template_id).where(_O.c.contact_id == bindparam("b_contact_id"), *_OPEN))


def say(connection: Connection, contact_id: int, template_id: str, *, agrees: bool, at: datetime) -> None:
    """Note a yes or a no; the same told again after the yes was used must be kept away by the caller."""
    _SAY.do(connection, {
        "contact_id": contact_id, "template_id": template_id, "said_at": at, "agrees": agrees, "used_at": None,
    })  # fmt: skip


def holds(connection: Connection, contact_id: int, template_id: str) -> bool:
    """Whether a message of this notice may go out to this contact."""
    return _HOLDS.first(connection, _key(contact_id, template_id)) is not None


def open_of(connection: Connection, contact_id: int) -> set[str]:
    """The template ids of all notices that may go out to this contact."""
    return set(_OF_CONTACT.scalars(connection, {"b_contact_id": contact_id}))


def use(connection: Connection, contact_id: int, template_id: str, now: datetime) -> None:
    """The one message of a one-time notice is about to be sent."""
    _USE.do(connection, _key(contact_id, template_id) | {"now": now})


def give_back(connection: Connection, contact_id: int, template_id: str) -> None:
    """It was not sent after all."""
    _GIVE_BACK.do(connection, _key(contact_id, template_id))


def none_left(connection: Connection, contact_id: int, template_id: str) -> None:
    """The platform says so, whatever we counted: nothing goes out until the person says yes again."""
    _NONE_LEFT.do(connection, _key(contact_id, template_id))


def forget(connection: Connection, contact_id: int) -> None:
    """This contact is erased."""
    _FORGET.do(connection, {"b_contact_id": contact_id})


def job_of(contact_id: int, template_id: str) -> str:
    """The outbox's job id of a notice: the platform tells none when it takes the message, only to whom it went."""
    return f"notice-{contact_id}-{crc32(template_id.encode()):08x}"


def _key(contact_id: int, template_id: str) -> dict[str, object]:
    return {"b_contact_id": contact_id, "b_template_id": template_id}
