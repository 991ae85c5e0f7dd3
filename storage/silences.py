"""Silences: from when to when the whole system did nothing. A shared fact says when it was last alive."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from storage import county
from storage.database import Base, Id, alone

_ALIVE = "alive"
"""Fact: the moment at which a process last said that it is there."""


class Silence(Base):
    """A time in which no process ran, longer than the county's threshold."""

    __tablename__ = "silence"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]


_S = Silence.__table__
_NEW = insert(_S)
_OVERLAPPING = (
    select(_S.c.id, _S.c.since, _S.c.until)
    .where(_S.c.until > bindparam("after"), _S.c.since < bindparam("before"))
    .order_by(_S.c.since)
)


def beat(connection: Connection, now: datetime) -> datetime | None:
    """Note that the system is alive; when it was before, None at the first time. One process after the other."""
    alone(connection, _ALIVE)
    before = county.fact(connection, _ALIVE)
    county.set_fact(connection, _ALIVE, now.isoformat())
    return datetime.fromisoformat(before) if before else None


def add(connection: Connection, since: datetime, until: datetime) -> None:
    """Keep a silence."""
    connection.execute(_NEW, {"since": since, "until": until})


def between(connection: Connection, after: datetime, before: datetime) -> Sequence[Any]:
    """The silences that lie in a time, or reach into it: id, since, until; oldest first."""
    return connection.execute(_OVERLAPPING, {"after": after, "before": before}).all()
