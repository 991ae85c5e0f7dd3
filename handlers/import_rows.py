"""From the rows of a list to what each says: finds the header, fills down, reads every cell. No database, no file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from handlers import import_cells as cells
from handlers.import_cells import Cell, Faulty
from messages.files import table
from storage.children import Side

Kind = Literal["people", "children"]
HEADER_WITHIN = 10
"""The header is one of the first so many rows."""
_FEWEST = 2
"""So many known column names make a row the header, the name's among them."""
JOINING = (Side.VOLUNTEER, Side.COMPANION_MOTHER, Side.CARING_MOTHER, Side.ELDER_VOLUNTEER)
"""Sides of a pair with a column of their own, which may name several people."""
_FILLED_DOWN = ("township", "village")
"""Columns whose cells are often merged over several rows."""


@dataclass(frozen=True)
class Line:
    """One row: where it stood, its cells as they were, and what the known columns say."""

    sheet: str
    number: int
    """As the spreadsheet counts: the first row is 1."""
    cells: tuple[Cell, ...]
    said: Mapping[str, str]
    columns: Mapping[str, int]
    """Field → column."""

    def raw(self, field: str) -> Cell:
        """The cell of a field as it was."""
        column = self.columns.get(field, len(self.cells))
        return self.cells[column] if column < len(self.cells) else None


@dataclass(frozen=True)
class Listed:
    """All rows of a list, and the header of each sheet to write faulty ones under."""

    headers: dict[str, tuple[str, ...]]
    lines: list[Line]


@dataclass(frozen=True)
class Whereabouts:
    """The place a row names."""

    township: str
    village: str
    group: str
    sheet: str
    """The sheet's name, which may be that of a township."""


@dataclass(frozen=True)
class PersonRow:
    """A row of the people's list."""

    name: str
    phone: str
    role: str
    unit: str
    place: Whereabouts
    stand_in: str
    duty: bool


@dataclass(frozen=True)
class ChildRow:
    """A row of the children's list; None and "" where the list says nothing."""

    name: str
    sex: str
    born: date
    id_number: str | None
    place: Whereabouts
    school: str
    school_class: str
    categories: tuple[str, ...]
    guardian: str
    guardian_phone: str
    address: str
    level: str | None
    officer: str
    teacher: str
    joining: tuple[tuple[Side, str], ...]
    """Who joins the pair besides: on which side, and as the list calls them."""


def listed(kind: Kind, sheets: Iterable[tuple[str, Sequence[Sequence[Cell]]]]) -> Listed | None:
    """The rows of every sheet that has a header; None when no sheet has one."""
    headers: dict[str, tuple[str, ...]] = {}
    lines: list[Line] = []
    for name, rows in sheets:
        found = _header(kind, rows)
        if found is None:
            continue
        at, columns = found
        headers[name] = tuple(cells.words(cell) for cell in rows[at])
        lines += _lines(name, rows, at, columns)
    return Listed(headers, lines) if headers else None


def _header(kind: Kind, rows: Sequence[Sequence[Cell]]) -> tuple[int, dict[str, int]] | None:
    """Where the header stands, and field → column."""
    known = {cells.title(word): field for field, names in table("imports/headers.toml")[kind].items() for word in names}
    for at, row in enumerate(rows[:HEADER_WITHIN]):
        columns: dict[str, int] = {}
        for column, cell in enumerate(row):
            title = cells.title(cell)
            field = known.get(title) or known.get(title.split("(")[0])
            if field:
                columns.setdefault(field, column)
        if "name" in columns and len(columns) >= _FEWEST:
            return at, columns
    return None


def _lines(sheet: str, rows: Sequence[Sequence[Cell]], at: int, columns: Mapping[str, int]) -> Iterator[Line]:
    above: dict[str, str] = {}
    for number, row in enumerate(rows[at + 1 :], at + 2):
        said: dict[str, str] = {}
        line = Line(sheet, number, tuple(row), said, columns)
        said |= {field: cells.words(line.raw(field)) for field in columns}
        if not any(said.values()) or cells.title(said["name"]) == cells.title(rows[at][columns["name"]]):
            continue  # an empty row, or the header once more on the next printed page
        for field, text in said.items():
            if cells.means_above(text) or (not text and field in _FILLED_DOWN and field in above):
                said[field] = above.get(field, "")
        if said.get("township") != above.get("township") and not cells.words(line.raw("village")):
            said["village"] = ""  # another township begins: the village above is not this row's
        above = dict(said)
        yield line


def person(line: Line) -> PersonRow:
    """What a row of the people's list says; raises Faulty."""
    said = line.said
    if not said.get("name"):
        raise Faulty("name")
    if not said.get("phone"):
        raise Faulty("phone_missing")
    if not said.get("role"):
        raise Faulty("role_missing")
    return PersonRow(
        name=said["name"].replace(" ", ""), phone=cells.phone(said["phone"]),
        role=cells.code("roles", said["role"], "role"), unit=said.get("unit", ""), place=_place(line),
        stand_in=said.get("stand_in", ""),
        duty=cells.says_yes(said.get("duty", "")),
    )  # fmt: skip


def child(line: Line, today: date) -> ChildRow:
    """What a row of the children's list says; raises Faulty."""
    said = line.said
    if not said.get("name"):
        raise Faulty("name")
    number = cells.id_number(said["id_number"], line.raw("id_number")) if said.get("id_number") else None
    phone, level = said.get("guardian_phone", ""), said.get("level", "")
    return ChildRow(
        name=said["name"].replace(" ", ""), sex=_sex(said.get("sex", ""), number),
        born=_born(said.get("born", ""), number, today), id_number=number, place=_place(line),
        school=said.get("school", ""), school_class=said.get("school_class", ""),
        categories=tuple(cells.codes("categories", said.get("categories", ""), "category")),
        guardian=said.get("guardian", ""), guardian_phone=cells.phone(phone) if phone else "",
        address=said.get("address", ""), level=cells.code("level", level, "level") if level else None,
        officer=said.get("officer", ""), teacher=said.get("teacher", ""),
        joining=tuple((side, name) for side in JOINING for name in cells.names(said.get(side, ""))),
    )  # fmt: skip


def _place(line: Line) -> Whereabouts:
    said = line.said
    return Whereabouts(said.get("township", ""), said.get("village", ""), said.get("group", ""), line.sheet)


def _sex(text: str, number: str | None) -> str:
    by_number = cells.sex_by(number) if number else None
    named = cells.code("sex", text, "sex") if text else None
    if by_number and named and by_number != named:
        raise Faulty("sex_differs")
    return by_number or named or "unknown"


def _born(text: str, number: str | None, today: date) -> date:
    by_number = cells.born_by(number) if number else None
    named = cells.day(text) if text else None
    if by_number and named and by_number != named:
        raise Faulty("born_differs")
    born = by_number or named
    if born is None:
        raise Faulty("born_missing")
    if born > today:
        raise Faulty("future", said=born.isoformat())
    if (today.year - born.year, today.month, today.day) >= (18, born.month, born.day):
        raise Faulty("too_old")
    return born
