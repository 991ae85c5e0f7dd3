"""The floor of a sweep: the `core` loop of the reference (bench_sched.py) on its two bare tables.

Claim 500 due children, one outbox row each, move their date a week on, commit; through SQLAlchemy Core, on SQLite as
durably as the bot, on PostgreSQL by the bot's driver. It knows no person, no ladder and no rule.
"""

import argparse
import json
from time import monotonic

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    case,
    insert,
    literal,
    select,
    update,
)

from storage.database import Id, connect
from tests.bench.filled import numbers, scattered
from tests.bench.process import get_ready

BATCH = 500
DAY = 86400
NOW = 1_790_000_000
_METADATA = MetaData()
CHILD = Table(
    "child", _METADATA, Column("id", Id, primary_key=True), Column("openid", String(30)), Column("name", String(30)),
    Column("township", Integer), Column("born", BigInteger), Column("prompt", Integer),
    Column("next_due_at", BigInteger),
)  # fmt: skip
OUTBOX = Table(
    "outbox", _METADATA, Column("id", Id, primary_key=True), Column("child", BigInteger), Column("prompt", Integer),
    Column("payload", Text), Column("status", Integer),
)  # fmt: skip
_C = CHILD.c
_DUE = Index(
    "child_due", _C.next_due_at, sqlite_where=_C.next_due_at.is_not(None), postgresql_where=_C.next_due_at.is_not(None)
)
_CLAIM = (
    select(_C.id, _C.openid, _C.prompt, _C.next_due_at)
    .where(_C.next_due_at <= NOW)
    .order_by(_C.next_due_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_MOVE = (
    update(CHILD).where(_C.id == bindparam("b_id")).values(prompt=bindparam("b_prompt"), next_due_at=bindparam("b_due"))
)


def build(url: str, count: int, due: int) -> None:
    """The two tables, `due` of `count` children being due."""
    engine = connect(url)
    with engine.begin() as connection:
        _METADATA.create_all(connection)
        i = (every := numbers(count)).c.i
        openid = literal("o6_bmjrPTlm6_000000000").concat(i.cast(String))
        ahead = case((scattered(i, due / count), NOW - 1 - i % DAY), else_=NOW + 1 + i % (90 * DAY))
        rows = select(i, openid, literal("宝宝"), i % 600, NOW - i % 1000 * DAY, literal(1), ahead).select_from(every)
        connection.execute(insert(CHILD).from_select([one.name for one in CHILD.columns], rows))
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def sweep(url: str) -> dict[str, float]:
    """Do everything that is due: how many children, in how many seconds."""
    engine = connect(url)
    with engine.connect() as connection:
        connection.execute(select(literal(1)))
    get_ready()
    done, began = 0, monotonic()
    while True:
        with engine.begin() as connection:
            rows = connection.execute(_CLAIM).all()
            if not rows:
                break
            said = [(row.id, row.prompt + 1, _message(row.openid, row.prompt + 1), 0) for row in rows]
            names = ("child", "prompt", "payload", "status")
            connection.execute(insert(OUTBOX), [dict(zip(names, one, strict=True)) for one in said])
            moved = [{"b_id": row.id, "b_prompt": row.prompt + 1, "b_due": row.next_due_at + 7 * DAY} for row in rows]
            connection.execute(_MOVE, moved)
        done += len(rows)
    took = monotonic() - began
    with engine.begin() as connection:  # as it was, for the next round
        connection.execute(update(CHILD).where(_C.prompt > 1).values(prompt=1, next_due_at=_C.next_due_at - 7 * DAY))
        connection.execute(OUTBOX.delete())
    engine.dispose()
    return {"done": done, "seconds": took}


def _message(openid: str, prompt: int) -> str:
    return json.dumps({"touser": openid, "template_id": "T1", "data": {"first": {"value": f"第{prompt}次随访"}}})


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("url")
    print(json.dumps(sweep(options.parse_args().url)))  # noqa: T201 - this is its answer
