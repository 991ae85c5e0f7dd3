"""Any sentence is welcome: twenty random lines in random order, with kills, and nobody is forgotten.

What was drawn is told by its seed; TONGBAN_SEED plays the same again.
"""

import asyncio
import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest
from sqlalchemy import select

from bot.simulator.handles import PhoneHandle
from storage.contacts import Contact
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Role
from storage.tasks import Task, TaskState
from tests.crash.town import Town, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

LINES = 20
KILLS = 3
"""Of each kind: after a message, and while one is on its way."""
PHONES = {
    "teacher": ("teacher", "second-teacher"),
    "villager": ("villager", "neighbour", "grandmother"),
    "caseworker": ("officer", "second-officer"),
    "supervisor": ("county", "duty"),
}
"""Role of the utterances → the phones that may say it."""
SAID = (OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED)
DATA = Path(__file__).parents[1] / "data" / "utterances.tsv"


@dataclass(frozen=True)
class Line:
    """One thing that somebody says, and what happens around it."""

    phone: str
    text: str
    pause: float
    """Seconds by which the clock moves before it."""
    kill: str = ""
    """`after` or `during`."""


def drawn(seed: int) -> list[Line]:
    """Lines, phones, pauses and kills by chance."""
    chance = Random(seed)
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    kills = dict(zip(chance.sample(range(LINES), 2 * KILLS), ["after", "during"] * KILLS, strict=True))
    return [
        Line(
            chance.choice(PHONES[row["role"]]), row["text"].replace("\\n", "\n"), chance.choice([0, 0, 45, 600]),
            kills.get(number, ""),
        )
        for number, row in enumerate(chance.sample(rows, LINES))
    ]  # fmt: skip


def settle(place: Town) -> None:
    """Everybody on the list who says something, besides the people of every town."""
    township = place.world.area("白水镇", "township", place.world.county)  # type: ignore[arg-type]  # a level by its value
    place.world.person("teacher", Role.MANDATED_REPORTER, township)
    place.world.person("second-teacher", Role.MANDATED_REPORTER, place.world.county)
    place.world.person("second-officer", Role.VILLAGE_CHILD_OFFICER, township)
    for name in {name for names in PHONES.values() for name in names} - set(place.platform.world.state.phones):
        ...
