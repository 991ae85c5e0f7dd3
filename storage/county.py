"""What the county decided and what the processes share: versions of its rules, and a few single facts."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import Connection, String, Text, bindparam, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id, alone
from storage.statements import Hot


class PolicyVersion(Base):
    """The county's rules as they were from a moment on; records name the version they were made under."""

    __tablename__ = "policy_version"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rules: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]


class Fact(Base):
    """One shared fact by name, e.g. the moved clock's offset in seconds."""

    __tablename__ = "fact"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


_F, _P = Fact.__table__, PolicyVersion.__table__


_FACT = Hot(select(_F.c.value).where(_F.c.name == bindparam("name")))
_SET = Hot(
    lambda insert: (new := insert(_F)).on_conflict_do_update(
        index_elements=[_F.c.name], set_={"value": new.excluded.value}
    )
)


def fact(connection: Connection, name: str) -> str | None:
    """The value of a shared fact."""
    value: str | None = _FACT.scalar(connection, {"name": name})
    return value


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Set a shared fact."""
    _SET.do(connection, {"name": name, "value": value})


_SENT = "sent"
"""Fact: how many messages of each channel were sent on which day, e.g. {"day": "2026-11-25", "custom": 12}."""


def sent_on(connection: Connection, day: date) -> Counter[str]:
    """How many messages went out on a day, by channel."""
    told = json.loads(fact(connection, _SENT) or "{}")
    return Counter({key: value for key, value in told.items() if key != "day"} if told.get("day") == str(day) else {})


def add_sent(connection: Connection, day: date, more: Mapping[str, int]) -> None:
    """Add to the day's counts; those of the day before are forgotten. Nobody else counts until the transaction ends."""
    alone(connection, _SENT)
    counts = sent_on(connection, day)
    counts.update(more)
    set_fact(connection, _SENT, json.dumps({"day": str(day), **counts}))


def policy_version(connection: Connection, rules: str, now: datetime) -> int:
    """The version number of these rules: the newest when unchanged, else a new one."""
    alone(connection, "policy version")  # several processes may start at once
    newest = connection.execute(select(_P.c.id, _P.c.rules).order_by(_P.c.id.desc()).limit(1)).first()
    if newest and newest.rules == rules:
        return int(newest.id)
    return int(connection.execute(insert(_P).returning(_P.c.id), {"rules": rules, "since": now}).scalar_one())
