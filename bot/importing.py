"""Reads lists (xlsx, xls, csv) and writes the rows that were not taken over; wary of files that blow up when opened."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

from handlers.import_cells import Cell, words
from handlers.import_rows import Line, Listed
from messages.files import table

MOST_BYTES = 20 * 1024 * 1024
MOST_UNPACKED = 100 * 1024 * 1024
"""A list of 50,000 children unpacks to less; a zip bomb to more."""
MOST_ROWS, MOST_COLUMNS = 60_000, 250
_CELL = re.compile(rb'\br="([A-Z]{1,4})?(\d{1,9})"')
_CHUNK = 1 << 20
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

Sheets = list[tuple[str, list[list[Cell]]]]


class NotAList(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """The file cannot be read as a list; the message is one clear sentence for the operator."""


def read(path: Path) -> Sheets:
    """The sheets of a file, each as rows of cells from its first row on; formulas give their last value, never run."""
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError:
        raise NotAList("the file cannot be read") from None
    if content is None:
        raise NotAList(f"the file is larger than {MOST_BYTES // 1024 // 1024} MB")
    if content.startswith(_ZIP):
        _check_package(content)
        return _workbook(content)
    return _workbook(content) if content.startswith(_OLE) else [("", _csv(content))]


def _check_package(content: bytes) -> None:
    """Refuse what unpacks to too much, or names cells so far out that the grid between would fill the memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            entries = package.infolist()
            if sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise NotAList("the file unpacks to more than a list can need")
            for entry in entries:
                if entry.filename.startswith("xl/worksheets/"):
                    with package.open(entry) as sheet:
                        _check_cells(sheet)  # type: ignore[arg-type]  # a zip member is a binary stream
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        raise NotAList("the file is not a workbook that can be opened") from None


def _check_cells(sheet: io.BufferedIOBase) -> None:
    tail = b""
    unpacked = 0
    while chunk := sheet.read(_CHUNK):
        unpacked += len(chunk)
        if unpacked > MOST_UNPACKED:
            raise NotAList("the file unpacks to more than a list can need")
        for column, row in _CELL.findall(tail + chunk):
            _check_size(int(row), _column(column))
        tail = chunk[-20:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _check_size(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise NotAList(f"a sheet has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns")


def _workbook(content: bytes) -> Sheets:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        found: Sheets = []
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            _check_size(sheet.total_height, sheet.total_width)
            found.append((name, [[_plain(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]))
        return found
    except CalamineError:
        raise NotAList("the file is not a workbook that can be opened") from None


def _plain(cell: object) -> Cell:
    """Durations and times are of no use in a list; as text they are at least seen."""
    return cell if isinstance(cell, Cell) else str(cell)


def _csv(content: bytes) -> list[list[Cell]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise NotAList("the file is neither a workbook nor text in UTF-8 or GB18030")
    if "\0" in text:
        raise NotAList("the file is neither a workbook nor text")
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",\t;", key=first.count)
    try:
        rows = [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    except csv.Error:
        raise NotAList("the file is not a table of comma-separated values") from None
    _check_size(len(rows), max(map(len, rows), default=0))
    return [[*row] for row in rows]


def write_faulty(path: Path, listed: Listed, faulty: Iterable[tuple[Line, str]]) -> None:
    """The rows that were not taken over, sheet by sheet in their own columns, each with its reason."""
    names = table("imports/headers.toml")["faulty"]
    by_sheet: dict[str, list[tuple[Line, str]]] = {}
    for line, reason in faulty:
        by_sheet.setdefault(line.sheet, []).append((line, reason))
    # What looks like a formula or a link in somebody's cell stays text.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        bold = book.add_format({"bold": True})
        for sheet, lines in by_sheet.items():
            page = book.add_worksheet(sheet[:31] or names["sheet"])
            header = [*_without(listed.headers[sheet], names["column"]), names["column"]]
            page.write_row(0, 0, header, bold)
            for number, (line, reason) in enumerate(lines, 1):
                for column, text in enumerate(_row(line, listed.headers[sheet], names["column"])):
                    page.write_string(number, column, text)
                page.write_string(number, len(header) - 1, reason)


def _without(header: Iterable[str], column: str) -> list[str]:
    """The columns but the reason of an earlier round."""
    return [title for title in header if title != column]


def _row(line: Line, header: tuple[str, ...], column: str) -> list[str]:
    """A row's cells as text; what was meant by the row above is written out, since that row is not there."""
    texts = [words(cell) for cell in line.cells] + [""] * (len(header) - len(line.cells))
    for field, place in line.columns.items():
        texts[place] = line.said[field] or texts[place]
    return [text for title, text in zip(header, texts, strict=False) if title != column]
