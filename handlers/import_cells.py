"""One cell of a list as offices keep it: numbers that are telephones, dates in many shapes, words with many names."""

import re
import unicodedata
from datetime import date, datetime, timedelta
from functools import cache

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from messages.files import table

Cell = str | int | float | bool | date | datetime | None
"""What a reader of xlsx, xls or csv gives for a cell."""

_PHONE = re.compile(r"(?<!\d)(1[3-9]\d{9}|0\d{9,11})(?!\d)")
_DATE = re.compile(r"((?:19|20)\d{2})\D{0,2}(\d{1,2})\D{1,2}(\d{1,2})\D?|((?:19|20)\d{2})(\d{2})(\d{2})")
_EXCEL_ZERO = date(1899, 12, 30)
_EXCEL_DAYS = range(20_000, 80_000)
"""Day numbers that a spreadsheet's date may have (1954 to 2119)."""
_EXACT = 10**15
"""Longer numbers were cut by the spreadsheet: it keeps 15 digits."""


class Faulty(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """A row that cannot be taken over; `reason` is what the clerk reads."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.reason = str(table("imports/reasons.toml")["reasons"][code]).format(**values)


def words(cell: Cell) -> str:
    """A cell as text: no 13800000000.0, full-width letters made narrow, single spaces."""
    if cell is None or isinstance(cell, bool):
        return {None: "", True: "1", False: ""}[cell]
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, datetime):
        cell = cell.date()
    if isinstance(cell, date):
        return cell.isoformat()
    return " ".join(unicodedata.normalize("NFKC", str(cell)).split())


def title(cell: Cell) -> str:
    """A header cell bare: no spaces, no remark in brackets unless it is part of a known name."""
    return re.sub(r"[\s*:]", "", words(cell)).lower()


def phone(text: str) -> str:
    """The first telephone number in the words, digits only."""
    found = _PHONE.search(re.sub(r"(?<=\d)[ -](?=\d)", "", text))
    if found is None:
        raise Faulty("phone", said=text)
    return found[0]


def day(text: str) -> date:
    """2015.9.1, the same with words for its parts, 2015-09-01, 20150901, or a spreadsheet's day number."""
    if text.isdecimal() and int(text) in _EXCEL_DAYS:
        return _EXCEL_ZERO + timedelta(days=int(text))
    found = _DATE.fullmatch(text.split(" ", maxsplit=1)[0])
    try:
        return date(*[int(part) for part in found.groups() if part]) if found else _unreadable(text)
    except ValueError:
        return _unreadable(text)


def _unreadable(text: str) -> date:
    raise Faulty("born", said=text)


def id_number(text: str, cell: Cell) -> str:
    """A checked ID number."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and cell >= _EXACT:
        raise Faulty("id_number_lost")
    try:
        return str(ric.validate(re.sub(r"[\s']", "", text).upper()))
    except ValidationError:
        raise Faulty("id_number") from None


def born_by(number: str) -> date:
    """The birth date in an ID number."""
    found: date = ric.get_birth_date(number)
    return found


def sex_by(number: str) -> str:
    """The sex in an ID number."""
    return "male" if int(number[16]) % 2 else "female"


def code(section: str, text: str, fault: str) -> str:
    """The code that a word stands for; a longer word that contains exactly one counts too."""
    said = re.sub(r"\s", "", text)
    known = _words(section)
    if said in known or said in known.values():  # the code itself is one of its names
        return known.get(said, said)
    within = {value for word, value in known.items() if len(word) > 1 and word in said}
    if len(within) == 1:
        return within.pop()
    raise Faulty(fault, said=text)


def codes(section: str, text: str, fault: str) -> list[str]:
    """Several words in one cell, in the order written."""
    parts = [part for part in re.split(r"[\W_]+", text) if part]
    return list(dict.fromkeys(code(section, part, fault) for part in parts))


def names(text: str) -> list[str]:
    """Several people in one cell, by name or telephone number, in the order written; a name may have a dot in it."""
    parts = (part.strip() for part in re.split(r"[^\w\s\u00b7-]+", text))
    return list(dict.fromkeys(filter(None, parts)))


def says_yes(text: str) -> bool:
    """Whether a cell is ticked."""
    return text.lower() in table("imports/headers.toml")["yes"]["words"]


def means_above(text: str) -> bool:
    """The words and signs for "as above"."""
    return text in table("imports/headers.toml")["same_as_above"]["words"]


@cache
def _words(section: str) -> dict[str, str]:
    return {word: value for value, names in table("imports/headers.toml")[section].items() for word in names}
