"""How many statements one turn of a report dialogue needs, and which."""

import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from click import echo
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from bot import turns
from bot.turns import Reply
from storage.database import connect
from storage.pipelines import PIPELINE, Answer, Pipeline
from tests.bench import dialogues
from tests.bench.figures import Findings
from tests.bench.scale import Scale
from tests.bench.targets import BOTS, TITLES, Bench
from tests.world import Inbound_of, World

DIALOGUES = 20
CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "PRAGMA", ";")
"""A lone semicolon is how the pool asks whether a connection lives; the bot's threads keep theirs."""


@dataclass(frozen=True)
class Counted:
    """One turn: what was said and what the database was asked, savepoints apart."""

    text: str
    statements: tuple[str, ...]
    savepoints: int


def measure(bench: Bench, scale: Scale) -> Findings:
    """The worst turn and the mean, on each database."""
    found = Findings()
    for name in scale.bots:
        counted = count(bench.county_database(name))
        numbers = [len(one.statements) for one in counted]
        found.plain(f"{name}.statements", "statements in the worst turn", max(numbers))
        found.plain(f"{name}.statements.mean", "statements per turn, mean", statistics.fmean(numbers))
        savepoints = statistics.fmean(one.savepoints for one in counted)
        found.plain(f"{name}.savepoints.mean", "savepoints per turn, mean", savepoints)
    return found


def show(bench: Bench) -> None:
    """Print the turns that differ in what they ask, longest first."""
    for name in BOTS:
        counted = sorted(count(bench.county_database(name)), key=lambda one: -len(one.statements))
        mean = sum(len(one.statements) for one in counted) / len(counted)
        echo(f"{TITLES[name]}: {mean:.1f} statements per turn, at most {len(counted[0].statements)}")
        for one in {one.statements: one for one in counted}.values() if name == "sqlite" else ():
            echo(f"{len(one.statements)} statements, {one.savepoints} savepoints: {one.text}")
            echo("\n".join(f"    {statement[:150]}" for statement in one.statements))


def count(url: str) -> list[Counted]:
    """Walk some dialogues in this process, on a database with a county; every turn of them."""
    world, asked, counted = World(connect(url)), list[str](), list[Counted]()

    note_statements(world.engine, asked)
    world.engine.connect().close()  # SQLAlchemy asks a few things of a server that it meets for the first time
    world.now = datetime.now(UTC)
    for number in range(DIALOGUES):
        phone = world.phone(f"bench-{number}")
        for turn, text in enumerate(dialogues.texts(number)):
            asked.clear()
            inbound = Inbound_of(phone.openid, text, world.now)
            reply: Reply = world.run(
                partial(turns.take, inbound=inbound, arrived_at=world.now, now=world.now, policy=world.policy)
            )
            if not dialogues.is_right(number, turn, reply.text or ""):
                raise RuntimeError(f"the bot did not answer as it should to {text}")
            counted.append(_sorted(text, asked))
            world.now += timedelta(seconds=5)
    world.close()
    return counted


def note_statements(engine: Engine, asked: list[str]) -> None:
    """Note what every connection made from now on is asked, by whom ever."""
    event.listen(engine, "do_connect", partial(_counting, asked))
    if engine.dialect.name != "sqlite":
        event.listen(engine, "connect", partial(_counting_hot, asked))


def _counting(
    asked: list[str], dialect: Dialect, _record: object, _arguments: Sequence[object], options: dict[str, Any]
) -> None:
    """Make the driver's connections with cursors that note what they are asked, by whom ever."""

    def note(statement: object) -> None:
        asked.append(" ".join(str(statement).split()))

    base: Any = sqlite3.Cursor if dialect.name == "sqlite" else psycopg.Cursor

    class Noting(base):  # type: ignore[misc]  # of either driver
        def execute(self, statement: Any, *values: Any, **options: Any) -> Any:  # noqa: ANN401 - the drivers' own
            note(statement)
            return super().execute(statement, *values, **options)

        def executemany(self, statement: Any, *values: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
            note(statement)
            return super().executemany(statement, *values, **options)

    class Connection(sqlite3.Connection):
        def cursor(self, _factory: object = None) -> Any:  # noqa: ANN401 - as above
            return super().cursor(Noting)

        def execute(self, statement: str, *values: Any) -> Any:  # noqa: ANN401 - as above
            note(statement)  # it runs past the cursor's own method
            return super().execute(statement, *values)

        def executemany(self, statement: str, *values: Any) -> Any:  # noqa: ANN401 - as above
            note(statement)
            return super().executemany(statement, *values)

    options |= {"factory": Connection} if dialect.name == "sqlite" else {"cursor_factory": Noting}


def _counting_hot(asked: list[str], driver: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - psycopg's
    """Give the connection a pipeline that notes what it is asked: hot statements go past the driver's cursors."""

    class Noting(Pipeline):
        def execute(self, text: str, values: Sequence[Any] = ()) -> Answer:
            asked.append(" ".join(text.split()))
            return super().execute(text, values)

        def executemany(self, text: str, several: Iterable[Sequence[Any]]) -> None:
            before = len(asked)
            super().executemany(text, several)
            del asked[before + 1 :]  # one, as of the other driver

    record.info[PIPELINE] = Noting(driver)


def _sorted(text: str, asked: Sequence[str]) -> Counted:
    control = [statement for statement in asked if statement.startswith(CONTROL)]
    statements = tuple(statement for statement in asked if not statement.startswith(CONTROL))
    savepoints = sum(statement.startswith("SAVEPOINT") for statement in control)
    return Counted(text, statements, savepoints)
