"""Signed-in browsers: a random cookie's hash, so that a sign-in can be revoked at once."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, LargeBinary, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id


class WebSession(Base):
    """One browser signed in as one WeChat contact."""

    __tablename__ = "web_session"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    """SHA-256 of the cookie; the cookie itself is kept nowhere."""
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


_S = WebSession.__table__


def open_session(connection: Connection, token_hash: bytes, contact_id: int, now: datetime, until: datetime) -> None:
    """Keep a sign-in."""
    connection.execute(
        insert(_S), {"token_hash": token_hash, "contact_id": contact_id, "made_at": now, "expires_at": until}
    )


def live(connection: Connection, token_hash: bytes, now: datetime) -> Any | None:  # noqa: ANN401 - a row
    """The live sign-in of this cookie: id, contact_id."""
    query = select(_S.c.id, _S.c.contact_id).where(
        _S.c.token_hash == token_hash, _S.c.expires_at > now, _S.c.revoked_at.is_(None)
    )
    return connection.execute(query).first()


def revoke_of_contact(connection: Connection, contact_id: int, now: datetime) -> None:
    """End every sign-in of a contact (unfollow, unbind, lost phone)."""
    connection.execute(
        update(_S).where(_S.c.contact_id == contact_id, _S.c.revoked_at.is_(None)).values(revoked_at=now)
    )
