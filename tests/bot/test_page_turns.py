"""What a look at a page costs the others, and that none is shown that was not logged."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from sqlalchemy import Connection, Engine, event, select, text

from bot.lanes import Lane
from storage.audit import Audit
from tests.support.databases import Databases
from tests.support.pages import Browser, Town, town

WORDS = "柳湾村有个娃身上青一块紫一块的，问他不说话"


@pytest_asyncio.fixture
async def county(databases: Databases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in, on each kind of database."""
    async with town(databases.fresh(), tmp_path) as made:
        yield made


@asynccontextmanager
async def busy(county: Town) -> AsyncIterator[None]:
    """The thread on which all turns go is in the middle of something."""
    begun, over = threading.Barrier(2), threading.Event()

    def work(_connection: Connection) -> None:
        begun.wait(60)
        over.wait(60)

    running = asyncio.ensure_future(county.bot.database.run(work, Lane.CHAT))
    await asyncio.to_thread(begun.wait, 60)
    try:
        yield
    finally:
        over.set()
        await running


async def told(county: Town) -> tuple[Browser, str]:
    """Somebody told something; the browser of whoever is on duty, and the report's page."""
    county.platform.add_phone("teller", "o-teller")
    await county.platform.phone("o-villager").say(WORDS)
    await county.advance(60)
    await county.bot.worker.run_all()
    duty = county.browser("duty")
    assert (await duty.get("/m/tasks")).status == 200
    return duty, "/m/case/1"


async def looks(county: Town) -> list[str]:
    """What was looked at."""
    query = select(Audit.subject).where(Audit.act == "look").order_by(Audit.id)
    return await county.does(lambda turn: list(turn.session.scalars(query)))


async def test_a_page_is_not_shown_before_its_look_is_logged(county: Town) -> None:
    duty, page = await told(county)
    async with busy(county):
        asked = asyncio.ensure_future(duty.get(page))
        done, _ = await asyncio.wait([asked], timeout=1)
        assert not done
    assert WORDS in (await asked).words
    assert await looks(county) == ["tasks", "report"]


async def test_while_somebody_looks_others_are_answered(county: Town) -> None:
    duty, page = await told(county)
    reading, over = threading.Event(), threading.Event()

    def slow(*_given: object) -> None:
        if threading.current_thread().name.startswith("read") and not reading.is_set():
            reading.set()
            over.wait(60)

    event.listen(Engine, "before_cursor_execute", slow)
    try:
        asked = asyncio.ensure_future(duty.get(page))
        await asyncio.to_thread(reading.wait, 60)
        *_, answer = await county.platform.phone("o-teller").say("值班")
        assert "110" in answer.text
        assert not asked.done()
    finally:
        over.set()
        shown = await asked
        event.remove(Engine, "before_cursor_execute", slow)
    assert WORDS in shown.words


async def test_what_cannot_be_logged_is_not_shown(county: Town) -> None:
    duty, page = await told(county)
    await county.does(lambda turn: turn.connection.execute(text("ALTER TABLE audit RENAME TO audit_away")))
    refused = await duty.get(page)
    assert refused.status >= 500
    assert WORDS not in refused.text
    await county.does(lambda turn: turn.connection.execute(text("ALTER TABLE audit_away RENAME TO audit")))
    assert WORDS in (await duty.get(page)).words
    assert await looks(county) == ["tasks", "report"]


async def test_whoever_only_looks_can_change_nothing(county: Town) -> None:
    def change(connection: Connection) -> None:
        connection.execute(text("DELETE FROM audit"))

    duty, page = await told(county)
    await duty.get(page)
    before = await looks(county)
    [outcome] = await asyncio.gather(county.bot.database.read(change), return_exceptions=True)
    assert isinstance(outcome, Exception)
    assert await looks(county) == before
