"""The drill: a copy is restored into a scratch database, counted, and samples of what is sealed in it are opened."""

import random
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, func, select
from sqlalchemy.exc import DBAPIError

from storage import restore, rotation, sealing
from storage.database import connect
from storage.frames import Damaged
from storage.sealing import SealError

SAMPLES: Final = 20
"""Values of each sealed column that are opened."""
_PREFIX: Final = "tongban-drill-"
_LEFT_OVER: Final = 24 * 3600
"""Seconds after which what a drill that was killed left behind is removed."""


class Failed(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """The copy could not be made into a system again; the text says why, and nothing of its content."""


@dataclass(frozen=True)
class Drill:
    """What was tried: the copy's moment, rows that came back, and sealed values that opened."""

    made: datetime
    rows: int
    opened: int


def hold(path: Path, ring: sealing.KeyRing, now: datetime, os_user: str, url: str | None = None) -> Drill:
    """Restore a copy with these keys into `url`, or into a file that is removed afterwards; raises Failed."""
    before = _used()
    sealing.use(ring)
    try:
        if url is not None:
            return _held(path, url, now, os_user)
        _remove_left_over(now)
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            return _held(path, f"sqlite:///{folder}/drill.db", now, os_user)
    except restore.NotEmpty:
        raise Failed("there is something in the scratch database") from None
    except (Damaged, SealError) as error:
        raise Failed(str(error)) from None
    except (DBAPIError, OSError) as error:
        raise Failed(f"{type(error).__name__}: is there room for it?") from None
    finally:
        if before is not None:
            sealing.use(before)


def _held(path: Path, url: str, now: datetime, os_user: str) -> Drill:
    restored = restore.restore(path, url, now, os_user, lambda: None)
    engine = connect(url, read_only=True)
    try:
        with engine.connect() as connection:
            columns = [one for table in rotation.sealed_tables() for one in rotation.sealed_columns(table)]
            opened = sum(_open_some(connection, column) for column in columns)
    finally:
        engine.dispose()
    return Drill(restored.made, sum(restored.rows.values()), opened)


def _open_some(connection: Connection, column: Column[Any]) -> int:
    """Open values of a column, here and there over the whole table; SealError when one does not open."""
    [key] = column.table.primary_key.columns
    lowest, highest = connection.execute(select(func.min(key), func.max(key)).where(column.is_not(None))).one()
    if lowest is None:
        return 0
    picks = {lowest, highest, *(random.randint(lowest, highest) for _ in range(SAMPLES))}  # noqa: S311 - a sample
    opened = {}
    for pick in picks:
        query = select(key, column).where(key >= pick, column.is_not(None)).order_by(key).limit(1)
        for number, value in connection.execute(query):
            opened[number] = value is not None
    return len(opened)


def _used() -> sealing.KeyRing | None:
    try:
        return sealing.ring()
    except SealError:
        return None


def _remove_left_over(now: datetime) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if now.timestamp() - folder.stat().st_mtime > _LEFT_OVER:
            shutil.rmtree(folder, ignore_errors=True)
