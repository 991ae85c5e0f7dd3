"""Undoing a part of a transaction: by a savepoint, or, where none was made, by running all of it again with savepoints.

A savepoint costs two statements and a copy of every page that is touched inside it, and nearly no turn needs one. So
a group of turns is run as a whole first, and again with savepoints only when something has to be undone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from storage.statements import command

_WHOLE = "tongban whole"
"""Key in `Connection.info`: this transaction is kept or undone as a whole."""


class NeedsSavepoints(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """A part has to be undone, and no savepoint was made: nothing of the transaction may be kept."""


@contextmanager
def whole(connection: Connection) -> Iterator[None]:
    """Make no savepoints; whoever runs the transaction has to run it again without this when anything is raised."""
    info = connection.info  # of a connection that may be gone afterwards
    info[_WHOLE] = True
    try:
        yield
    finally:
        info.pop(_WHOLE, None)


def mark(connection: Connection, name: str) -> None:
    """From here on `undo` goes back to this point, until `release`."""
    if _WHOLE not in connection.info:
        command(connection, f"SAVEPOINT {name}")


def undo(connection: Connection, name: str) -> None:
    """Go back to the mark, which stays."""
    if _WHOLE in connection.info:
        raise NeedsSavepoints
    command(connection, f"ROLLBACK TO {name}")


def release(connection: Connection, name: str) -> None:
    """The mark is over; what was done since stays with the rest."""
    if _WHOLE not in connection.info:
        command(connection, f"RELEASE {name}")
