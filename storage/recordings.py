"""The county's own recordings as the platform knows them: a media id, good for three days from its upload."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base
from storage.statements import Hot


class Recording(Base):
    """One file of the county, uploaded."""

    __tablename__ = "recording"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """Of the file that was uploaded: a changed file is uploaded anew."""
    media_id: Mapped[str] = mapped_column(String(128))
    uploaded_at: Mapped[datetime]


_R = Recording.__table__


_KEEP = Hot(
    lambda insert: (new := insert(_R)).on_conflict_do_update(
        index_elements=[_R.c.name], set_={name: new.excluded[name] for name in ("digest", "media_id", "uploaded_at")}
    )
)
_USABLE = Hot(select(_R.c.media_id).where(_R.c.name == bindparam("name"), _R.c.uploaded_at > bindparam("since")))
_FORGET = Hot(delete(_R).where(_R.c.name == bindparam("b_name")))


def known(connection: Connection) -> dict[str, Any]:
    """Everything that was uploaded: name → digest, uploaded_at."""
    return {row.name: row for row in connection.execute(select(_R.c.name, _R.c.digest, _R.c.uploaded_at))}


def keep(connection: Connection, name: str, digest: str, media_id: str, now: datetime) -> None:
    """Remember an upload, in place of the one before."""
    _KEEP.do(connection, {"name": name, "digest": digest, "media_id": media_id, "uploaded_at": now})


def forget(connection: Connection, name: str) -> None:
    """The county took the file away."""
    _FORGET.do(connection, {"b_name": name})


def usable(connection: Connection, name: str, since: datetime) -> str | None:
    """The media id of a recording that was uploaded after `since`."""
    found: str | None = _USABLE.scalar(connection, {"name": name, "since": since})
    return found
