"""Two hundred people report at once, everything is delivered three times, and the process is killed twenty times.

Who says what, how much of it, and the moments of the kills are told by their seed; TONGBAN_SEED=… plays them again.
The platform goes on delivering until it has an answer, as nobody's real process dies every other second; that it gives
up after three deliveries, and what the person reads then, is tested elsewhere.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from sqlalchemy import select

from bot.simulator.faults import Duplicate
from storage.outbox import Outbox, OutboxState
from storage.reports import Report
from tests.crash.crowd import (
    FIRST_WORDS,
    PATIENCE,
    QUESTIONS,
    RECEIPT,
    Person,
    accounts,
    asked_in_vain,
    said_again,
)
from tests.crash.town import MSG_ID, OK, Town, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE, KILLS, DELIVERIES = 200, 20, 3
MOST_MESSAGES = 8
"""Of a person who answers everything, the first sentence among them (capability 1)."""


@dataclass
class Deliveries:
    """What became of every delivery of a message, read from the platform's log before it forgets."""

    place: Town
    last: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)

    def collect(self) -> None:
        """Take over what is new."""
        new = self.place.platform.world.log.after(self.last)
        self.last = max((int(str(entry["n"])) for entry in new), default=self.last)
        self.found += [entry for entry in new if entry["kind"] == "push" and MSG_ID.search(str(entry["xml"]))]


async def until_settled(people: Sequence[Person], number: int) -> None:
    """So many messages are settled."""
    await eventually(lambda: sum(len(one.said) for one in people) >= number, PATIENCE)


async def killed_at(place: Town, people: Sequence[Person], moments: Sequence[int], chance: Random) -> Deliveries:
    """Kill the bot whenever so many messages are settled, and start it again."""
    deliveries = Deliveries(place)
    for number, moment in enumerate(moments):
        await until_settled(people, moment)
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(chance.random() / 50))])
        await place.kill()
        deliveries.collect()
        # Copies come one after the other, or all at the same time.
        place.platform.world.faults.duplicate = Duplicate(DELIVERIES, concurrent=number % 2 == 0, pushes=-1)
        await place.start()
        deliveries.collect()
    return deliveries


async def test_two_hundred_people_report_at_once_and_nothing_is_lost_by_twenty_kills(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("TONGBAN_SEED", SystemRandom().randrange(1_000_000)))
    told = f"TONGBAN_SEED={seed}"
    print(told)  # noqa: T201 - a failure shows it
    chance = Random(seed)
    async with town(database_url, tmp_path) as place:
        people = [
            Person(
                place.platform.add_phone(openid=f"o-person-{number}"), chance.choice(FIRST_WORDS), chance.randrange(8)
            )
            for number in range(PEOPLE)
        ]
        place.platform.world.faults.duplicate = Duplicate(DELIVERIES, concurrent=True, pushes=-1)
        await place.start()
        reporting = asyncio.gather(*(one.reports(place) for one in people))
        moments = sorted(chance.sample(range(sum(1 + min(one.answers, 3) for one in people)), KILLS))
        deliveries = await killed_at(place, people, moments, chance)
        await reporting
        deliveries.collect()
        assert place.kills == KILLS, told

        # Every message is kept once, and every account is whole, letter for letter.
        assert place.count(Report) == PEOPLE, told
        assert accounts(place) == {one.phone.openid: [one.words] for one in people}, told
        assert Counter(one["text"] for one in place.messages()) == Counter(
            words for one in people for words in one.said
        ), told

        # The platform was answered in time, or found nobody there and came again.
        answered = [one for one in deliveries.found if one["status"] == OK]
        assert len(answered) == DELIVERIES * sum(len(one.said) for one in people), told
        assert {one["status"] for one in deliveries.found} <= {OK, 0}, told
        late = sum("no answer in" in str(one["problem"]) for one in deliveries.found)
        slowest = max(float(one["ms"]) for one in answered)
        assert place.faults() == 0, told

        # Who answers everything needs few messages.
        complete = [one for one in people if any(RECEIPT in reply for reply in one.read())]
        assert complete, told
        assert max(len(one.said) for one in complete) <= MOST_MESSAGES, told

        # In the end everything was said, nothing waits, and everything open is somebody's.
        await place.advance(120)
        await eventually(lambda: place.undone() == 0, PATIENCE)
        with place.reader.connect() as connection:
            states = Counter(connection.execute(select(Outbox.state)).scalars())
        assert not states.keys() & {OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.SENDING}, (told, states)
        again = said_again(place, people)

        # Nobody is asked twice for one answer.
        for one in people:
            asked = [question for reply in one.read() for question in QUESTIONS if question in reply]
            assert set(Counter(asked).values()) <= {1}, (told, one.phone.transcript)
            assert asked_in_vain(one) == [], (told, one.phone.transcript)
        assert await place.check() == "", told
        most = max(len(one.said) for one in complete)
        print(  # noqa: T201 - what was measured
            f"{sum(len(one.said) for one in people)} messages, {len(deliveries.found)} deliveries, {len(answered)} "
            f"answered, the slowest after {slowest:.0f} ms, {late} not within the platform's patience; "
            f"{len(complete)} complete with at most {most} messages; {again} replies were said twice"
        )
