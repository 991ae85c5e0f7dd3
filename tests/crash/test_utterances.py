"""Any sentence is welcome: twenty random lines in random order, with kills, and nobody is forgotten.

What was drawn is told by its seed; TONGBAN_SEED=… plays the same again.
"""

import asyncio
import csv
import os
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom

import pytest
from sqlalchemy import select

from storage.inbox import Inbox
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Role
from storage.tasks import Task
from tests.crash.town import Town, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

LINES = 20
KILLS = ("after", "after", "during", "during", "during")
"""After a message was answered, or while it is on its way."""
PHONES = {
    "teacher": ("teacher", "other-teacher"),
    "villager": ("villager", "neighbour", "grandmother"),
    "caseworker": ("officer", "other-officer"),
    "supervisor": ("county", "duty"),
}
"""Role of an utterance → the phones that may say it."""
ON_THE_LIST = frozenset({"county", "duty", "second", "officer"})
"""Phones that every town has."""
SAID = (OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED)
BURST = timedelta(seconds=60)
"""Messages that follow each other so closely have one reply, the first's or one when it is over."""
DATA = Path(__file__).parents[1] / "data" / "utterances.tsv"


@dataclass(frozen=True)
class Line:
    """One thing that somebody says, and what happens around it."""

    phone: str
    text: str
    pause: int
    """Seconds by which the clock moves before it."""
    kill: str


def drawn(seed: int) -> list[Line]:
    """Lines, phones, pauses and kills by chance."""
    chance = Random(seed)
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    kills = dict(zip(chance.sample(range(LINES), len(KILLS)), KILLS, strict=True))
    return [
        Line(
            phone=chance.choice(PHONES[row["role"]]),
            text=row["text"].replace("\\n", "\n"),
            pause=chance.choice([0, 0, 45, 600]),
            kill=kills.get(number, ""),
        )
        for number, row in enumerate(chance.sample(rows, LINES))
    ]


def settle(place: Town) -> None:
    """More people on the list than every town has, and villagers who are on none."""
    place.world.person("teacher", Role.MANDATED_REPORTER, place.areas["township"])
    place.world.person("other-teacher", Role.MANDATED_REPORTER, place.areas["county"])
    place.world.person("other-officer", Role.VILLAGE_CHILD_OFFICER, place.areas["village"])
    for name in {name for names in PHONES.values() for name in names} - ON_THE_LIST:
        place.platform.add_phone(name, f"o-{name}")


async def said(place: Town, line: Line, chance: Random) -> None:
    """Send one line, with the trouble that was drawn for it."""
    if line.pause:
        await place.advance(line.pause)
    sending = asyncio.ensure_future(place.platform.phone(f"o-{line.phone}").say(line.text))
    if line.kill == "during":
        for _ in range(chance.randrange(40)):  # somewhere between nothing and everything
            await asyncio.wait([sending], timeout=0.001)
        await place.kill()
        await place.start()
    await sending
    if line.kill == "after":
        await place.kill()
        await place.start()


def unanswered(place: Town) -> list[str]:
    """Messages whose person was told nothing: no reply of their own, and none to the burst they are in, or since."""
    with place.reader.connect() as connection:
        heard = connection.execute(select(Inbox.id, Inbox.contact_id, Inbox.received_at, Inbox.message)).all()
        replies = connection.execute(
            select(Outbox.inbox_id, Outbox.contact_id, Outbox.created_at).where(
                Outbox.kind == OutboxKind.REPLY, Outbox.state.in_(SAID)
            )
        ).all()
    return [
        row.message["text"]
        for row in heard
        if row.message["kind"] == "text"
        and not any(
            one.inbox_id == row.id or (one.contact_id == row.contact_id and one.created_at >= row.received_at - BURST)
            for one in replies
        )
    ]


async def test_twenty_random_lines_with_kills_leave_nobody_without_a_reply_and_nothing_without_a_person(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("TONGBAN_SEED", SystemRandom().randrange(1_000_000)))
    told = f"TONGBAN_SEED={seed}"
    print(told)  # noqa: T201 - a failure shows it
    lines = drawn(seed)
    async with town(database_url, tmp_path) as place:
        settle(place)
        await place.start()
        chance = Random(seed)
        for line in lines:
            await said(place, line, chance)
        await place.advance(2 * 24 * 3600)
        assert place.kills == len(KILLS), told
        assert Counter(one["text"] for one in place.messages()) == Counter(line.text for line in lines), told
        assert unanswered(place) == [], told
        assert place.faults() == 0, told
        with place.reader.connect() as connection:
            errors = [row.kind for row in connection.execute(select(Task.kind).where(Task.error.is_not(None)))]
        await eventually(lambda: place.undone() == 0, 60)
        assert errors == [], told
        assert await place.check() == "", told
