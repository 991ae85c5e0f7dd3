"""The list of people as operators work with it: add one, find one, invite, show."""

from dataclasses import dataclass
from datetime import timedelta

from handlers import alarms, binding, imports
from handlers.import_cells import Faulty
from handlers.import_places import Directory
from handlers.import_rows import Line
from handlers.imports import Outcome
from handlers.turn import Turn
from handlers.workdays import local_day
from storage import absences, bindings, people, posts
from storage.people import Person


@dataclass(frozen=True)
class Added:
    """What became of adding somebody: one word, or the reason why not."""

    what: str
    reason: str = ""


@dataclass(frozen=True)
class Invited:
    """A one-time code to hand to its person."""

    place: str
    name: str
    code: str


@dataclass(frozen=True)
class Entry:
    """One person of the list."""

    place: str
    name: str
    roles: list[str]
    bound: bool
    away: str
    """The days of a leave that runs or is to come, and who acts; or ""."""


def add(turn: Turn, **said: str) -> Added:
    """One row of the people's list, taken over as an import would."""
    outcome = Outcome()
    columns = {field: number for number, field in enumerate(said)}
    imports.take(turn, "people", [Line("", 1, tuple(said.values()), said, columns)], outcome, create=False, dry=False)
    if outcome.faulty:
        return Added("", outcome.faulty[0][1])
    return Added("added" if outcome.new else "changed" if outcome.changed else "unchanged")


def find(turn: Turn, said: str) -> Person | None:
    """Somebody by name or telephone number; None when that is not exactly one person."""
    try:
        return Directory(turn, create=False, dry=True).person(said, None)
    except Faulty:
        return None


def invite(turn: Turn, said: str | None) -> list[Invited]:
    """A code for one person, or (None) for everybody who has a role and is not bound."""
    found = [find(turn, said)] if said else bindings.unbound(turn.session)
    return [Invited(_place(turn, one), one.name, binding.invite(turn, one)) for one in found if one]


def entries(turn: Turn) -> list[Entry]:
    """Everybody who is here, by place."""
    return [
        Entry(
            _place(turn, one), one.name, [held.role for held in people.roles_of(turn.session, one.id, turn.now)],
            people.reachable(turn.session, one.id) is not None, _away(turn, one),
        )
        for one in posts.all_here(turn.session)
    ]  # fmt: skip


def _away(turn: Turn, person: Person) -> str:
    absence = absences.open_of(turn.session, person.id)
    if absence is None:
        return ""
    acting = alarms.name_of(turn, absence.stand_in_id)
    days = f"away {local_day(absence.since)} to {local_day(absence.until - timedelta(minutes=1))}"
    return f"{days}, {acting} acts" if acting else days


def _place(turn: Turn, person: Person) -> str:
    return alarms.place_of(turn, person.area_id) if person.area_id else ""
