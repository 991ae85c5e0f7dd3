"""Work that shares a transaction: what is kept of it, and what a failure takes with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from bot.engine import Database, Lane, open_database
from bot.together import Together


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An engine with one small table."""
    opened = open_database(database_url)
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE, at TEXT)"))
    yield opened
    opened.close()


def write(connection: Connection, word: str) -> None:
    """Keep a word, and which transaction kept it."""
    which = "pg_current_xact_id()::text" if connection.dialect.name == "postgresql" else "NULL"
    connection.execute(text(f"INSERT INTO note VALUES (:word, {which})"), {"word": word})  # noqa: S608 - ours


async def kept(database: Database) -> list[tuple[str, str | None]]:
    """Words and transactions, as another connection sees them."""
    query = text("SELECT word, at FROM note ORDER BY word")
    return await database.read(lambda connection: [(row.word, row.at) for row in connection.execute(query)])


async def test_what_comes_while_another_runs_is_kept_together(database: Database) -> None:
    together = Together(database, Lane.ALARM)
    await asyncio.gather(*(together.run(lambda one, word=word: write(one, word)) for word in "abcde"))  # type: ignore[misc]
    found = await kept(database)
    assert [word for word, _ in found] == [*"abcde"]
    assert len({at for _, at in found}) == 1
    await together.run(lambda one: write(one, "f"))
    assert len(await kept(database)) == 6


async def test_what_fails_is_undone_alone_and_its_caller_is_told(database: Database) -> None:
    def fail(connection: Connection) -> None:
        write(connection, "lost")
        raise ValueError("ours")

    together = Together(database, Lane.ALARM)
    results = await asyncio.gather(
        together.run(lambda one: write(one, "a")),
        together.run(fail),
        together.run(lambda one: write(one, "a")),
        together.run(lambda one: write(one, "b")),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in results] == ["NoneType", "ValueError", "IntegrityError", "NoneType"]
    assert [word for word, _ in await kept(database)] == ["a", "b"]


async def test_when_the_database_is_gone_everybody_is_told(database: Database) -> None:
    together = Together(database, Lane.ALARM)
    database.close()
    results = await asyncio.gather(*(together.run(lambda _: None) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, Exception) for one in results)
