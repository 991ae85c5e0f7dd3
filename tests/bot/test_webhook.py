"""The platform's door: nothing is answered before it is durable, and a repeat gets the same answer."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import aiohttp
import pytest

from bot import turns, webhook
from storage.inbox import Inbox
from storage.outbox import Outbox, OutboxState
from storage.reports import Entry, Report
from storage.tasks import Task
from tests.bot.platform import door
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
        began = time.monotonic()
        with pytest.raises(aiohttp.ClientError):
            await platform.push("o-teacher", FIRST_WORDS, 1)
        assert time.monotonic() - began < 3
        other.execute("COMMIT")
        other.close()
        status, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert status == 200
        assert "110" in reply
        assert len(platform.rows(Report)) == 1


async def test_a_slow_turn_answers_success_once_the_raw_message_is_kept(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        return  # one writer thread: while a turn runs nothing else can be kept, and the test above holds
    async with door(database_url, patience=(0.2, 4.0)) as platform:
        platform_key = turns.person_key("o-teacher")

        def busy(_connection: object) -> None:
            threading.Event().wait(0.5)

        slow = asyncio.ensure_future(platform.database.run(busy, key=platform_key))
        status, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        await slow
        assert status == 200
        assert reply == "success" or "110" in reply
        await eventually(lambda: len(platform.rows(Report)) == 1)


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


async def test_large_and_unsigned_bodies_get_a_short_answer(database_url: str) -> None:
    async with door(database_url) as platform:
        async with platform.http.post(f"{platform.url}/wechat", data=b"x" * (webhook.BODY_LIMIT + 1)) as answer:
            assert answer.status == 413
        async with platform.http.post(f"{platform.url}/wechat", data=b"<xml/>") as answer:
            assert answer.status == 403
            assert len(await answer.text()) < 50
        assert platform.rows(Inbox) == []
