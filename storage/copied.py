"""When the last copy was made, and when the last drill was held: facts for whoever watches."""

import json
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from storage import county

_COPY: Final = "copy"
_DRILL: Final = "drill"


class Copied(NamedTuple):
    """The last good copy of this database: its moment, its file's name and size."""

    made: datetime
    file: str
    bytes: int


class Drilled(NamedTuple):
    """The last drill: when, and whether the copy could be restored."""

    at: datetime
    passed: bool


def last(connection: Connection) -> Copied | None:
    """The last good copy; None when there never was one."""
    told = county.fact(connection, _COPY)
    if not told:
        return None
    made, file, size = json.loads(told)
    return Copied(datetime.fromisoformat(made), file, size)


def note(connection: Connection, copy: Copied) -> None:
    """A copy is whole and on the disk."""
    county.set_fact(connection, _COPY, json.dumps([copy.made.isoformat(), copy.file, copy.bytes]))


def last_drill(connection: Connection) -> Drilled | None:
    """The last drill; None when there never was one."""
    told = county.fact(connection, _DRILL)
    if not told:
        return None
    at, passed = json.loads(told)
    return Drilled(datetime.fromisoformat(at), passed)


def note_drill(connection: Connection, drill: Drilled) -> None:
    """A drill was held."""
    county.set_fact(connection, _DRILL, json.dumps([drill.at.isoformat(), drill.passed]))
