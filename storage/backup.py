"""Writes a copy of the whole database to a sealed file: one moment, while the bot goes on; sealed values stay sealed.

The same form from both databases, so that a copy of one can be restored into the other. A table is cut by its ids into
chunks. A full copy holds all of them and, at its end, a print of each; a later copy reads the tables again and holds
only the chunks whose print differs. Frames (`storage.frames`), each with its kind in the first byte:

    H  JSON: form, schema revision, key id, when made, what of (base: the full copy that this one completes)
    T  JSON: a table's name, its columns and which hold bytes, and for a later copy the chunks that it replaces
    R  chunk number(8), then rows (`storage.packing`)
    E  JSON: rows of each table, and for a full copy the prints
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, DateTime, Engine, LargeBinary, String, Table, TypeDecorator, text

from storage import frames, packing, sealing
from storage.database import SealedBytes, is_sqlite
from storage.tables import METADATA

FORM: Final = 1
CHUNK: Final = 200
"""Ids in a chunk; those of originals are one each, because they are megabytes."""
_HEAD_OF_SEALED: Final = sealing.HEADER_BYTES
"""A sealed value's key id and nonce: drawn anew whenever something is sealed, so they tell it apart."""
PRINT_BYTES: Final = 16
_TIME: Final = "YYYY-MM-DD HH24:MI:SS.US"


def _nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Base:
    """The full copy that a later one completes: its file, its own name, and the print of each chunk by table."""

    file: str
    name: str
    revision: str
    prints: dict[str, dict[int, str]] = field(repr=False)


@dataclass(frozen=True)
class Copied:
    """What was written."""

    name: str
    bytes: int
    rows: dict[str, int]
    chunks: int
    """How many chunks the file holds."""


def write(
    engine: Engine, path: Path, made: datetime, base: Base | None = None, closing: Callable[[], None] = _nothing
) -> Copied:
    """Copy the database to `path` as it is at one moment; holds up no turn, and leaves no file when it fails.

    With a `base` only what differs from it. `closing` is called when all is written, and the file has no name yet.
    """
    ring = sealing.ring()
    with _one_moment(engine) as connection:
        writer = frames.Writer(path, ring)
        try:
            rows, chunks = _written(connection, writer, made, base)
            closing()
            return Copied(writer.name, writer.close(), rows, chunks)
        except BaseException:
            writer.abandon()
            raise


def base_of(path: Path, ring: sealing.KeyRing) -> Base:
    """A full copy, to be completed by later ones; reads its first and last frame only."""
    with frames.Reader(path, ring) as reader:
        head = header(next(iter(reader)))
        end = ending(reader.last())
        prints = {
            name: {int(number): value for number, value in chunks.items()} for name, chunks in end["prints"].items()
        }
        return Base(path.name, reader.name, str(head["revision"]), prints)


def header(payload: bytes) -> dict[str, Any]:
    """The first frame's content; Damaged when it is none that this version reads."""
    head = content(payload, b"H")
    if head["form"] != FORM:
        raise frames.Damaged("it was written by a newer version of Tongban")
    return head


def ending(payload: bytes) -> dict[str, Any]:
    """The last frame's content."""
    return content(payload, b"E")


def content(payload: bytes, kind: bytes) -> dict[str, Any]:
    """What stands in a frame of this kind; Damaged when it is another."""
    if payload[:1] != kind:
        raise frames.Damaged("its frames are not in their order")
    told: dict[str, Any] = json.loads(payload[1:])
    return told


def _one_moment(engine: Engine) -> Connection:
    """A connection whose reads all see the same moment."""
    connection = engine.connect()
    if not is_sqlite(connection):  # there a transaction of a reader is one moment anyway
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return connection


def _written(
    connection: Connection, writer: frames.Writer, made: datetime, base: Base | None
) -> tuple[dict[str, int], int]:
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    if base is not None and base.revision != revision:
        raise ValueError("a copy of another schema cannot be completed")
    writer.write(
        b"H"
        + _json(
            {
                "form": FORM, "revision": revision, "key": writer.key_id, "made": made.isoformat(),
                "of": connection.dialect.name, "base": base and {"file": base.file, "name": base.name},
            }
        )
    )  # fmt: skip
    rows: dict[str, int] = {}
    prints: dict[str, dict[int, str]] = {}
    chunks = 0
    for table in METADATA.sorted_tables:
        source = _Source(connection, table)
        known = None if base is None else base.prints.get(table.name, {})
        rows[table.name], prints[table.name], written = _table(source, writer, known)
        chunks += written
    end = {"rows": rows} | ({"prints": prints} if base is None else {})
    writer.write(b"E" + _json(end), last=True)
    return rows, chunks


def _table(source: "_Source", writer: frames.Writer, known: dict[int, str] | None) -> tuple[int, dict[int, str], int]:
    """Write a table, or what differs from what is known of it: its rows, its prints, and how many chunks."""
    rows, prints = 0, {}
    told = {"table": source.name, "columns": source.columns, "bytes": source.is_bytes}
    if known is None:
        writer.write(b"T" + _json(told))
        for number, chunk in source.chunks():
            rows += len(chunk)
            prints[number] = source.print_of(chunk)
            writer.write(b"R" + number.to_bytes(8, "big") + packing.pack(chunk, source.is_bytes))
        return rows, prints, len(prints)
    for number, chunk in source.chunks(light=True):
        rows += len(chunk)
        prints[number] = source.print_of(chunk, light=True)
    changed = sorted(number for number in {*known, *prints} if known.get(number) != prints.get(number))
    writer.write(b"T" + _json(told | {"replaces": changed}))
    for number, chunk in source.these(number for number in changed if number in prints):
        writer.write(b"R" + number.to_bytes(8, "big") + packing.pack(chunk, source.is_bytes))
    return rows, prints, len(changed)


class _Source:
    """One table, read by the driver alone: SQLAlchemy would make of each value what nobody here needs."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection, self._sqlite = connection, is_sqlite(connection)
        self.name = table.name
        self.columns = [column.name for column in table.columns]
        self.is_bytes = [isinstance(_plain(column), LargeBinary) for column in table.columns]
        self._large = [isinstance(column.type, SealedBytes) for column in table.columns]
        [key] = table.primary_key.columns
        self._key = self.columns.index(key.name)
        self._by_id = not isinstance(_plain(key), String)
        self._size = 1 if any(self._large) else CHUNK
        read = [self._expression(column) for column in table.columns]
        light = [
            f"substr({value}, 1, {_HEAD_OF_SEALED})" if large else value
            for value, large in zip(read, self._large, strict=True)
        ]
        large = [value for value, large in zip(read, self._large, strict=True) if large]
        light += [f"length({value})" for value in large]
        self._print_bytes = self.is_bytes + [False] * len(large)
        # Names of our own tables and columns, quoted.
        self._order = f" ORDER BY {_quoted(key.name)}"
        self._all, self._light, self._some = (
            f"SELECT {', '.join(values)} FROM {_quoted(table.name)}{where}"  # noqa: S608 - see above
            for values, where in (
                (read, self._order),
                (light, self._order),
                (read, f" WHERE {_quoted(key.name)} >= %s AND {_quoted(key.name)} < %s{self._order}"),
            )
        )

    def chunks(self, *, light: bool = False) -> Iterator[tuple[int, list[Sequence[Any]]]]:
        """Number and rows of each chunk; `light`: of what is megabytes only the head and the length."""
        rows = self._rows(self._light if light else self._all, ())
        for number, chunk in groupby(rows, self._number):
            yield number, list(chunk)

    def these(self, numbers: Iterable[int]) -> Iterator[tuple[int, list[Sequence[Any]]]]:
        """The same for some of the chunks, whole."""
        if not self._by_id:
            for _ in numbers:
                yield from self.chunks()
            return
        for number in numbers:
            bounds = (number * self._size, (number + 1) * self._size)
            yield number, list(self._rows(self._some, bounds))

    def print_of(self, chunk: Sequence[Sequence[Any]], *, light: bool = False) -> str:
        """What tells this chunk apart from any other."""
        if not light:
            chunk = [self._lightened(row) for row in chunk]
        return hashlib.blake2b(packing.pack(chunk, self._print_bytes), digest_size=PRINT_BYTES).hexdigest()

    def _lightened(self, row: Sequence[Any]) -> Sequence[Any]:
        """A row as the light query gives it."""
        large = [value for value, large in zip(row, self._large, strict=True) if large]
        if not large:
            return row
        heads = [
            value[:_HEAD_OF_SEALED] if large and value is not None else value
            for value, large in zip(row, self._large, strict=True)
        ]
        return [*heads, *(None if value is None else len(value) for value in large)]

    def _rows(self, query: str, bounds: tuple[int, ...]) -> Iterator[Sequence[Any]]:
        driver: Any = self._connection.connection.driver_connection
        if self._sqlite:
            yield from driver.execute(query.replace("%s", "?"), bounds)
            return
        with driver.cursor(name="tongban_copy", binary=True) as cursor:
            cursor.itersize = 2 if any(self._large) else 2000
            cursor.execute(query, bounds)
            yield from cursor

    def _number(self, row: Sequence[Any]) -> int:
        return int(row[self._key]) // self._size if self._by_id else 0

    def _expression(self, column: Column[Any]) -> str:
        """A column as it stands in a copy."""
        name = _quoted(column.name)
        if self._sqlite:
            return name
        kind = _plain(column)
        if isinstance(kind, DateTime):
            return f"to_char({name} AT TIME ZONE 'UTC', '{_TIME}') AS {name}"
        if isinstance(kind, Boolean):
            return f"{name}::int AS {name}"
        return f"{name}::text AS {name}" if kind.python_type.__name__ == "date" else name


def _plain(column: Column[Any]) -> Any:  # noqa: ANN401 - a column type
    """The type beneath a type of ours."""
    kind = column.type
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _quoted(name: str) -> str:
    return f'"{name}"'


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
