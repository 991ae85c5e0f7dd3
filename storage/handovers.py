"""Hand-overs: the list of what went from a leaver to a successor, and when each of them signed it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, SealedJson


class Handover(Base):
    """One leaver's whole load, handed over in one step; who signed its list is a fact with its date."""

    __tablename__ = "handover"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    from_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    to_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    at: Mapped[datetime]
    items: Mapped[dict[str, Any]] = mapped_column(SealedJson("handover.items"))
    """`children` and `cases` (numbers), `tasks` (kind → how many), `duties` (how many)."""
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    """By which the leaver, who is bound to nothing any more, may still sign."""
    from_signed_at: Mapped[datetime | None]
    from_signed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The leaver, or the supervisor who saw the signature on paper."""
    to_signed_at: Mapped[datetime | None]
    to_signed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


def of_leaver(session: Session, contact_id: int) -> Handover | None:
    """The newest hand-over of whoever left with this contact."""
    query = select(Handover).where(Handover.contact_id == contact_id)
    return session.scalars(query.order_by(Handover.id.desc()).limit(1)).first()


def of_successor(session: Session, person_id: int) -> Handover | None:
    """The oldest hand-over that this person has to sign, else the newest they got."""
    query = select(Handover).where(Handover.to_id == person_id)
    waiting = query.where(Handover.to_signed_at.is_(None)).order_by(Handover.id).limit(1)
    found = session.scalars(waiting).first()
    return found or session.scalars(query.order_by(Handover.id.desc()).limit(1)).first()
