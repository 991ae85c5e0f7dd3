"""Lists of people and children taken over: found again by phone or ID number, changed where they differ, never deleted.

Taking the same list over twice changes nothing. A row that cannot be taken over is kept with one reason for the clerk.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from handlers import children as files
from handlers import enrolment, import_rows, pairs
from handlers.import_cells import Faulty
from handlers.import_known import OnFile
from handlers.import_places import Directory
from handlers.import_rows import ChildRow, Kind, Line, Listed, PersonRow
from handlers.turn import Turn
from handlers.workdays import local_day
from storage import areas, people, rolls
from storage.areas import Area, AreaLevel, Unit
from storage.children import Child, Side, note_pair
from storage.people import Duty, Person, PersonRole

BATCH = 50
"""Rows per transaction, so that chat never waits for an import."""


@dataclass
class Outcome:
    """What became of a list."""

    new: int = 0
    changed: int = 0
    same: int = 0
    faulty: list[tuple[Line, str]] = field(default_factory=list)
    """Each row that was not taken over, and why."""
    gone: int = 0
    """On file in the listed townships but no longer on the list; nothing happens to them."""
    listed: set[int] = field(default_factory=set)
    townships: set[str] = field(default_factory=set)
    seen: dict[bytes, Line] = field(default_factory=dict)
    """Who was already on this list, by index, and in which row."""
    names: set[str] = field(default_factory=set)
    """Names and numbers on this list: a stand-in may come later on it than the person."""


Run = Callable[[Callable[[Turn], None]], None]
"""Runs an act as a turn in a transaction of its own."""


def all_of(run: Run, kind: Kind, listed: Listed, *, create: bool, dry: bool) -> Outcome:
    """A whole list, batch by batch; may be stopped between any two and begun again."""
    outcome = Outcome()
    for lines in _batches(listed.lines):
        run(lambda turn, lines=lines: take(turn, kind, lines, outcome, create=create, dry=dry))  # type: ignore[misc]
    if kind == "people":
        for lines in _batches(listed.lines):
            run(lambda turn, lines=lines: link(turn, lines, outcome, create=create, dry=dry))  # type: ignore[misc]
    run(lambda turn: count_gone(turn, kind, outcome))
    place = {id(line): number for number, line in enumerate(listed.lines)}
    outcome.faulty.sort(key=lambda one: place[id(one[0])])  # those found at the second look stand where they stood
    return outcome


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    return (lines[start : start + BATCH] for start in range(0, len(lines), BATCH))


def set_up(turn: Turn, county: str) -> None:
    """The county itself, for the first list."""
    if areas.county(turn.session) is None:
        areas.add_area(turn.session, AreaLevel.COUNTY, county)


def take(turn: Turn, kind: Kind, lines: Sequence[Line], outcome: Outcome, *, create: bool, dry: bool) -> None:
    """Take over one batch of rows; a dry run only counts."""
    directory = Directory(turn, create, dry)
    if kind == "people":
        for line in lines:
            with _kept(line, outcome):
                _person(directory, import_rows.person(line), line, outcome)
        return
    read: list[tuple[Line, ChildRow]] = []
    for line in lines:
        with _kept(line, outcome):
            read.append((line, import_rows.child(line, local_day(turn.now))))
    known = OnFile(directory, [row for _, row in read])
    for line, row in read:
        with _kept(line, outcome):
            _child(known, row, line, outcome)


@contextmanager
def _kept(line: Line, outcome: Outcome) -> Iterator[None]:
    """A faulty row is kept with its reason, and the next one follows."""
    try:
        yield
    except Faulty as fault:
        outcome.faulty.append((line, fault.reason))


def link(turn: Turn, lines: Sequence[Line], outcome: Outcome, *, create: bool, dry: bool) -> None:
    """The second look at a people's list, once everybody on it is known: stand-ins and the duty roster."""
    directory = Directory(turn, create, dry)
    failed = {id(line) for line, _ in outcome.faulty}
    for line in lines:
        if id(line) in failed or not (line.said.get("stand_in") or line.said.get("duty")):
            continue
        try:
            row = import_rows.person(line)
            if not (dry and row.stand_in in outcome.names):
                _link(directory, row)
        except Faulty:  # whatever is wrong with it, it is the stand-in's column
            outcome.faulty.append((line, Faulty("stand_in", said=line.said["stand_in"]).reason))


def count_gone(turn: Turn, kind: Kind, outcome: Outcome) -> None:
    """How many of the listed townships are on file but no longer on the list."""
    inside = rolls.people_in if kind == "people" else rolls.children_in
    outcome.gone = len(inside(turn.session, outcome.townships) - outcome.listed)


# People.


def _person(directory: Directory, row: PersonRow, line: Line, outcome: Outcome) -> None:
    turn = directory.turn
    _once(outcome, people.phone_index(row.phone), line)
    area = directory.of_role(row.role, row.place)
    unit = directory.unit(row.unit, area) if row.unit else None
    outcome.names |= {row.name, row.phone}
    person = people.by_phone(turn.session, row.phone)
    if area is not None:
        outcome.townships.add(directory.township_path(area))
    wanted = {"name": row.name, "area_id": area.id if area else None, "left_at": None}
    if unit is not None:
        wanted["unit_id"] = unit.id
    if person is None:
        outcome.new += 1
        if directory.dry or area is None:
            return
        person = Person(phone=row.phone, phone_index=people.phone_index(row.phone), joined_at=turn.now, **wanted)
        turn.session.add(person)
        turn.session.flush()  # gives the id that the role points to
        _give_role(turn, person, row.role, area)
        turn.audit("import", "person", person.id)
    else:
        differs = _differs(person, wanted) or area is None
        holds = area is not None and rolls.role_held(turn.session, person.id, row.role, area.id)
        _count(outcome, changed=differs or not holds)
        if not directory.dry and area is not None and (differs or not holds):
            _set(person, wanted)
            if not holds:
                _give_role(turn, person, row.role, area)
            turn.audit("import_change", "person", person.id)
    outcome.listed.add(person.id)


def _give_role(turn: Turn, person: Person, role: str, area: Area) -> None:
    turn.session.add(PersonRole(person_id=person.id, role=role, area_id=area.id, since=turn.now))


def _link(directory: Directory, row: PersonRow) -> None:
    turn = directory.turn
    person = people.by_phone(turn.session, row.phone)
    area = directory.of_role(row.role, row.place)
    stand_in = directory.person(row.stand_in, area) if row.stand_in else None
    if person is None or area is None or directory.dry:
        return
    if stand_in is not None and stand_in.id != person.id:
        person.stand_in_id = stand_in.id
    if row.duty:
        ground = areas.township_of(turn.session, area.id) or directory.county
        held = rolls.duty_held(turn.session, person.id, ground.id, turn.now)
        if held is None:
            held = Duty(area_id=ground.id, person_id=person.id, since=turn.now)
            turn.session.add(held)
        held.stand_in_id = person.stand_in_id


# Children.


def _child(known: OnFile, row: ChildRow, line: Line, outcome: Outcome) -> None:
    directory, turn = known.directory, known.directory.turn
    area = directory.group(row.place)
    if row.id_number:
        _once(outcome, enrolment.id_number_index(row.id_number), line)
    school = directory.unit(row.school, area) if row.school else None
    child = known.find(row, directory.village(row.place))
    adults = _adults(known, row, child, area, school)
    if area is not None:
        outcome.townships.add(directory.township_path(area))
    wanted = _wanted(row, area, school.id if school else None)
    if child is not None:
        missing = [(side, person) for side, person in adults if not known.follows(person, child, side)]
        _change_child(known, child, row, wanted, outcome, paired=not missing)
        adults = missing
    else:
        outcome.new += 1
        if directory.dry or area is None:
            return
        child = Child(**wanted, level=row.level or "green")
        enrolment.enrol(turn, child, row.categories)
        known.note(child)
    outcome.listed.add(child.id)
    if directory.dry:
        return
    for side, person in adults:
        pairs.pair(turn, child, person, side)
    if row.level and row.level != child.level:
        files.change_level(turn, child, row.level, line.said["level"])


def _change_child(
    known: OnFile, child: Child, row: ChildRow, wanted: dict[str, Any], outcome: Outcome, *, paired: bool
) -> None:
    """A child on file: what the list says otherwise is taken over."""
    turn = known.directory.turn
    if row.level and row.level != child.level and child.level == "red":
        raise Faulty("level_red")
    changed = (
        not paired
        or _differs(child, wanted)
        or (row.level or child.level) != child.level
        or not all(known.has(child, one) for one in row.categories)
    )
    _count(outcome, changed=changed)
    if changed and not known.directory.dry:
        _set(child, wanted)
        note_pair(turn.session, child, turn.now)
        enrolment.categorise(turn, child, row.categories)
        turn.audit("import_change", "child", child.id)


def _adults(
    known: OnFile, row: ChildRow, child: Child | None, area: Area | None, school: Unit | None
) -> list[tuple[Side, Person]]:
    """The pair the list names, and who joins it; a child without a cadre gets the village's officer."""
    found: list[tuple[Side, Person | None]] = []
    if row.officer:
        found.append((Side.CADRE, known.directory.person(row.officer, area)))
    elif area is not None and (child is None or not known.has_side(child, Side.CADRE)):
        found.append((Side.CADRE, known.directory.officer(area)))
    if row.teacher:
        found.append((Side.TEACHER, known.directory.person(row.teacher, area, school.id if school else None)))
    found += [(side, known.directory.person(said, area)) for side, said in row.joining]
    return [(side, person) for side, person in found if person is not None]


def _wanted(row: ChildRow, area: Area | None, school_id: int | None) -> dict[str, Any]:
    """What the list says of the child; an empty cell says nothing, so it takes nothing away."""
    said = {
        "area_id": area.id if area else None, "school_id": school_id, "school_class": row.school_class,
        "address": row.address, "guardian": row.guardian, "guardian_phone": row.guardian_phone,
        "id_number": row.id_number,
        "id_number_index": enrolment.id_number_index(row.id_number) if row.id_number else None,
    }  # fmt: skip
    certain = {"name": row.name, "name_index": enrolment.name_index(row.name), "born": row.born, "sex": row.sex}
    return certain | {key: value for key, value in said.items() if value}


# Both.


def _once(outcome: Outcome, index: bytes, line: Line) -> None:
    """A second row for the same person is faulty: nobody could say which one counts."""
    first = outcome.seen.setdefault(index, line)
    if first is not line:
        raise Faulty("twice", line=first.number)


def _differs(row: Person | Child, wanted: dict[str, Any]) -> bool:
    return any(getattr(row, key) != value for key, value in wanted.items())


def _set(row: Person | Child, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        if getattr(row, key) != value:
            setattr(row, key, value)


def _count(outcome: Outcome, *, changed: bool) -> None:
    if changed:
        outcome.changed += 1
    else:
        outcome.same += 1
