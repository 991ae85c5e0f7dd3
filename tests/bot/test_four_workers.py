"""Sending that knows WeChat's windows and tells the truth (mission.md, capability 4), on the stand-in.

One wrote 50 hours ago, one tapped a menu 61 seconds ago, one unsubscribed, one has spent the five messages. Besides,
three of whom the bot cannot know it: the platform closed their window, counted other messages against it, or lost the
event that they left. Three times each of them has a child to visit.
"""

import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from bot.simulator import acts
from bot.simulator.handles import PhoneHandle
from handlers import pairs
from handlers.policy import Way
from handlers.turn import Turn
from storage import sealing
from storage.areas import AreaLevel
from storage.children import Child, Side
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person, Role
from storage.tasks import Task
from tests.bot.rig import AT_ANY_HOUR, Rig, rig
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import World

WORKERS = ("wrote", "tapped", "left", "spent")
UNKNOWN = ("closed", "counted", "gone")
CHILD = "王小雨"
ROUNDS = 3
ONCE = {45015, 45047, 43004}
"""Codes that no person may cause twice."""


def county(url: str) -> None:
    """A supervisor, a duty person, and the workers, all bound and with a telephone."""
    make_tables(url)
    world = World.on(url)
    top = world.area("安平县", AreaLevel.COUNTY)
    boss = world.person("county", Role.COUNTY_SUPERVISOR, top, phone="13700000000")
    world.duty(top, boss)
    for number, name in enumerate((*WORKERS, *UNKNOWN)):
        world.person(name, Role.VILLAGE_CHILD_OFFICER, top, phone=f"138{number:08d}")
    world.close()


async def histories(bot: Rig) -> dict[str, PhoneHandle]:
    """What was before."""
    people = {row.name: row.phone for row in bot.rows(Person)}
    phones = {name: bot.platform.add_phone(name, f"o-{name}", number=number) for name, number in people.items()}
    await phones["wrote"].say("帮助")
    await bot.pass_(hours=50)
    for name in ("spent", "closed", "counted"):
        await phones[name].say("帮助")
    await bot.handed()
    for number in range(5):
        await bot.push(phones["spent"], OutboxKind.NOTICE, f"第 {number} 条")
    await bot.worker.send.once()
    await follow(bot, "left", due=bot.clock.now().date() + timedelta(days=30))
    await phones["left"].unfollow()
    closed, counted = phones["closed"].user.long, phones["counted"].user.long
    assert closed is not None
    assert counted is not None
    closed.expires, counted.remaining, phones["gone"].user.following = 0, 0, False
    await acts.event(bot.platform.world, phones["tapped"].user, "CLICK", {"EventKey": "help"})
    await bot.pass_(seconds=61)
    return phones


async def follow(bot: Rig, *names: str, due: date) -> None:
    """Each of these people has another child to visit, due on a workday, which may be past."""
    people = {row.name: row.id for row in bot.rows(Person)}

    def act(turn: Turn) -> None:
        for name in names:
            number = f"T{turn.session.scalar(select(func.count(Child.id))) or 0:05d}"
            child = Child(
                number=number, name=CHILD, name_index=sealing.ring().index("child_name", CHILD), sex="female",
                born=date(2017, 3, 5), area_id=turn.county_id(), level="green", on_file_since=turn.now,
                level_since=turn.now - timedelta(days=400), last_contact_on=due - timedelta(days=91),
            )  # fmt: skip
            turn.session.add(child)
            turn.session.flush()
            pairs.pair(turn, child, turn.session.get_one(Person, people[name]), Side.CADRE)

    await bot.turn(act)


async def ask(bot: Rig) -> None:
    """Something is due for everybody, and a quarter of an hour passes."""
    await follow(bot, *WORKERS, *UNKNOWN, due=bot.clock.now().date() - timedelta(days=10))
    end = bot.clock.now() + timedelta(minutes=15)
    while True:
        for loop in (bot.worker.kept, bot.worker.due, bot.worker.alarms, bot.worker.send):
            await loop.once()
        moments = [row.next_at for table in (Task, None) for row in (bot.rows(table) if table else bot.rows())]
        waiting = [one for one in moments if one is not None and one <= end]
        if not waiting:
            break
        await bot.pass_(seconds=max(0.0, (min(waiting) - bot.clock.now()).total_seconds()) + 0.01)
    await bot.told_of_deliveries()


def by_person(bot: Rig) -> Counter[tuple[str, int]]:
    """(openid, code) of every call that said something to somebody."""
    log = bot.platform.world.log.after(0)
    calls = [one for one in log if one["kind"] == "call" and "/message/" in str(one["path"])]
    return Counter((json.loads(str(one["request"]))["touser"], int(str(one["errcode"]))) for one in calls)


def ways(phone: PhoneHandle) -> list[str]:
    """By which ways prompts came to a phone."""
    return [item.source for item in phone.screen if "件事要办" in f"{item.text}{item.fields}"]


def listed(bot: Rig) -> set[str]:
    """Who is on the county's list of people whom nothing reaches."""
    ids = {row.subject_id for row in bot.rows(Task) if row.kind == "unreachable"}
    return {row.name for row in bot.rows(Person) if row.id in ids}


@pytest.mark.parametrize("telephone", [True, False], ids=["with a gateway", "without one"])
async def test_nobody_causes_a_refusal_twice_and_each_prompt_finds_its_way(
    databases: Databases, *, telephone: bool
) -> None:
    async with rig(databases.copy(county), telephone=telephone, policy=replace(AT_ANY_HOUR, pushes_per_hour=0)) as bot:
        phones = await histories(bot)
        await ask(bot)
        assert listed(bot) == ({"left"} if telephone else {"left", "gone"})  # within the quarter of an hour
        for _ in range(1, ROUNDS):
            await ask(bot)
        calls = by_person(bot)
        assert {key: many for key, many in calls.items() if key[1] in ONCE and many > 1} == {}
        refused = {("o-closed", 45015), ("o-counted", 45047), ("o-gone", 43004)}
        assert {key for key in calls if key[1]} == refused, "who is known is not tried in vain"
        for name in ("wrote", "tapped", "spent", "closed", "counted"):
            assert ways(phones[name]) == ["template"] * ROUNDS, name
        for name in ("left", "gone"):
            assert ways(phones[name]) == (["sms"] * ROUNDS if telephone else []), name
        prompts = [row for row in bot.rows() if row.kind == OutboxKind.PROMPT]
        told = Counter((row.state, row.code) for row in prompts)
        known = {OutboxState.DELIVERED, OutboxState.ACCEPTED}
        assert told.keys() <= {*((state, None) for state in known), (OutboxState.REFUSED, 43004)}
        assert told[OutboxState.REFUSED, 43004] == (0 if telephone else 1)
        said = [one for one in bot.platform.world.log.after(0) if one["kind"] in {"call", "gateway"}]
        assert CHILD not in str(said)
        cards = [json.loads(str(one["request"]))["data"] for one in said if "template/send" in str(one["path"])]
        assert cards
        assert max(len(field["value"]) for card in cards for field in card.values()) <= 20


@pytest.mark.parametrize(
    ("order", "expected"),
    [(("template", "custom", "sms"), "template"), (("sms", "template", "custom"), "sms")],
)
async def test_the_county_says_in_which_order(databases: Databases, order: tuple[Way, ...], expected: str) -> None:
    policy = replace(AT_ANY_HOUR, pushes_per_hour=0, channels=order)
    async with rig(databases.copy(county), telephone=True, policy=policy) as bot:
        phones = await histories(bot)
        await ask(bot)
        assert [ways(phones[name]) for name in ("wrote", "tapped", "closed")] == [[expected]] * 3
