"""A county of Wudi's size: its staff, each with a phone, and every child on file with who follows it and when."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from random import Random

from handlers.plans import END_OF_DAY
from handlers.turn import Turn
from handlers.workdays import at, local_day
from storage import areas, contacts, sealing
from storage.areas import AreaLevel
from storage.children import Child, Pairing, Side
from storage.contacts import Contact
from storage.database import connect
from storage.people import Duty, Person, PersonRole, Role
from storage.tasks import Task, TaskState
from tests.bench import filled
from tests.world import World

CHILDREN, OFFICERS, TOWNSHIPS, COUNTY_SUPERVISORS = 108_000, 574, 12, 4
"""Wudi, Shandong (People's Daily, 12 January 2024)."""
DUE = 3
"""Visits that every officer is asked for in the hour."""
_CHUNK = 4000
_LEVELS = ("red",) + ("yellow",) * 4 + ("blue",) * 20 + ("green",) * 75
_SURNAMES, _GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "雨欣浩然梓涵思远佳怡明轩婷志强文博静建国"


def found(url: str, children: int = CHILDREN, officers: int = OFFICERS) -> None:
    """The staff, each with a phone, and the children with who follows them and when they are due.

    The county itself and one of its supervisors are there already.
    """
    world = World(connect(url))
    world.now = datetime.now(UTC) - timedelta(days=60)
    villages, holders = world.turn(partial(_staff, officers=officers))
    world.close()
    now = datetime.now(UTC)
    chance = Random(25)
    with filled.quickly(url, Child, Pairing, Task) as connection:
        numbers = iter(range(1, children + 1))
        while chunk := [(number, number % officers) for number in islice(numbers, _CHUNK)]:
            connection.execute(
                Child.__table__.insert(), [_child(number, villages[who], chance, now) for number, who in chunk]
            )
            connection.execute(
                Pairing.__table__.insert(), [_pairing(number, holders[who], now) for number, who in chunk]
            )
            connection.execute(
                Task.__table__.insert(),
                [
                    _visit(number, villages[who], holders[who], now, is_due=number <= DUE * officers)
                    for number, who in chunk
                ],
            )


def officer_openid(number: int) -> str:
    """The phone of an officer."""
    return f"o-wudi-officer-{number:03d}"


def _staff(turn: Turn, officers: int) -> tuple[list[int], list[int]]:
    """Areas and people; the ids of the villages and of their officers."""
    top = areas.county(turn.session)
    assert top is not None
    townships = [areas.add_area(turn.session, AreaLevel.TOWNSHIP, f"第{n}镇", top) for n in range(TOWNSHIPS)]
    villages = [
        areas.add_area(turn.session, AreaLevel.VILLAGE, f"第{n}村", townships[n % TOWNSHIPS]) for n in range(officers)
    ]
    for number in range(COUNTY_SUPERVISORS - 1):  # one is there already
        _person(turn, f"县{number}", Role.COUNTY_SUPERVISOR, top.id, f"o-wudi-county-{number}")
    for number, township in enumerate(townships):
        person = _person(turn, f"镇{number}", Role.TOWNSHIP_CHILD_SUPERVISOR, township.id, f"o-wudi-township-{number}")
        turn.session.add(Duty(area_id=township.id, person_id=person, since=turn.now))
    holders = [
        _person(turn, f"村{number}", Role.VILLAGE_CHILD_OFFICER, village.id, officer_openid(number))
        for number, village in enumerate(villages)
    ]
    return [village.id for village in villages], holders


def _person(turn: Turn, name: str, role: Role, area: int, openid: str) -> int:
    person = Person(name=name, area_id=area, joined_at=turn.now)
    turn.session.add(person)
    turn.session.flush()
    turn.session.add(PersonRole(person_id=person.id, role=role, area_id=area, since=turn.now))
    talk = contacts.hear(turn.connection, openid, turn.now)
    turn.session.get_one(Contact, talk.contact_id).person_id = person.id
    return person.id


def _child(number: int, village: int, chance: Random, now: datetime) -> dict[str, object]:
    name = chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=2))
    return {
        "id": number, "number": f"W{number:06d}", "name": name,
        "name_index": sealing.ring().index("child_name", name), "sex": chance.choice(("female", "male")),
        "born": date(2010, 1, 1) + timedelta(days=chance.randrange(5000)), "area_id": village,
        "level": _LEVELS[number % 100], "level_since": now - timedelta(days=90),
        "on_file_since": now - timedelta(days=90), "last_contact_on": (now - timedelta(days=20)).date(),
        "policy_version": 0,
    }  # fmt: skip


def _pairing(number: int, officer: int, now: datetime) -> dict[str, object]:
    return {
        "id": number,
        "child_id": number,
        "person_id": officer,
        "side": Side.CADRE,
        "since": now - timedelta(days=90),
    }


def _visit(number: int, village: int, officer: int, now: datetime, *, is_due: bool) -> dict[str, object]:
    """The visit to come: due now, or within three months."""
    days = 0 if is_due else 1 + number % 90
    return {
        "id": number, "key": f"visit:child:{number}:{Side.CADRE}.0", "kind": "visit", "subject": "child",
        "subject_id": number, "area_id": village, "person_id": officer, "state": TaskState.OPEN, "urgency": 0,
        "opened_at": now - timedelta(days=10), "due_at": at(local_day(now) + timedelta(days=days), END_OF_DAY),
        "next_at": now + timedelta(days=days, seconds=-1), "rung": 0, "late": False, "failures": 0, "policy_version": 0,
    }  # fmt: skip
