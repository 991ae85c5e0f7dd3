"""The story of one frightened message, with kill -9 around every single message: people and database cannot tell."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage.cases import Case
from storage.media import Media, MediaState
from storage.outbox import Outbox, OutboxState
from storage.reports import Entry, Report, ReportStage
from storage.tasks import Task
from tests.crash.town import Town, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

STORY = ("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头", "在柳河村三组李家 跟奶奶在一起", "1", "13812345678")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
PATIENCE = 60.0
DUTY = "o-duty"
SAID = frozenset({
    OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED, OutboxState.CANCELLED,
})  # fmt: skip
"""Nothing is left to be said."""
Send = Callable[[Awaitable[Any]], Awaitable[None]]
"""Lets somebody send something, with or without trouble."""


async def play(place: Town, name: str, send: Send) -> None:
    """A reporter's dialogue, a photo, the claim, a step, and a quarter of an hour."""
    phone, duty = place.platform.add_phone(name, f"o-{name}"), place.platform.phone(DUTY)
    for words in STORY:
        before = len(place.screen(phone.openid))
        await send(phone.say(words))
        await eventually(lambda before=before: len(place.screen(phone.openid)) > before, PATIENCE)  # type: ignore[misc]
    await place.advance(60)  # the photo is no part of a burst, however long the kills took
    await send(phone.send_image(PNG))
    await place.advance(240)  # longer than the lease of a fetch that was killed
    number = place.count(Report)
    await eventually(lambda: place.count(Media, state=MediaState.KEPT) == number, PATIENCE)
    await eventually(lambda: is_quiet(place), PATIENCE)
    assert any(f"/m/case/{place.newest(Report)}" in f"{one.text}{one.url}" for one in place.screen(DUTY))
    await send(duty.say("我接了"))
    await place.advance(60)  # a reply that may not have been handed over is sent after 20 s
    await eventually(lambda: is_quiet(place), PATIENCE)
    assert place.count(Report, stage=ReportStage.ACCEPTED) == number
    await place.advance(900)


def is_quiet(place: Town) -> bool:
    """Nothing is waiting to be said, and nothing is due."""
    now = datetime.fromtimestamp(place.platform.world.clock.now(), UTC)
    with place.reader.connect() as connection:
        unsaid = [one for one in connection.execute(select(Outbox.state)).scalars() if one not in SAID]
        due = connection.execute(select(Task.id).where(Task.next_at <= now)).all()
    return not unsaid and not due


def kept(place: Town) -> dict[str, object]:
    """What the database holds of the newest report, without numbers and moments."""
    with place.reader.connect() as connection:
        report = connection.execute(select(Report.__table__).order_by(Report.id.desc()).limit(1)).one()
        case = connection.execute(select(Case.__table__).where(Case.id == report.case_id)).one()
        entries = connection.execute(select(Entry.kind, Entry.text).where(Entry.report_id == report.id))
        subjects = (("report", report.id), ("case", case.id))
        tasks = [
            (row.kind, row.state, row.urgency, row.rung)
            for subject, number in subjects
            for row in connection.execute(
                select(Task.__table__).where(Task.subject == subject, Task.subject_id == number).order_by(Task.kind)
            )
        ]
        return {
            "report": (report.stage, report.kind, report.urgency, report.suggested, report.answers, report.entries),
            "entries": [tuple(entry) for entry in entries],
            "case": (case.stage, case.level, case.holder_id),
            "tasks": tasks,
        }


def screens(place: Town, name: str, since: int) -> tuple[list[str], list[str]]:
    """What the reporter read, and what the duty person read after the first `since` items."""
    return place.said(f"o-{name}"), place.said(DUTY)[since:]


def in_order(words: list[str]) -> list[str]:
    """Each thing once, where it appeared first."""
    return list(dict.fromkeys(words))


async def undisturbed(message: Awaitable[Any]) -> None:
    await message


@pytest.mark.parametrize("moment", ["after", "during"])
async def test_kills_around_every_message_change_nothing_that_people_see(
    database_url: str, tmp_path: Path, moment: str
) -> None:
    async with town(database_url, tmp_path) as place:

        async def killed_after(message: Awaitable[Any]) -> None:
            """The platform has its answer; nothing that follows from the message need be done yet."""
            await message
            await place.kill()
            await place.start()

        async def killed_during(message: Awaitable[Any]) -> None:
            """The message is on its way, and comes again after the restart; then once more while all is quiet."""
            sending = asyncio.ensure_future(message)
            await asyncio.sleep(0)
            await place.kill()
            await place.start()
            await sending
            await eventually(lambda: is_quiet(place), PATIENCE)
            await place.kill()
            await place.start()

        await place.start()
        await place.platform.phone(DUTY).say("值班")  # a window is open: alarms come as words, the first as the second
        await play(place, "reference", undisturbed)
        expected, state, already = screens(place, "reference", 1), kept(place), len(place.said(DUTY))
        await play(place, moment, killed_after if moment == "after" else killed_during)
        assert place.kills == (6 if moment == "after" else 12)
        assert kept(place) == state
        await eventually(lambda: is_quiet(place), PATIENCE)
        for seen, wanted in zip(screens(place, moment, already), expected, strict=True):
            assert in_order(seen) == in_order(wanted)
            extra = Counter(seen) - Counter(wanted)
            # A kill between an answer and its mark may say a reply once more, word for word (design 3.3).
            assert all(number == 1 for number in extra.values()), extra
        assert place.count(Report) == 2
        await eventually(lambda: place.undone() == 0, PATIENCE)
        assert len(place.messages()) == 13
        assert place.faults() == 0
        assert await place.check() == ""
