"""The demo county's children: the paper's figures, their levels, schools and pairs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from handlers import workdays
from handlers.demo.chance import Chance
from handlers.demo.places import Places, Township
from handlers.demo.staff import Staff
from handlers.enrolment import id_number_index, name_index
from messages.files import table
from storage.areas import Area
from storage.children import Child, ChildCategory, Pairing, Side, note_pair

ORPHANS, DE_FACTO, DISABLED, BOTH, LEFT_BEHIND = 91, 425, 326, 20, 378
"""The paper's figures (seed.txt); `BOTH` of the disabled are orphans or de facto unattended."""
LEVELS = {"red": 6, "yellow": 42, "blue": 190}
_AT_SCHOOL, _AT_MIDDLE, _OLDEST = 6, 13, 17
_GRADES_OF_MIDDLE = 7


@dataclass
class OnFile:
    """A child and the adults who follow it."""

    child: Child
    village: Area
    pairs: list[Pairing] = field(default_factory=list)


def make(session: Session, chance: Chance, places: Places, staff: Staff, now: datetime) -> list[OnFile]:
    """All children with categories and pairs."""
    kinds = list(_categories())
    children = [
        _child(chance, places, number, kinds[number], now) for number in chance.some(range(len(kinds)), len(kinds))
    ]
    session.add_all(one.child for one in children)
    session.flush()  # gives the ids
    order = iter(chance.some(children, sum(LEVELS.values())))
    for level, count in LEVELS.items():
        for _ in range(count):
            _set_level(chance, next(order).child, level, now)
    today = workdays.local_day(now)
    for number, one in enumerate(children):
        since = one.child.on_file_since
        session.add_all(
            ChildCategory(child_id=one.child.id, category=kind, since=since.date()) for kind in _of(one, kinds)
        )
        one.pairs = [_pair(one.child, staff.officers[one.village.id].id, Side.CADRE)]
        if one.child.school_id and _age(one.child, today) >= _AT_SCHOOL:
            teachers = staff.teachers[one.child.school_id]
            one.pairs.append(_pair(one.child, teachers[number % len(teachers)].id, Side.TEACHER))
        session.add_all(one.pairs)
    session.flush()  # the visits point to these rows
    for one in children:
        note_pair(session, one.child, one.child.on_file_since)
    return children


def _categories() -> Iterator[tuple[str, ...]]:
    both = BOTH // 2
    for kind, count in (("orphan", ORPHANS), ("de_facto_unattended", DE_FACTO)):
        for number in range(count):
            yield (kind, "with_disability") if number < both else (kind,)
    for _ in range(DISABLED - BOTH):
        yield ("with_disability",)
    for _ in range(LEFT_BEHIND):
        yield ("left_behind",)


def _of(one: OnFile, kinds: list[tuple[str, ...]]) -> tuple[str, ...]:
    return kinds[int(one.child.number[1:]) - 1]


def _child(chance: Chance, places: Places, number: int, kinds: tuple[str, ...], now: datetime) -> OnFile:
    township = places.townships[number % len(places.townships)]
    village = township.villages[number // len(places.townships) % len(township.villages)]
    group = chance.one(township.groups[village.id])
    sex = chance.one(["female", "male"])
    born = workdays.local_day(now) - timedelta(days=chance.number(3 * 366, 17 * 365 + 300))
    name, id_number = chance.child(sex), chance.id_number(born, sex, number)
    words = table("demo/places.toml")
    guardian = None if "orphan" in kinds and chance.happens(0.2) else chance.adult()
    child = Child(
        number=f"C{number + 1:05d}", name=name, name_index=name_index(name), sex=sex, born=born,
        id_number=id_number, id_number_index=id_number_index(id_number), area_id=group.id,
        address=words["address"].format(village=village.name, group=group.name, door=chance.number(1, 60)),
        guardian=guardian, guardian_phone=chance.phone() if guardian else None, level="green",
        on_file_since=now - timedelta(days=chance.number(90, 700)),
    )  # fmt: skip
    child.level_since = child.on_file_since
    _school(chance, child, township, village, workdays.local_day(now))
    return OnFile(child, village)


def _school(chance: Chance, child: Child, township: Township, village: Area, today: date) -> None:
    age = _age(child, today)
    if age < _AT_SCHOOL:
        return
    words = table("demo/places.toml")["classes"]
    grade = age - _AT_SCHOOL + 1
    if age >= _AT_MIDDLE:
        school, grade = township.middle, min(grade, len(words["names"]))
    else:
        near = [one for one in township.primaries if one.area_id == village.id]
        school = near[0] if near else township.primaries[village.id % len(township.primaries)]
    child.school_id = school.id
    child.school_class = words["label"].format(grade=words["names"][grade - 1], number=chance.number(1, 4))


def _age(child: Child, today: date) -> int:
    born = child.born or today
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _set_level(chance: Chance, child: Child, level: str, now: datetime) -> None:
    child.level = level
    child.level_since = now - timedelta(days=chance.number(5, 60))
    child.level_why = table("demo/sentences.toml")["why"][f"level_{level}"]


def _pair(child: Child, person_id: int, side: Side) -> Pairing:
    return Pairing(child_id=child.id, person_id=person_id, side=side, since=child.on_file_since)
