"""The database threads: what shares a commit, what a failure takes with it, and when nobody may be answered."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.engine import Database, Lane, Unavailable, open_database
from bot.sqlite_engine import LONGEST_GROUP
from bot.undoing import mark, release, undo


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
