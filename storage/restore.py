"""Reads a copy (`storage.backup`) into an empty database: every frame and every count is verified before it is kept.

A later copy needs the full copy that it completes, in the same folder. What is restored is paused (`storage.pause`).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from storage import audit, backup, frames, migrate, packing, pause, sealing
from storage.database import connect, is_sqlite

RESTORING = ".restoring"
"""What an SQLite file's name ends with until it is whole."""


class NotEmpty(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """Something is in the database already."""


@dataclass(frozen=True)
class Restored:
    """What was read, and of which moment."""

    made: datetime
    revision: str
    rows: dict[str, int]


Committing = Callable[[], None]
"""Called when all rows are read, and nothing is committed yet."""


def restore(path: Path, url: str, now: datetime, os_user: str, committing: Committing) -> Restored:
    """Read the copy into the empty database at `url`, bring it to this version and pause it.

    Raises NotEmpty, Damaged or SealError. Stopped anywhere, it leaves an empty database; then it can be begun again.
    """
    target = _file_of(url)
    if target is None:
        check_empty(url)
        return _restored(path, url, now, os_user, committing)
    if target.exists():
        check_empty(url)
    scratch = target.with_name(target.name + RESTORING)
    try:
        _remove(scratch)
        restored = _restored(path, f"sqlite:///{scratch}", now, os_user, committing)
        _remove_beside(target)
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        scratch.rename(target)
        frames.sync_folder(target.parent)
    finally:
        _remove(scratch)
    return restored


def check_empty(url: str) -> None:
    """Raise NotEmpty when any table has a row; what only `tongban migrate` made is empty."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            for name in inspect(connection).get_table_names():
                if name != "alembic_version" and connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first():  # noqa: S608 - a table's own name
                    raise NotEmpty
    finally:
        engine.dispose()


def _restored(path: Path, url: str, now: datetime, os_user: str, committing: Committing) -> Restored:
    """Tables, rows, the pause and the audit of it in one transaction."""
    with ExitStack() as stack:
        copy = Copy(path, sealing.ring(), stack)
        if not migrate.knows(copy.revision):
            raise frames.Damaged("it was made by a newer version of Tongban: install that one first")
        migrate.downgrade(url, "base")  # what is there is empty, and perhaps of another version
        with migrate.in_one(url, for_nobody_yet=_file_of(url) is not None) as (connection, bring_to):
            bring_to(copy.revision)
            rows = _load(connection, copy)
            bring_to("head")
            pause.begin(connection, pause.Pause(now, copy.made))
            audit.add(connection, at=now, act="restore", subject="command", os_user=os_user)
            committing()
        return Restored(copy.made, copy.revision, rows)


def _load(connection: Connection, copy: "Copy") -> dict[str, int]:
    """All rows, verified."""
    if not is_sqlite(connection):
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
    keep = _into_sqlite if is_sqlite(connection) else _into_postgresql
    rows = {table.name: keep(connection, table, chunks) for table, chunks in copy.tables()}
    noted = copy.counts()
    for name in {*rows, *noted}:
        there = connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()  # noqa: S608 - a table's own name
        if not rows.get(name) == noted.get(name) == there:
            raise frames.Damaged(f"{name} should have {noted.get(name)} rows, and has {there}")
    return rows


@dataclass(frozen=True)
class Table:
    """A table as it stands in a copy."""

    name: str
    columns: list[str]
    is_bytes: list[bool]
    replaces: frozenset[int]


Rows = Iterator[tuple[Any, ...]]


class Copy:
    """A copy that is open: a full one, or a later one with the full one that it completes."""

    def __init__(self, path: Path, ring: sealing.KeyRing, stack: ExitStack) -> None:
        self._newest = _Sections(stack.enter_context(frames.Reader(path, ring)))
        self._full: _Sections | None = None
        head = self._newest.head
        self.revision, self.made = str(head["revision"]), datetime.fromisoformat(head["made"])
        if head["base"] is None:
            return
        beside = path.with_name(head["base"]["file"])
        if not beside.exists():
            raise frames.Damaged(f"it completes {beside.name}, which is not beside it")
        reader = stack.enter_context(frames.Reader(beside, ring))
        if reader.name != head["base"]["name"]:
            raise frames.Damaged(f"it completes another copy than the {beside.name} beside it")
        self._full = _Sections(reader)

    def tables(self) -> Iterator[tuple[Table, Rows]]:
        """Every table with its rows, each to be read before the next."""
        while (table := self._newest.table()) is not None:
            if self._full is not None and self._full.table() is None:
                raise frames.Damaged("the full copy that it completes has fewer tables")
            yield table, self._rows(table)
        if self._full is not None:
            self._full.finish()

    def counts(self) -> dict[str, int]:
        """How many rows each table had, as noted when the copy was made; to be asked last."""
        counts: dict[str, int] = self._newest.finish()["rows"]
        return counts

    def _rows(self, table: Table) -> Rows:
        if self._full is not None:
            for number, packed in self._full.chunks():
                if number not in table.replaces:
                    yield from packing.unpack(packed, table.is_bytes)
        for _, packed in self._newest.chunks():
            yield from packing.unpack(packed, table.is_bytes)


class _Sections:
    """The frames of one file, table by table."""

    def __init__(self, reader: frames.Reader) -> None:
        self._frames = iter(reader)
        self.head = backup.header(next(self._frames))
        self._waiting = next(self._frames)

    def table(self) -> Table | None:
        """The next table; None when there is none any more."""
        if self._waiting[:1] != b"T":
            return None
        told = backup.content(self._waiting, b"T")
        self._waiting = next(self._frames)
        return Table(told["table"], told["columns"], told["bytes"], frozenset(told.get("replaces", ())))

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """Number and packed rows of the table's chunks."""
        while self._waiting[:1] == b"R":
            yield int.from_bytes(self._waiting[1:9], "big"), self._waiting[9:]
            self._waiting = next(self._frames)

    def finish(self) -> dict[str, Any]:
        """The last frame, when it is known that nothing follows it."""
        end = backup.ending(self._waiting)
        if next(self._frames, None) is not None:
            raise frames.Damaged("its frames are not in their order")
        return end


def _into_sqlite(connection: Connection, table: Table, rows: Rows) -> int:
    values = ", ".join("?" for _ in table.columns)
    driver: Any = connection.connection.driver_connection
    kept = driver.executemany(f"INSERT INTO {_named(table)} VALUES ({values})", rows)  # noqa: S608 - names of our own tables
    return max(int(kept.rowcount), 0)


def _into_postgresql(connection: Connection, table: Table, rows: Rows) -> int:
    driver: Any = connection.connection.driver_connection
    number = 0
    with driver.cursor() as cursor, cursor.copy(f"COPY {_named(table)} FROM STDIN") as kept:
        for number, row in enumerate(rows, 1):  # noqa: B007 - how many there were
            kept.write_row(row)
    if "id" in table.columns:
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('\"{table.name}\"', 'id'), max(id)) FROM \"{table.name}\"")  # noqa: S608 - see above
        )
    return number


def _named(table: Table) -> str:
    return f'"{table.name}" ({", ".join(f"{chr(34)}{name}{chr(34)}" for name in table.columns)})'


def _file_of(url: str) -> Path | None:
    made = make_url(url)
    return Path(made.database) if made.get_backend_name() == "sqlite" and made.database else None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_beside(path)


def _remove_beside(path: Path) -> None:
    """What SQLite keeps beside a file that is to be replaced."""
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
