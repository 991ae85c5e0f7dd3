"""The story that the crash tests play: a frightened message, its case, a visit, and the digest of the next morning.

It always begins on the same Monday, in a town of its own, so that two plays can be compared letter for letter.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select

from bot.simulator.handles import PhoneHandle
from handlers import digest, pairs
from handlers.turn import Turn
from storage import sealing
from storage.cases import Case, CaseStep
from storage.children import Child, Side
from storage.lifecycle import Step
from storage.media import Media, MediaState
from storage.migrate import upgrade
from storage.outbox import Outbox, OutboxState
from storage.people import Person
from storage.reports import Entry, Report
from storage.tasks import Task, TaskTold
from storage.visits import Visit
from tests.crash.town import Town, town
from tests.support.databases import Databases
from tests.support.media import picture
from tests.support.waiting import eventually

BEGINS = datetime(2040, 6, 4, 1, 0, tzinfo=UTC)
"""A Monday, 09:00 in China; the clock only goes forward, so it is far ahead."""
DAY = timedelta(days=1)
TOLD = ("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头", "在柳河村三组李家 跟奶奶在一起", "1", "13812345678")
HANDLED = ("我接了", "步骤", "3", "在奶奶家 身上没有伤", "指派", "1", "定级", "红色", "人还能回来")
PHONES = ("o-teller", "o-duty", "o-officer", "o-county")
MESSAGES = len(TOLD) + 1 + len(HANDLED) + 3
PATIENCE = 60.0
PAUSE = 70
"""Seconds after each message: longer than the lease of a sender that was killed, or than an answer is waited for."""
SAID = frozenset({
    OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED, OutboxState.CANCELLED,
    OutboxState.UNKNOWN,
})  # fmt: skip
"""Nothing is left to be said."""
Send = Callable[[Awaitable[Any]], Awaitable[None]]
"""Lets somebody send something, with or without trouble."""


@asynccontextmanager
async def story_town(databases: Databases, folder: Path) -> AsyncIterator[Town]:
    """A new town on that Monday, with a child whom the officer has to visit on Tuesday; the bot is not started yet."""
    folder.mkdir()  # noqa: ASYNC240 - before anything runs that could wait for it
    async with town(databases.copy(upgrade), folder, begins=BEGINS) as place:
        place.world.turn(lambda turn: _child_on_file(turn, place))
        place.platform.add_phone("teller", "o-teller")
        yield place


def _child_on_file(turn: Turn, place: Town) -> None:
    child = Child(
        number="T00001", name="王小雨", name_index=sealing.ring().index("child_name", "王小雨"), sex="female",
        born=date(2030, 3, 5), area_id=place.areas["village"].id, level="yellow", level_since=BEGINS - 90 * DAY,
        on_file_since=BEGINS - 90 * DAY, last_contact_on=date(2040, 5, 22),
    )  # fmt: skip
    turn.session.add(child)
    turn.session.flush()
    officer = turn.session.scalars(select(Person).where(Person.area_id == place.areas["village"].id)).one()
    pairs.pair(turn, child, officer, Side.CADRE)
    digest.ensure_digests(turn)


async def play(place: Town, send: Send) -> None:
    """All of it, by words; the bot runs. What is due at a moment comes in between the messages of every play alike."""
    teller, duty, officer, county = map(place.platform.phone, PHONES)
    for words in TOLD:
        await says(place, teller, words, send)
    await sends(place, teller.send_image(picture()), send)
    await until(place, BEGINS + timedelta(minutes=15))  # longer than the lease of a fetcher that was killed
    await eventually(lambda: place.count(Media, state=MediaState.KEPT) == 1, PATIENCE)
    assert any(f"/m/case/{place.newest(Report)}" in f"{one.text}{one.url}" for one in place.screen(duty.openid))
    for words in HANDLED:
        await says(place, duty, words, send)
    await until(place, BEGINS + DAY)
    await says(place, officer, "我的任务", send)
    number = re.search(r"(\d+) 走访", "\n".join(place.said(officer.openid)))
    assert number is not None, place.said(officer.openid)
    await says(place, officer, f"记录 {number[1]} 全部正常", send)
    await until(place, BEGINS + 2 * DAY)
    await says(place, county, "日报", send)


async def says(place: Town, phone: PhoneHandle, words: str, send: Send) -> None:
    """One message; the next comes after its answer, and after what follows from it."""
    before = len(place.screen(phone.openid))
    await sends(place, phone.say(words), send)
    await passes(place, PAUSE)
    assert len(place.screen(phone.openid)) > before, words


async def sends(place: Town, message: Awaitable[Any], send: Send) -> None:
    """It is answered, and the bot has noted that; a bot that was killed notes nothing more."""
    kills = place.kills
    await send(message)
    await eventually(lambda: place.kills > kills or is_noted(place), PATIENCE)


async def passes(place: Town, seconds: float) -> None:
    """Time passes, and everything is said that is to be said by then."""
    await place.advance(seconds)
    while not is_quiet(place):
        await place.advance(PAUSE)  # a sender that was killed on the way has its lease still


async def until(place: Town, moment: datetime) -> None:
    """Time passes until a moment."""
    await passes(place, moment.timestamp() - place.platform.world.clock.now())


def is_noted(place: Town) -> bool:
    """No answer is on its way as far as the bot knows."""
    return place.count(Outbox, state=OutboxState.PASSIVE) == 0


def is_quiet(place: Town) -> bool:
    """Nothing is waiting to be said, and nothing is due."""
    with place.reader.connect() as connection:
        unsaid = [one for one in connection.execute(select(Outbox.state)).scalars() if one not in SAID]
    return not unsaid and not due(place)


def due(place: Town) -> bool:
    """Whether there is work for this moment, or something is just being said."""
    now = datetime.fromtimestamp(place.platform.world.clock.now(), UTC)
    work = (
        select(Task.id).where(Task.next_at <= now),
        select(Outbox.id).where(or_(Outbox.next_at <= now, Outbox.state == OutboxState.SENDING)),
    )
    with place.reader.connect() as connection:
        return any(connection.execute(query).first() for query in work)


async def undisturbed(message: Awaitable[Any]) -> None:
    """No trouble."""
    await message


# How it ended.


@dataclass(frozen=True)
class Ending:
    """What the database holds, without numbers and moments, and what each of `PHONES` read."""

    rows: dict[str, list[tuple[object, ...]]]
    screens: dict[str, list[str]]


def ending(place: Town) -> Ending:
    """How a play ended."""
    return Ending(_kept(place), {openid: place.said(openid) for openid in place.platform.world.state.phones})


def _kept(place: Town) -> dict[str, list[tuple[object, ...]]]:
    queries = {
        "report": select(
            Report.stage, Report.kind, Report.urgency, Report.suggested, Report.answers, Report.entries
        ),
        "entry": select(Entry.kind, Entry.by, Entry.text).order_by(Entry.id),
        "media": select(Media.state, Media.kind, Media.sha256),
        "case": select(Case.stage, Case.level, Case.pending, Case.holder_id, Case.officer_id),
        "case_step": select(CaseStep.kind, CaseStep.note, CaseStep.by_id),
        "moves": select(Step.subject, Step.move, Step.before, Step.after, Step.by_id, Step.why).order_by(Step.id),
        "visit": select(Visit.kind, Visit.side, Visit.person_id, Visit.happened_on, Visit.late, Visit.guardianship,
                        Visit.study, Visit.body_and_mind),
        "task": select(Task.kind, Task.subject, Task.state, Task.urgency, Task.rung, Task.person_id, Task.role)
        .order_by(Task.kind, Task.subject, Task.due_at, Task.person_id),
        "told": select(Task.kind, Task.subject, TaskTold.person_id, TaskTold.rung).join(
            TaskTold, TaskTold.task_id == Task.id).order_by(Task.kind, Task.subject, TaskTold.person_id, TaskTold.rung),
    }  # fmt: skip
    with place.reader.connect() as connection:
        rows = {name: [tuple(row) for row in connection.execute(query)] for name, query in queries.items()}
    return rows | {"message": [(one["kind"], one.get("text")) for one in place.messages()]}


def compared(seen: Ending, wanted: Ending) -> tuple[Counter[str], Counter[str]]:
    """What somebody read more often than they should, and what less often; no row, no word and no order differs."""
    different = {name: (seen.rows[name], rows) for name, rows in wanted.rows.items() if seen.rows[name] != rows}
    assert not different, different
    again: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for openid, words in wanted.screens.items():
        read = seen.screens[openid]
        assert list(dict.fromkeys(read)) == [one for one in dict.fromkeys(words) if one in read], (openid, read, words)
        again += Counter(read) - Counter(words)
        lost += Counter(words) - Counter(read)
    return again, lost


async def ended_well(place: Town) -> int:
    """Everything that came in was done, nobody read that the account is out of order, and `check` finds nothing.

    But for a notice that was being sent when the process died: nobody knows whether it arrived, it is not said again,
    and the person who has not written since is listed (design 3, Sending). How many there are.
    """
    await place.advance(PAUSE)  # what became of the last cards is told some seconds later
    await eventually(lambda: place.undone() == 0, PATIENCE)
    assert place.faults() == 0
    assert [line for line in (await place.check()).splitlines() if "notice is unknown" not in line] == []
    return place.count(Outbox, state=OutboxState.UNKNOWN)


_REFERENCES: dict[type, Ending] = {}


async def reference(databases: Databases, folder: Path) -> Ending:
    """How the story ends when nothing is killed; played once for each kind of database."""
    kind = type(databases)
    if kind not in _REFERENCES:
        async with story_town(databases, folder) as place:
            await place.start()
            await play(place, undisturbed)
            assert await ended_well(place) == 0
            _REFERENCES[kind] = ending(place)
    return _REFERENCES[kind]
