"""The demo county's areas and units: townships, villages, groups, schools, police stations, a hospital."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from sqlalchemy.orm import Session

from handlers.demo.chance import Chance
from messages.files import table
from storage.areas import Area, AreaLevel, Unit, UnitKind

TOWNSHIPS = 12
VILLAGES_EACH = 10
SCHOOLS = 78


@dataclass
class Township:
    """A township with what lies in it."""

    area: Area
    villages: list[Area] = field(default_factory=list)
    groups: dict[int, list[Area]] = field(default_factory=dict)
    """Village id → its groups."""
    primaries: list[Unit] = field(default_factory=list)
    middle: Unit = field(default_factory=Unit)
    police: Unit = field(default_factory=Unit)
    station: Unit = field(default_factory=Unit)


@dataclass
class Places:
    """The whole county."""

    county: Area
    townships: list[Township]
    hospital: Unit
    centre: Unit


def make(session: Session, chance: Chance) -> Places:
    """Areas first, floor by floor, then units."""
    words = table("demo/places.toml")
    county = _floor(session, [(AreaLevel.COUNTY, words["county"], None)])[0]
    towns = _floor(session, [(AreaLevel.TOWNSHIP, name, county) for name in words["townships"][:TOWNSHIPS]])
    townships = [Township(area) for area in towns]
    pairs = list(product(words["village_first"], words["village_last"]))
    names = [
        words["village"].format(first=first, last=last)
        for first, last in chance.some(pairs, VILLAGES_EACH * len(townships))
    ]
    villages = _floor(
        session, [(AreaLevel.VILLAGE, name, towns[number % len(towns)]) for number, name in enumerate(names)]
    )
    asked = [
        (AreaLevel.GROUP, words["group"].format(number=number), village)
        for village in villages
        for number in range(1, chance.number(3, 5) + 1)
    ]
    for group in _floor(session, asked):
        _township(townships, group).groups.setdefault(group.parent_id or 0, []).append(group)
    for village in villages:
        _township(townships, village).villages.append(village)
    return _units(session, county, townships)


def _floor(session: Session, asked: Sequence[tuple[AreaLevel, str, Area | None]]) -> list[Area]:
    """One floor of the tree in two statements: rows, then the paths that their ids give."""
    made = [
        Area(level=level, name=name, parent_id=parent.id if parent else None, path="") for level, name, parent in asked
    ]
    session.add_all(made)
    session.flush()  # gives the ids
    for area, (_, _, parent) in zip(made, asked, strict=True):
        area.path = f"{parent.path if parent else '/'}{area.id}/"
    session.flush()  # the next floor builds on these paths
    return made


def _township(townships: list[Township], area: Area) -> Township:
    return next(one for one in townships if area.path.startswith(one.area.path))


def _units(session: Session, county: Area, townships: list[Township]) -> Places:
    words = table("demo/places.toml")["units"]

    def unit(kind: UnitKind, name: str, area: Area) -> Unit:
        place = area.name if area is county else area.name[:-1]
        return Unit(kind=kind, name=words[name].format(place=place), area_id=area.id)

    made = [hospital := unit(UnitKind.HOSPITAL, "hospital", county), centre := unit(UnitKind.OFFICE, "centre", county)]
    for number, one in enumerate(townships):
        one.middle = unit(UnitKind.SCHOOL, "middle", one.area)
        one.police = unit(UnitKind.POLICE_STATION, "police_station", one.area)
        one.station = unit(UnitKind.OFFICE, "station", one.area)
        primaries = SCHOOLS // len(townships) - 1 + (number < SCHOOLS % len(townships))
        one.primaries = [unit(UnitKind.SCHOOL, "primary", village) for village in one.villages[:primaries]]
        made += [one.middle, one.police, one.station, *one.primaries]
    session.add_all(made)
    session.flush()  # gives the ids
    return Places(county, townships, hospital, centre)
