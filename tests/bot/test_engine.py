"""The database threads: what shares a commit, what a failure takes with it, and when nobody may be answered."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from bot.engine import Database, Lane, Unavailable, open_database
from bot.sqlite_engine import LONGEST_GROUP
from bot.undoing import mark, release, undo
from tests.support.databases import PostgresDatabases


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An engine with one small table."""
    opened = open_database(database_url)
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE)"))
    yield opened
    opened.close()


def write(connection: Connection, word: str) -> str:
    """Keep a word."""
    connection.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})
    return word


async def words(database: Database) -> list[str]:
    """What is kept, as another connection sees it."""
    return list(
        await database.read(
            lambda connection: connection.execute(text("SELECT word FROM note ORDER BY word")).scalars().all()
        )
    )


async def test_a_result_comes_only_after_the_commit(database: Database) -> None:
    assert await database.run(lambda connection: write(connection, "a")) == "a"
    assert await words(database) == ["a"]


async def test_one_failing_turn_does_not_touch_its_neighbours(database: Database) -> None:
    def fail(connection: Connection) -> None:
        write(connection, "lost")
        raise ValueError("ours")

    results = await asyncio.gather(
        database.run(lambda connection: write(connection, "a")),
        database.run(fail),
        database.run(lambda connection: write(connection, "b")),
        database.run(lambda connection: write(connection, "b")),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in results] == ["str", "ValueError", "str", "IntegrityError"] or (
        type(results[3]).__name__ == "Unavailable"
    )
    assert await words(database) == ["a", "b"]


async def test_a_turn_that_undoes_a_part_of_itself_keeps_the_rest_and_touches_nobody(database: Database) -> None:
    def think_again(connection: Connection) -> None:
        write(connection, "b")
        mark(connection, "part")
        write(connection, "undone")
        undo(connection, "part")
        write(connection, "c")
        release(connection, "part")

    everybody = (partial(write, word="a"), think_again, partial(write, word="d"))
    await asyncio.gather(*(database.run(work) for work in everybody))
    assert await words(database) == ["a", "b", "c", "d"]


async def test_turns_of_one_key_keep_their_order(database: Database) -> None:
    order: list[int] = []
    await asyncio.gather(*(database.run(lambda _c, n=n: order.append(n), Lane.CHAT, 7) for n in range(50)))  # type: ignore[misc]
    assert order == list(range(50))


async def test_a_turn_is_refused_once_the_engine_is_closed(database_url: str) -> None:
    opened = open_database(database_url)
    opened.close()
    with pytest.raises(Unavailable):
        await opened.run(lambda _connection: None)


async def test_turns_that_wait_share_one_commit(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path}/a.db")
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE)"))
    seen: list[int] = []
    gate = threading.Event()
    first = asyncio.ensure_future(opened.run(lambda _connection: gate.wait(5)))
    await asyncio.sleep(0.05)  # the writer is busy, the rest must wait for it together

    def note(connection: Connection, word: str) -> None:
        write(connection, word)
        other = sqlite3.connect(tmp_path / "a.db")
        seen.append(other.execute("SELECT count(*) FROM note").fetchone()[0])
        other.close()

    rest = [asyncio.ensure_future(opened.run(lambda c, n=n: note(c, str(n)))) for n in range(5)]  # type: ignore[misc]
    gate.set()
    await asyncio.gather(first, *rest)
    assert seen == [0] * 5, "nothing was visible outside before the shared commit"
    assert await words(opened) == ["0", "1", "2", "3", "4"]
    opened.close()


@pytest.fixture
async def queue(postgres: PostgresDatabases) -> AsyncIterator[tuple[Database, str]]:
    """An engine on PostgreSQL with a table that keeps the order, and its address."""
    url = postgres.fresh()
    opened = open_database(url)
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (id SERIAL, word TEXT UNIQUE)"))
    yield opened, url
    opened.close()


def busy(database: Database) -> tuple[threading.Event, "asyncio.Future[bool]"]:
    """A turn that goes on until the event is set: what comes meanwhile has to wait for it together."""
    gate = threading.Event()
    return gate, asyncio.ensure_future(database.run(lambda _connection: gate.wait(30), Lane.CHAT, 99))


def write_note(connection: Connection, word: str) -> None:
    """Keep a word in its order."""
    connection.execute(text("INSERT INTO note (word) VALUES (:word)"), {"word": word})


async def in_order(database: Database) -> list[str]:
    """What is kept, in the order in which it was."""
    return list(await database.read(lambda c: c.execute(text("SELECT word FROM note ORDER BY id")).scalars().all()))


@pytest.mark.postgres
async def test_turns_that_wait_share_one_commit_on_postgresql_too(queue: tuple[Database, str]) -> None:
    database, _ = queue

    def note(connection: Connection, word: str) -> int:
        write_note(connection, word)
        return int(connection.execute(text("SELECT txid_current()")).scalar_one())

    gate, first = busy(database)
    rest = [asyncio.ensure_future(database.run(partial(note, word=f"{n}"), Lane.CHAT, n)) for n in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert len(set(await asyncio.gather(*rest))) == 1
    assert await in_order(database) == ["0", "1", "2", "3", "4"]
    await first


@pytest.mark.postgres
async def test_whoever_another_process_has_holds_up_nobody_else_and_keeps_their_order(
    queue: tuple[Database, str],
) -> None:
    database, url = queue
    await database.run(partial(write_note, word="person 1"))

    def held_up(connection: Connection) -> None:
        connection.execute(text("SELECT 1 FROM note WHERE word = 'person 1' FOR UPDATE"))
        write_note(connection, "held")

    other = create_engine(url)
    with other.connect() as elsewhere:
        elsewhere.execute(text("SELECT 1 FROM note FOR UPDATE"))
        gate, first = busy(database)
        before = database.run(partial(write_note, word="before"), Lane.CHAT, 1)
        held = database.run(held_up, Lane.CHAT, 1)
        after = database.run(partial(write_note, word="after"), Lane.CHAT, 1)
        others = [database.run(partial(write_note, word=f"{n}"), Lane.CHAT, n) for n in range(2, 6)]
        gate.set()
        await asyncio.gather(first, before, *others)
        later = database.run(partial(write_note, word="later"), Lane.CHAT, 1)
        await database.run(partial(write_note, word="6"), Lane.CHAT, 6)
        assert not set(await in_order(database)) & {"held", "after", "later"}
    await asyncio.gather(held, after, later)
    kept = await in_order(database)
    assert [word for word in kept if not word.isdigit()] == ["person 1", "before", "held", "after", "later"]
    assert len(kept) == 10, "each once, however often a group was begun again"
    other.dispose()


@pytest.mark.postgres
async def test_a_turn_that_fails_at_the_commit_takes_no_other_with_it(queue: tuple[Database, str]) -> None:
    database, _ = queue
    await database.run(
        lambda connection: connection.exec_driver_sql("CREATE TABLE late (word TEXT UNIQUE INITIALLY DEFERRED)")
    )

    def twice(connection: Connection) -> None:
        connection.execute(text("INSERT INTO late VALUES ('a'), ('a')"))

    gate, first = busy(database)
    good = [database.run(partial(write_note, word=f"{n}"), Lane.CHAT, n) for n in range(3)]
    bad = database.run(twice, Lane.CHAT, 3)
    gate.set()
    await asyncio.gather(first, *good)
    with pytest.raises(Unavailable):
        await bad
    assert sorted(await in_order(database)) == ["0", "1", "2"]


async def test_a_full_disk_answers_nobody_and_keeps_what_was_kept(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path}/a.db")
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE)"))
    await opened.run(lambda connection: write(connection, "before"))
    pages = await opened.run(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    await opened.run(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())
    results = await asyncio.gather(
        *(opened.run(lambda c, n=n: write(c, str(n) * 9000)) for n in range(4)),  # type: ignore[misc]
        return_exceptions=True,
    )
    kept = await words(opened)
    answered = [one for one in results if isinstance(one, str)]
    assert any(isinstance(one, Unavailable) for one in results)
    assert all(one in kept for one in answered), "whoever was answered is kept"
    assert "before" in kept
    await opened.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=100000").scalar())
    await opened.run(lambda connection: write(connection, "after"))
    assert "after" in await words(opened)
    opened.close()


async def test_a_lock_held_by_another_process_is_waited_for(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path}/a.db")
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE)"))
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(opened.run(lambda connection: write(connection, "a")))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    other.execute("COMMIT")
    other.close()
    assert await waiting == "a"
    opened.close()


async def test_a_read_only_database_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened = open_database(f"sqlite:///{path}")
    await opened.run(lambda connection: connection.exec_driver_sql("CREATE TABLE note (word TEXT UNIQUE)"))

    def freeze(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only=ON")

    await opened.run(freeze)
    with pytest.raises(Exception, match=r"readonly|Unavailable|OperationalError"):
        await opened.run(lambda connection: write(connection, "a"))
    opened.close()


async def test_due_work_is_not_starved_by_chat(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path}/a.db")
    order: list[str] = []
    gate = threading.Event()
    first = asyncio.ensure_future(opened.run(lambda _connection: gate.wait(5)))
    due = asyncio.ensure_future(opened.run(lambda _connection: order.append("due"), Lane.DUE))
    chats = [asyncio.ensure_future(opened.run(lambda _connection: order.append("chat"))) for _ in range(64 * 20)]
    gate.set()
    await asyncio.gather(first, due, *chats)
    assert "due" in order[: 64 * 12]
    opened.close()


async def test_slow_turns_hold_up_neither_what_is_only_kept_nor_the_alarms_nor_their_own_answers(
    tmp_path: Path,
) -> None:
    opened = open_database(f"sqlite:///{tmp_path}/a.db")
    order: list[str] = []
    gate = threading.Event()

    def slow(_connection: Connection, name: str) -> None:
        threading.Event().wait(LONGEST_GROUP * 1.5)
        order.append(name)

    first = asyncio.ensure_future(opened.run(lambda _connection: gate.wait(5)))
    waiting = [asyncio.ensure_future(opened.run(partial(slow, name=f"turn {n}"))) for n in range(6)]
    waiting[1].add_done_callback(lambda _done: order.append("answer 1"))
    alarm = asyncio.ensure_future(opened.run(partial(slow, name="alarm"), Lane.ALARM))
    gate.set()
    await first
    await waiting[0]
    raw = asyncio.ensure_future(opened.run(partial(slow, name="kept"), Lane.RAW))
    await asyncio.gather(alarm, raw, *waiting)
    opened.close()
    assert [name for name in order if name.startswith("turn")] == [f"turn {n}" for n in range(6)]
    assert max(map(order.index, ("kept", "alarm", "answer 1"))) < order.index("turn 5")
