"""What a list's words for places, units and people mean in this county; new places are made only when allowed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from handlers.import_cells import Faulty, phone
from handlers.import_rows import Whereabouts
from handlers.turn import Turn
from messages.files import table
from storage import areas, people, posts, rolls
from storage.areas import Area, AreaLevel, Unit, UnitKind
from storage.people import Person, Role

_COUNTY_ROLES = frozenset({Role.COUNTY_SUPERVISOR, Role.AUDITOR})
_VILLAGE_ROLES = frozenset({Role.VILLAGE_CHILD_OFFICER})
_UP_TO_COUNTY = frozenset({Role.AGENCY_LIAISON, Role.MANDATED_REPORTER, Role.CARE_PARTNER})
"""Roles that may belong to the county itself, when no township is named."""


@dataclass
class Directory:
    """The county's places, units and people, read once per batch of rows."""

    turn: Turn
    create: bool
    dry: bool
    """A dry run makes nothing: a place it would make is None."""
    county: Area = field(init=False)
    _below: dict[tuple[int, str], Area] = field(default_factory=dict)
    _villages: list[Area] = field(default_factory=list)
    _units: list[Unit] = field(default_factory=list)
    _people: dict[str, list[Person]] = field(default_factory=dict)
    _paths: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        session = self.turn.session
        self.county = session.get_one(Area, self.turn.county_id())
        for area in rolls.areas_below(session, self.county.path):
            self._note(area)
        self._units = rolls.all_units(session)
        for person in posts.all_here(session):
            self._people.setdefault(person.name, []).append(person)

    def of_role(self, role: str, place: Whereabouts) -> Area | None:
        """The area a person's role is for; None where a dry run would make it."""
        if role in _COUNTY_ROLES:
            return self.county
        if role in _VILLAGE_ROLES:
            return self.village(place)
        township = self.township(place)
        if township is not None and place.village:
            return self.village(place)
        if township is None and not self.create and role not in _UP_TO_COUNTY:
            raise Faulty("township_missing")
        return township or (self.county if role in _UP_TO_COUNTY and not place.township else None)

    def group(self, place: Whereabouts) -> Area | None:
        """The group, or the village of a row without one; None where a dry run would make it."""
        village = self.village(place)
        if village is None or not place.group:
            return village
        found = self._find(village, place.group)
        if found or self.dry:
            return found or village
        return self._make(AreaLevel.GROUP, place.group, village)  # groups are many and small: they need no leave

    def village(self, place: Whereabouts) -> Area | None:
        """The village a row names; raises Faulty."""
        if not place.village:
            raise Faulty("village_missing")
        township = self.township(place)
        if township is not None:
            found = self._find(township, place.village)
            if found:
                return found
            if self.create:
                return self._make(AreaLevel.VILLAGE, place.village, township)
            raise Faulty("village", township=township.name, said=place.village)
        if place.township:  # a township that a dry run would make
            return None
        named = [one for one in self._villages if place.village in {one.name, one.name[:-1]}]
        if len(named) > 1:
            raise Faulty("village_ambiguous", said=place.village)
        if not named:
            raise Faulty("village", township="", said=place.village)
        return named[0]

    def township(self, place: Whereabouts) -> Area | None:
        """The township a row or its sheet names; None when neither does (or a dry run would make it)."""
        if place.township:
            found = self._find(self.county, place.township)
            if found or self.create:
                return found or self._make(AreaLevel.TOWNSHIP, place.township, self.county)
            raise Faulty("township", said=place.township)
        return self._find(self.county, place.sheet) if place.sheet else None

    def unit(self, name: str, area: Area | None) -> Unit | None:
        """A unit by name, the one nearest to the area; raises Faulty."""
        named = [one for one in self._units if one.name == name]
        if len(named) > 1 and area is not None:
            township = "/".join(area.path.split("/")[:3]) + "/"
            named = [one for one in named if self._paths[one.area_id].startswith(township)] or named
        if len(named) > 1:
            raise Faulty("unit_ambiguous", said=name)
        if named:
            return named[0]
        if not self.create:
            raise Faulty("unit", said=name)
        return self._make_unit(name, area) if area is not None and not self.dry else None

    def person(self, said: str, area: Area | None, unit_id: int | None = None) -> Person | None:
        """Somebody by telephone number or by name, nearest first; raises Faulty when that is not one person."""
        if any(character.isdecimal() for character in said):
            found = people.by_phone(self.turn.session, phone(said))
            if found is None:
                raise Faulty("person", said=said)
            return found
        named = self._people.get(said.replace(" ", ""), [])
        for nearer in self._circles(area, unit_id):
            inside = [one for one in named if nearer(one)]
            if inside:
                named = inside
                break
        if not named:
            raise Faulty("person", said=said)
        if len(named) > 1:
            raise Faulty("person_ambiguous", said=said)
        return named[0]

    def officer(self, area: Area) -> Person | None:
        """The child officer of the area's village."""
        village = area.id if area.level == AreaLevel.VILLAGE else area.parent_id
        return people.person_of(self.turn.session, self._officers.get(village or 0))

    def path(self, area_id: int) -> str:
        """The path of an area."""
        return self._paths.get(area_id, "")

    def township_path(self, area: Area) -> str:
        """The path of the township an area lies in; the county's own for the county."""
        return "/".join(area.path.split("/")[:3]).rstrip("/") + "/"

    @cached_property
    def _officers(self) -> dict[int, int]:
        return rolls.village_officers(self.turn.session, self.turn.now)

    def _circles(self, area: Area | None, unit_id: int | None) -> Iterator[Callable[[Person], bool]]:
        """Who counts as near: of the unit, of the area, of the township."""
        if unit_id is not None:
            yield lambda one: one.unit_id == unit_id
        if area is not None:
            yield lambda one: one.area_id == area.id
            township = self.township_path(area)
            yield lambda one: self._paths.get(one.area_id or 0, "").startswith(township)

    def _find(self, parent: Area, name: str) -> Area | None:
        """By its name, with or without the last character, which says what kind of place it is."""
        return self._below.get((parent.id, name))

    def _note(self, area: Area) -> None:
        self._paths[area.id] = area.path
        if area.level == AreaLevel.VILLAGE:
            self._villages.append(area)
        if area.parent_id is not None:
            for name in {area.name, area.name[:-1] or area.name}:
                self._below.setdefault((area.parent_id, name), area)

    def _make(self, level: AreaLevel, name: str, parent: Area) -> Area | None:
        if self.dry:
            return None
        area = areas.add_area(self.turn.session, level, name, parent)
        self._note(area)
        return area

    def _make_unit(self, name: str, area: Area) -> Unit:
        kinds = table("imports/headers.toml")["unit_kinds"]
        kind = next((code for code, parts in kinds.items() if any(part in name for part in parts)), UnitKind.OFFICE)
        unit = Unit(area_id=area.id, kind=kind, name=name)
        self.turn.session.add(unit)
        self.turn.session.flush()  # gives the id that the person's row points to
        self._units.append(unit)
        return unit
