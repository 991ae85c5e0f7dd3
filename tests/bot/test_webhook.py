"""The platform's door: nothing is answered before it is durable, and a repeat gets the same answer."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot import turns, webhook
from bot.simulator.crypto import signature
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox, OutboxState
from storage.reports import Entry, Report
from storage.tasks import Task
from tests.bot.platform import TOKEN, Door, door
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.waiting import eventually

FIRST_WORDS = "我班上一个娃身上全是青的紫的 问他不说话"


async def test_the_first_words_are_a_report_before_they_are_answered(database_url: str) -> None:
    async with door(database_url) as platform:
        status, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert status == 200
        assert "110" in reply
        assert len(platform.rows(Report)) == 1
        await eventually(lambda: [row["state"] for row in platform.rows(Outbox)] == [OutboxState.HANDED])


async def test_one_message_delivered_three_times_is_one_report_and_one_reply(database_url: str) -> None:
    async with door(database_url) as platform:
        first, second = await asyncio.gather(
            platform.push("o-teacher", FIRST_WORDS, 1), platform.push("o-teacher", FIRST_WORDS, 1)
        )
        third = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert first == second == third
        assert [len(platform.rows(table)) for table in (Report, Entry, Inbox, Outbox)] == [1, 1, 1, 1]


async def test_the_same_number_from_another_person_is_another_message(database_url: str) -> None:
    async with door(database_url) as platform:
        await asyncio.gather(platform.push("o-a", FIRST_WORDS, 1), platform.push("o-b", FIRST_WORDS, 1))
        assert len(platform.rows(Report)) == 2


async def test_a_hundred_people_at_once_are_all_kept_and_answered(database_url: str) -> None:
    async with door(database_url) as platform:
        replies = await asyncio.gather(*(platform.push(f"o-{n}", FIRST_WORDS, n) for n in range(1, 101)))
        assert all("110" in reply for _, reply in replies)
        assert len(platform.rows(Report)) == 100


async def test_a_locked_database_answers_nobody_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with door(f"sqlite:///{path}", patience=(0.3, 0.6)) as platform:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(aiohttp.ClientError):  # while the other still holds it
            await platform.push("o-teacher", FIRST_WORDS, 1)
        other.execute("COMMIT")
        other.close()
        status, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert status == 200
        assert "110" in reply
        assert len(platform.rows(Report)) == 1


@asynccontextmanager
async def slow_turn(platform: Door) -> AsyncIterator[None]:
    """A turn of the teacher's has begun, and takes until the block ends."""
    begun, end = threading.Event(), threading.Event()

    def busy(_connection: object) -> None:
        begun.set()
        assert end.wait(60)

    done = asyncio.ensure_future(platform.database.run(busy, key=turns.person_key("o-teacher")))
    await eventually(begun.is_set)
    try:
        yield
    finally:
        end.set()
        await done


@pytest.mark.postgres
async def test_while_a_turn_is_slow_success_is_answered_once_the_raw_message_is_kept(
    postgres: PostgresDatabases,
) -> None:
    async with door(postgres.fresh(), patience=(0.2, 20.0)) as platform:
        async with slow_turn(platform):
            assert await platform.push("o-teacher", FIRST_WORDS, 1) == (200, "success")
            assert [row["state"] for row in platform.rows(Inbox)] == [InboxState.WAITING]
            assert platform.rows(Report) == []
        await eventually(lambda: len(platform.rows(Report)) == 1)


async def test_on_sqlite_a_slow_turn_keeps_everything_else_out_so_that_nothing_is_answered(
    sqlite_databases: SqliteDatabases,
) -> None:
    async with door(sqlite_databases.fresh(), patience=(0.2, 0.6)) as platform:
        async with slow_turn(platform):
            with pytest.raises(aiohttp.ClientError):
                await platform.push("o-teacher", FIRST_WORDS, 1)
        await eventually(lambda: len(platform.rows(Report)) == 1)
        assert await platform.push("o-teacher", FIRST_WORDS, 1) == (200, "success")
        assert [row["state"] for row in platform.rows(Inbox)] == [InboxState.DONE]
        [reply] = platform.rows(Outbox)
        assert "110" in reply["content"]["text"]
        assert reply["state"] == OutboxState.QUEUED, "a late turn is answered by the outbox"


async def test_a_broken_handler_keeps_the_message_and_lists_it_for_people(database_url: str) -> None:
    async with door(database_url) as platform:
        with platform.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE entry RENAME TO entry_away")
        status, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert status == 200
        assert "保存" in reply
        rows = platform.rows(Inbox)
        assert [(row["state"], row["attempts"]) for row in rows] == [("failed", 1)]
        assert FIRST_WORDS not in str(rows[0]["error"])
        assert [row["kind"] for row in platform.rows(Task)] == ["unread_message"]
        again = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert again == (status, reply)


async def test_a_body_that_does_not_come_whole_is_not_answered_and_a_malformed_one_is(database_url: str) -> None:
    async with door(database_url, patience=(0.2, 0.5)) as platform:
        address, query = urlsplit(platform.url), f"signature={signature(TOKEN, '1', 'n')}&timestamp=1&nonce=n"
        for declared, answer in ((100, b""), (5, b"400 Bad Request")):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            head = f"POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {declared}"
            writer.write(f"{head}\r\n\r\n<xml>".encode())
            try:
                heard = await reader.read()
            except ConnectionError:
                heard = b""
            assert heard.partition(b"\r\n")[0].removeprefix(b"HTTP/1.1 ") == answer
            writer.close()
        assert platform.rows(Inbox) == []


async def test_large_and_unsigned_bodies_get_a_short_answer(database_url: str) -> None:
    async with door(database_url) as platform:
        async with platform.http.post(f"{platform.url}/wechat", data=b"x" * (webhook.BODY_LIMIT + 1)) as answer:
            assert answer.status == 413
        async with platform.http.post(f"{platform.url}/wechat", data=b"<xml/>") as answer:
            assert answer.status == 403
            assert len(await answer.text()) < 50
        assert platform.rows(Inbox) == []
