"""Every code of the platform's table, given to a message: its reader gets it another way, or the county hears of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot import errcodes
from bot.errcodes import Reaction
from bot.outcomes import LISTED_AT
from handlers.turn import Card, Turn
from storage.areas import AreaLevel
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Person, Role
from storage.tasks import Task
from tests.bot.rig import Rig, rig
from tests.support.databases import SqliteDatabases
from tests.support.visiting import make_tables
from tests.world import World

CODES = [*sorted(errcodes.known()), 99_999]
"""All that the table knows but success, and one that nobody knows."""
CODES.remove(0)
KINDS = (OutboxKind.ALARM, OutboxKind.PROMPT)
MINUTES = 15
MOST_CALLS = 2 * LISTED_AT + 1
"""In a quarter of an hour, with one renewed token for each try, and a card in the end."""
CARD = Card("alarm", {"what": "有急事", "number": "R1"}, "/m/tasks")


def cases() -> Iterator[tuple[str, int, OutboxKind]]:
    """(name of the person, code, kind): one person for each."""
    for code in CODES:
        for kind in KINDS:
            yield f"{kind}{code}", code, kind


def county(url: str) -> None:
    """A county supervisor, and one officer for each case, all of them bound and with a telephone."""
    make_tables(url)
    world = World.on(url)
    top = world.area("安平县", AreaLevel.COUNTY)
    world.person("county", Role.COUNTY_SUPERVISOR, top, phone="13700000000")
    for number, (name, _, _) in enumerate(cases()):
        world.person(name, Role.VILLAGE_CHILD_OFFICER, top, phone=f"138{number:08d}")
    world.close()


async def _pushed(bot: Rig, name: str, kind: OutboxKind, code: int, *, window: bool) -> Any:  # noqa: ANN401 - a phone
    """A phone to which something has to be said while the platform answers with a code."""
    person = next(row for row in bot.rows(Person) if row.name == name)
    phone = bot.platform.add_phone(name, f"o-{name}", number=person.phone)
    if window:
        await phone.say("帮助")
    bot.fault("message/custom/send" if window else "message/template/send", errcode=code, times=-1)
    await bot.push(phone, kind, "有急事", CARD)
    return phone


async def _quarter(bot: Rig) -> int:
    """A quarter of an hour goes by, or less when nothing is left to send; how many calls were made."""
    before, end = len(bot.calls()), bot.clock.now() + timedelta(minutes=MINUTES)
    while True:
        await bot.worker.alarms.once()
        await bot.worker.send.once()
        waiting = [row.next_at for row in bot.rows() if row.next_at is not None and row.next_at <= end]
        if not waiting:
            return len(bot.calls()) - before
        await bot.pass_(seconds=max(0.0, (min(waiting) - bot.clock.now()).total_seconds()) + 0.01)


def _listed(bot: Rig) -> set[int]:
    return {row.subject_id for row in bot.rows(Task) if row.kind == "unreachable"}


def _state(bot: Rig, phone: Any) -> str:  # noqa: ANN401 - a phone
    """What became of the words to a phone."""
    said = [row for row in bot.rows() if row.content["text"] == "有急事"]
    return str(said[-1].state) if said and phone else ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("telephone", [True, False], ids=["with a gateway", "without one"])
async def test_who_gets_no_card_reads_an_sms_or_is_on_the_countys_list(
    sqlite_databases: SqliteDatabases, *, telephone: bool
) -> None:
    wrong: dict[str, object] = {}
    async with rig(sqlite_databases.copy(county), telephone=telephone) as bot:
        for name, code, kind in cases():
            phone = await _pushed(bot, name, kind, code, window=False)
            calls = await _quarter(bot)
            bot.platform.world.faults.api = []
            done = errcodes.reaction(code) is Reaction.OK
            person = next(row.id for row in bot.rows(Person) if row.name == name)
            sms = [item for item in phone.screen if item.source == "sms"]
            reached = bool(sms) if telephone and not done else done or person in _listed(bot)
            if not reached or calls > MOST_CALLS:
                wrong[name] = (calls, len(sms), _state(bot, phone))
            await _forget(bot)
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_who_gets_no_message_in_the_window_gets_a_card(sqlite_databases: SqliteDatabases) -> None:
    wrong: dict[str, object] = {}
    async with rig(sqlite_databases.copy(county)) as bot:
        for name, code, kind in cases():
            phone = await _pushed(bot, name, kind, code, window=True)
            calls = await _quarter(bot)
            bot.platform.world.faults.api = []
            reaction = errcodes.reaction(code)
            cards = [item for item in phone.screen if item.source == "template"]
            person = next(row.id for row in bot.rows(Person) if row.name == name)
            # Whoever does not follow gets no card either.
            reached = bool(cards) or reaction is Reaction.OK or (
                reaction is Reaction.CONTACT_GONE and person in _listed(bot)
            )  # fmt: skip
            if not reached or calls > MOST_CALLS:
                wrong[name] = (calls, _state(bot, phone))
            await _forget(bot)
    assert wrong == {}


async def _forget(bot: Rig) -> None:
    """What is still to be sent belongs to a case that is over; the next one begins with nothing waiting."""

    def act(turn: Turn) -> None:
        waiting = Outbox.state.in_([OutboxState.QUEUED, OutboxState.SENDING])
        turn.connection.execute(update(Outbox).where(waiting).values(state=OutboxState.CANCELLED, next_at=None))

    await bot.turn(act)
    await bot.pass_(days=1)  # a day's quota that was used up is there again
