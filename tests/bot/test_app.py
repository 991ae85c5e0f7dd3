"""The whole program in one process: what it serves, when it is ready, and that nothing of it is left when it ends."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from bot.app import Bot, running
from bot.settings import SettingsError
from storage.database import connect
from storage.inbox import Inbox
from storage.outbox import Outbox, OutboxState
from storage.reports import Entry
from tests.bot.place import Place, place
from tests.support.databases import Databases, PostgresDatabases
from tests.support.waiting import eventually, free_port


@pytest.fixture
async def here(databases: Databases, tmp_path: Path) -> AsyncIterator[Place]:
    """A place on each kind of database."""
    async with place(tmp_path, databases.fresh()) as found:
        yield found


async def test_it_serves_what_operators_and_the_platform_ask_for(here: Place) -> None:
    async with running(here.settings):
        assert await here.get("/healthz") == (200, "ok")
        assert (await here.get("/readyz"))[0] == 200
        status, metrics = await here.get("/metrics")
        assert status == 200
        assert "tongban_pushes_received_total" in metrics
        assert await here.get("/MP_verify_abc123.txt") == (200, "abc123")
        assert (await here.get("/MP_verify_other.txt"))[0] == 404
        assert (await here.get("/"))[0] == 404


@pytest.mark.postgres
async def test_it_is_not_ready_while_the_database_is_away(postgres: PostgresDatabases, tmp_path: Path) -> None:
    url = postgres.fresh()
    name = str(make_url(url).database)
    async with place(tmp_path, url) as here, running(here.settings):
        assert (await here.get("/readyz"))[0] == 200
        away = _shut(postgres, name)
        status, why = await here.get("/readyz")
        assert status == 503
        assert "database" in why
        assert name not in why
        assert (await here.get("/healthz"))[0] == 200
        postgres.execute("ALTER DATABASE {} RENAME TO {}", away, name)
        postgres.execute("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", name)
        await eventually(lambda: _is_ready(here), 20)


def _shut(postgres: PostgresDatabases, name: str) -> str:
    """Let nobody in, throw everybody out and move the database away; its new name."""
    postgres.execute("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name)
    engine = connect(postgres.fresh())
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    engine.dispose()
    postgres.execute("ALTER DATABASE {} RENAME TO {}", name, f"{name}_away")
    return f"{name}_away"


async def _is_ready(here: Place) -> bool:
    return (await here.get("/readyz"))[0] == 200


async def test_it_is_not_ready_before_the_platform_gave_it_a_token(here: Place) -> None:
    here.platform.world.faults.change({"frozen_secret": True}, 0)
    async with running(here.settings):
        status, why = await here.get("/readyz")
        assert (status, why) == (503, "token: the platform gives none")
        assert (await here.get("/healthz"))[0] == 200


async def test_a_platform_that_fails_later_does_not_close_the_door(here: Place) -> None:
    async with running(here.settings) as bot:
        assert (await here.get("/readyz"))[0] == 200
        here.platform.world.faults.change({"frozen_secret": True}, 0)
        bot.wechat.tokens._good_until = 0
        assert (await here.get("/readyz"))[0] == 200


async def test_without_demo_there_is_no_clock_to_move(databases: Databases, tmp_path: Path) -> None:
    async with place(tmp_path, databases.fresh(), demo=False) as here, running(here.settings) as bot:
        assert await here.travel(3600) == 404
        assert bot.clock.offset == timedelta()


async def test_the_moved_clock_is_there_after_a_restart(here: Place) -> None:
    async with running(here.settings) as bot:
        assert await here.travel(2 * 86400) == 200
        reached = bot.clock.now()
        assert (await here.get("/readyz"))[0] == 200, "a jump is no silence of the ticks"
    async with running(here.settings) as bot:
        assert timedelta() <= bot.clock.now() - reached < timedelta(minutes=1)


async def test_an_unprepared_database_is_one_clear_sentence(tmp_path: Path) -> None:
    async with place(tmp_path, f"sqlite:///{tmp_path}/empty.db", prepared=False) as here:
        with pytest.raises(SettingsError, match="tongban migrate"):
            async with running(here.settings):
                pass


async def test_a_second_process_on_the_same_file_says_so_and_exits_with_2(tmp_path: Path) -> None:
    async with place(tmp_path, f"sqlite:///{tmp_path}/a.db") as here, running(here.settings):
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "--config", str(here.config), "run",
            env=os.environ | {"TONGBAN__WEB__PORT": str(free_port())},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(second.communicate(), 60)
        assert second.returncode == 2
        assert b"already runs on this database file" in said
        assert b"Traceback" not in said
        assert (await here.get("/readyz"))[0] == 200, "the first one goes on"


async def test_stopping_finishes_what_was_taken_and_what_was_not_comes_again(here: Place) -> None:
    phones = [here.platform.add_phone(f"p{n}") for n in range(30)]
    async with running(here.settings):
        talks = [asyncio.ensure_future(phone.say(f"我是第{n}个，村里有个娃没人管")) for n, phone in enumerate(phones)]
        await eventually(lambda: any(talk.done() for talk in talks))
    await asyncio.gather(*talks)
    rows = _rows(here, Inbox)
    answered = {phone.openid for phone in phones if any(item.source == "reply" for item in phone.screen)}
    assert answered
    kept = {row["message"]["openid"] for row in rows}
    assert answered <= kept
    async with running(here.settings) as bot:
        for phone in phones:
            if phone.openid not in kept:
                await phone.say("村里有个娃没人管")
        await bot.worker.run_all()
        await eventually(lambda: {row["state"] for row in _rows(here, Outbox)} <= {"handed", "accepted"})
    assert len(_rows(here, Entry)) == len(phones)


def _rows(here: Place, table: type) -> list[dict[str, Any]]:
    """Every row of a table."""
    engine = connect(here.settings.database.url)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(select(table.__table__)).mappings()]  # type: ignore[attr-defined]
    engine.dispose()
    return found


async def test_nothing_of_it_is_left_when_it_ends(here: Place) -> None:
    tasks, threads = set(asyncio.all_tasks()), set(threading.enumerate())
    async with running(here.settings) as bot:
        phone = here.platform.add_phone("p")
        await phone.say("帮助")
        assert isinstance(bot, Bot)
    await here.platform.quiet()

    def left() -> bool:
        more = {task for task in asyncio.all_tasks() - tasks if "Simulator" not in repr(task) and not task.done()}
        return not [one for one in threading.enumerate() if one not in threads] and not more

    await eventually(left)


async def test_a_reply_left_by_a_process_that_died_is_said_after_the_start(here: Place) -> None:
    phone = here.platform.add_phone("p")
    async with running(here.settings):
        await phone.say("帮助")
        await eventually(lambda: {row["state"] for row in _rows(here, Outbox)} == {OutboxState.HANDED})
    past = _rows(here, Outbox)[0]["created_at"]
    engine = connect(here.settings.database.url)
    with engine.begin() as connection:  # as if it had died before it knew that the answer was taken
        connection.execute(Outbox.__table__.update().values(state=OutboxState.PASSIVE, next_at=past))
    engine.dispose()
    said = len(phone.screen)
    async with running(here.settings):
        await eventually(lambda: len(phone.screen) == said + 1)
    assert phone.screen[-1].text == phone.screen[-2].text


@pytest.mark.postgres
async def test_processes_share_the_moved_clock(postgres: PostgresDatabases, tmp_path: Path) -> None:
    async with place(tmp_path, postgres.fresh()) as here, running(here.settings) as first:
        web = here.settings.web.model_copy(update={"port": free_port()})
        async with running(here.settings.model_copy(update={"web": web})) as second:
            assert await here.travel(86400) == 200
            await eventually(lambda: abs(second.clock.offset - first.clock.offset) < timedelta(seconds=1))
            assert second.clock.offset > timedelta(hours=23)
