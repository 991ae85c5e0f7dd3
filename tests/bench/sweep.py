"""A sweep: the bot's own due work over children whose visit is due, beside the bare loop; and over five times as many.

The day's visits of a county: each is claimed, its officer's prompt row written, its next date set. Whatever was claimed
must have been told once to one person, in one prompt.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click import echo
from sqlalchemy import select, update

from storage.children import Child
from storage.database import connect
from storage.outbox import Outbox
from storage.tasks import Task, TaskTold
from tests.bench.figures import Findings
from tests.bench.filled import add_children, county_on, drop, quickly
from tests.bench.process import CORES, SERVER_CORES, together
from tests.bench.scale import Scale
from tests.bench.servers import core_loop
from tests.bench.targets import Bench, Name


def measure(bench: Bench, scale: Scale) -> Findings:
    """The rate beside the bare loop's, with `few` and with `many` children on file; doubles; two workers."""
    found = Findings()
    for bot in scale.bots:
        core, few, wrong = _few(bench, scale, bot, found)
        many, more = _swept(bench, scale, bot, scale.many)
        note = f"{scale.due:,} due of {scale.few:,}"
        found.ratio(f"{bot}.sweep.per_second.core", "children/s", few, core, note)
        found.ratio(f"{bot}.sweep.many.per_second.few", "children/s", many, few, f"{scale.many:,} and {scale.few:,}")
        found.plain(f"{bot}.sweep.doubles", "prompts too many or too few", wrong + more)
        if wrong + more:
            found.wrong.append(f"{bot}: {wrong + more} of the visits that were claimed were not asked for just once")
        rates = f"{few[0]:,.0f} children/s of {scale.few:,}, {many[0]:,.0f}/s of {scale.many:,}"
        echo(f"  {bot}: {rates}; the bare loop {core[0]:,.0f}/s")
    return found


def _few(bench: Bench, scale: Scale, bot: Name, found: Findings) -> tuple[list[float], list[float], int]:
    bare = (bench.sqlite if bot == "sqlite" else bench.postgres.databases).fresh()
    core_loop.build(bare, scale.few, scale.due)
    core, own, wrong = [], [], 0
    with county_on(bench, bot) as (url, staff):
        with quickly(url, Child, Task) as connection:
            add_children(connection, staff, scale.few, scale.due, datetime.now(UTC))
        for _ in range(scale.few_rounds):
            command = [sys.executable, "-m", "tests.bench.servers.core_loop", bare]
            core += _rates(together([command], SERVER_CORES))
            own += _rates(together([_sweeper(bench, url, scale.sweep_seconds)], SERVER_CORES))
            wrong += doubled(url)
            _as_before(url)
        if bot == "postgresql":
            told = together([_sweeper(bench, url, scale.sweep_seconds)] * 2, set(CORES))
            twice = doubled(url) + abs(round(sum(one["done"] for one in told)) - _claimed(url))
            found.plain("postgresql.sweep.two.doubles", "prompts too many or too few", twice)
            found.plain("postgresql.sweep.two.per_second", "children/s of two workers", sum(_rates(told)))
            if twice:
                found.wrong.append(f"two workers on postgresql: {twice} visits were not asked for just once")
    drop(bench, bot, bare)
    return core, own, wrong


def _swept(bench: Bench, scale: Scale, bot: Name, children: int) -> tuple[list[float], int]:
    rates, wrong = [], 0
    with county_on(bench, bot) as (url, staff):
        with quickly(url, Child, Task) as connection:
            add_children(connection, staff, children, scale.due, datetime.now(UTC))
        for _ in range(scale.few_rounds):
            rates += _rates(together([_sweeper(bench, url, scale.sweep_seconds)], SERVER_CORES))
            wrong += doubled(url)
            _as_before(url)
    return rates, wrong


def _sweeper(bench: Bench, url: str, seconds: float) -> Sequence[str | Path]:
    return [sys.executable, "-m", "tests.bench.servers.sweeper", url, bench.county.keys, str(seconds)]


def _rates(told: Sequence[dict[str, float]]) -> list[float]:
    return [one["done"] / one["seconds"] for one in told]


def _claimed(url: str) -> int:
    engine = connect(url)
    with engine.connect() as connection:
        claimed = len(connection.execute(select(Task.id).where(Task.prompted_at.is_not(None))).all())
    engine.dispose()
    return claimed


def doubled(url: str) -> int:
    """How many tasks were claimed but not told just once to one person in one prompt, or told without being claimed."""
    engine = connect(url)
    with engine.connect() as connection:
        claimed = set(connection.execute(select(Task.id).where(Task.prompted_at.is_not(None))).scalars())
        told = Counter(connection.execute(select(TaskTold.task_id)).scalars())
        asked = Counter(one[0] for row in connection.execute(select(Outbox.content)) for one in row.content["tasks"])
    engine.dispose()
    return sum(told[one] != 1 or asked[one] != 1 for one in claimed | set(told) | set(asked)) + len(set(told) - claimed)


def _as_before(url: str) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(TaskTold.__table__.delete())
        connection.execute(Outbox.__table__.delete())
        again = {"rung": 0, "prompted_at": None, "asked_at": None, "next_at": datetime.now(UTC) - timedelta(minutes=5)}
        connection.execute(update(Task).where(Task.prompted_at.is_not(None)).values(again))
    engine.dispose()
