"""The named points that the story of one message does not pass: kept raw, a failed turn, a command's batch, a page."""

import asyncio
import contextlib
import csv
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import aiohttp
import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from stdnum.cn import ric

from bot.turns import person_key
from messages import render
from storage.cases import Case, CaseStep
from storage.children import Child, Pairing
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox
from storage.reports import Entry, Report
from storage.tasks import LIVE, Task
from tests.crash.test_database_trouble import for_about, locked
from tests.crash.town import Town, town
from tests.support.pages import Browser
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60.0
DUTY = "o-duty"


async def dies(place: Town, seconds: float = PATIENCE) -> bool:
    """Whether the bot is stopped at its point within so many seconds."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(place.bot.wait(), seconds)
        return True
    return False


# Only the raw message is kept.


CROWD = 12
HELD_FOR = 3.9
"""Seconds: after the patience of a turn (3.5), before the door closes without an answer (4.5)."""


@asynccontextmanager
async def first_turn_waits(place: Town) -> AsyncIterator[None]:
    """The turn of the only contact there is has to wait, and everybody's behind it on the same thread."""
    if place.engine.dialect.name == "sqlite":
        async with locked(place):
            yield
    else:
        async with holding(place, "SELECT id FROM contact ORDER BY id DESC LIMIT 1 FOR UPDATE"):
            yield


@asynccontextmanager
async def later_turns_wait(place: Town) -> AsyncIterator[None]:
    """Turns that begin a report have to wait; what is only kept need not. SQLite's turns follow soon enough."""
    if place.engine.dialect.name == "sqlite":
        yield
    else:
        async with holding(place, "LOCK TABLE report IN EXCLUSIVE MODE"):
            yield


@asynccontextmanager
async def holding(place: Town, lock: LiteralString) -> AsyncIterator[None]:
    """Another client of the server holds a lock."""
    address = make_url(place.url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(address) as connection:
        await connection.execute(lock)
        yield
        await connection.rollback()


async def has_received(place: Town, number: int) -> bool:
    """Whether this process has taken in so many pushes."""
    async with place.http.get(f"http://127.0.0.1:{place.port}/metrics") as answer:
        found = re.search(r"^tongban_pushes_received_total (\S+)", await answer.text(), re.MULTILINE)
        return found is not None and float(found[1]) >= number


async def test_a_message_that_is_only_kept_when_the_process_dies_gets_its_turn(
    database_url: str, tmp_path: Path
) -> None:
    async with town(database_url, tmp_path) as place:
        same_thread = (f"o-{number}" for number in itertools.count() if person_key(f"o-{number}") % 4 == 0)
        first, *others = [place.platform.add_phone(openid=openid) for openid in itertools.islice(same_thread, CROWD)]
        await place.start()
        await first.say("帮助")
        sending: list[asyncio.Task[object]] = []
        while not place.count(Inbox, state=InboxState.WAITING):  # the second that there is may be missed under load
            assert len(sending) < 5 * CROWD, "no message was only kept when the process died"
            await place.kill()
            await place.start("raw_kept")
            async with later_turns_wait(place):
                async with first_turn_waits(place):
                    sending.append(asyncio.create_task(first.say("帮助")))
                    await eventually(lambda: has_received(place, 1), PATIENCE)
                    sending += [asyncio.create_task(one.say(f"{one.openid}家的娃儿遭打了")) for one in others]
                    await eventually(lambda: has_received(place, CROWD), PATIENCE)
                    await for_about(HELD_FOR)
                await dies(place, 10)
        await place.start()
        await asyncio.wait_for(asyncio.gather(*sending), PATIENCE)
        await place.advance(300)
        await eventually(lambda: place.undone() == 0, PATIENCE)
        assert set(Counter(str(one["msg_id"]) for one in place.messages()).values()) == {1}
        assert len(place.messages()) == 1 + len(sending)
        assert place.count(Report) == len(others)
        assert place.count(Entry) == len(sending) * len(others) // CROWD
        assert all(place.said(phone.openid) for phone in (first, *others))
        assert await place.check() == ""


# A turn failed.


BROKEN = {
    "sqlite": ("CREATE TRIGGER broken BEFORE INSERT ON report BEGIN SELECT RAISE(ABORT, 'broken'); END",),
    "postgresql": (
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$",
        "CREATE TRIGGER broken BEFORE INSERT ON report FOR EACH ROW EXECUTE FUNCTION broken()",
    ),
}
"""The database refuses every new report, as a faulty handler would."""
REPAIRED = {"sqlite": "DROP TRIGGER broken", "postgresql": "DROP TRIGGER broken ON report"}


def execute(place: Town, *statements: str) -> None:
    with place.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def test_a_message_whose_turn_failed_is_kept_listed_and_done_later(database_url: str, tmp_path: Path) -> None:
    async with town(database_url, tmp_path) as place:
        dialect = place.engine.dialect.name
        execute(place, *BROKEN[dialect])
        phone = place.platform.add_phone("teacher", "o-teacher")
        await place.start("failed_turn_kept")
        sending = asyncio.create_task(phone.say("班上有个娃 身上全是伤"))
        assert await dies(place)
        assert place.count(Inbox) == 0, "nothing was answered, and nothing is kept"
        await place.start()
        await sending
        assert [item.text for item in place.screen("o-teacher")] == [render("common/kept")]
        assert place.count(Inbox, state=InboxState.FAILED) == 1
        await eventually(lambda: place.count(Task, kind="unread_message") == 1 and place.screen("o-county"), PATIENCE)
        assert await place.check() == ""
        execute(place, REPAIRED[dialect])
        await place.advance(120)
        await eventually(lambda: place.undone() == 0, PATIENCE)
        assert (place.count(Report), place.count(Entry)) == (1, 1)
        assert len(place.screen("o-teacher")) == 2, "the answer to what was told, once"
        assert await place.check() == ""


# A command stopped between two batches.


def children_list(path: Path) -> Path:
    """A list of 120 children of one village, with their officer."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["姓名", "性别", "身份证号", "乡镇", "村", "等级", "儿童主任"])
        for number in range(120):
            digits = f"530000201503{1 + number % 28:02d}{2 * number + 1:03d}"
            rows.writerow(
                [f"赵{number}", "男", digits + ric.calc_check_digit(f"{digits}0"), "青山镇", "柳河村", "黄", "officer"]
            )
    return path


async def test_an_import_stopped_after_any_batch_is_finished_by_importing_the_same_file_again(
    database_url: str, tmp_path: Path
) -> None:
    async with town(database_url, tmp_path) as place:
        file = str(children_list(tmp_path / "children.csv"))
        for batch, children in ((1, 50), (2, 100), (3, 120)):
            code, said = await place.command("import", "children", file, fault=f"batch_committed:{batch}")
            assert (code, said) == (-9, "")
            assert place.count(Child) == children
        code, said = await place.command("import", "children", file)
        assert (code, said) == (0, "0 new, 0 changed, 120 unchanged, 0 faulty, 0 no longer listed (kept).\n")
        assert place.count(Child) == place.count(Pairing) == 120
        with place.reader.connect() as connection:
            visits = select(Task.subject_id).where(Task.kind == "visit", Task.state.in_(LIVE))
            assert set(Counter(connection.execute(visits).scalars()).values()) == {1}
        assert place.count(Task, kind="visit") == 120
        [only] = (await place.check()).splitlines()
        assert only.startswith("over_limit"), "all of them are one officer's"


# A page.


@dataclass
class Door:
    """Where a browser finds the bot."""

    url: str
    http: aiohttp.ClientSession


async def test_a_form_does_one_thing_though_the_process_dies_before_or_after_its_commit(
    database_url: str, tmp_path: Path
) -> None:
    async with town(database_url, tmp_path) as place:
        await place.start()
        for report, point in enumerate(("page_before_commit", "page_after_commit_before_answer"), 1):
            phone = place.platform.add_phone(point, f"o-{point}")
            await phone.say("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头")
            await eventually(lambda: place.count(Task, kind="alarm") == report, PATIENCE)  # noqa: B023 - awaited here
            page = f"/m/case/{place.newest(Report)}"
            words = f"{point} 您说的我们去看了"
            await fill_in(place, point, page, "claim")
            await fill_in(place, point, page, "step", kind="child_seen", note="娃儿在奶奶家")
            await fill_in(place, point, page, "message", words=words)
            await place.advance(60)
            assert sum(words in item.text for item in place.screen(phone.openid)) == 1
            assert place.count(Case) == place.count(CaseStep, kind="child_seen") == report
            assert place.count(Entry, by="staff") == report
        # A notice that was being sent when the process died is listed and not said again (design 3, Sending).
        found = [line for line in (await place.check()).splitlines() if "notice is unknown" not in line]
        assert found == []


async def fill_in(place: Town, point: str, page: str, form: str, **values: str) -> None:
    """The duty person sends a form; the process dies over it, and the same form is sent once more."""
    browser = Browser(Door(f"http://127.0.0.1:{place.port}", place.http), DUTY)  # type: ignore[arg-type]  # all it needs
    shown = await browser.get(page)
    assert shown.status == 200, shown.words
    await place.kill()
    await place.start(point)
    with pytest.raises(aiohttp.ClientError):
        await browser.post(f"{page}/{form}", form=shown.form, **values)  # type: ignore[arg-type]  # fields only
    assert await dies(place)
    await place.start()
    answer = await browser.post(f"{page}/{form}", form=shown.form, **values)  # type: ignore[arg-type]  # fields only
    assert (answer.status, answer.location) == (303, page)


# The telephone.


async def test_a_key_pressed_as_the_process_dies_counts_once_and_is_answered(database_url: str, tmp_path: Path) -> None:
    async with town(database_url, tmp_path) as place:
        place.with_gateway()
        await place.start("gateway_after_commit_before_answer:3")  # before it: the SMS arrived, somebody picked up
        teller, duty = place.platform.add_phone("teller"), place.platform.phone("o-county")
        await teller.say("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头")
        await eventually(lambda: place.count(Outbox, channel="sms", state="delivered") == 1, PATIENCE)
        await eventually(lambda: duty.ringing, PATIENCE)
        await duty.pick_up()
        await duty.press_key("1")
        assert await dies(place)
        await place.start()
        assert place.count(Case) == 1, "it was kept, though the call was over before anybody said so"
        await eventually(lambda: any("您接了" in str(item.fields) for item in duty.screen), PATIENCE)
        assert place.count(Task, kind="alarm", state="done") == 1
        again = await duty.answer_sms("1")
        assert any("是您接的" in item.text for item in again)
        assert place.count(Case) == 1
        assert await place.check() == ""
