"""Database threads: where every turn runs. The async shell hands over a plain function and waits for its commit.

`run(work, lane, key)` calls `work(connection)` on a database thread inside a transaction and returns its result only
after the commit. Pages read through `read`. Which of the two engines is used is decided by the database's url.
"""

from collections.abc import Awaitable
from typing import Protocol

from sqlalchemy.engine import make_url

from bot.lanes import Lane, T, Unavailable, Work
from bot.postgres_engine import PostgresDatabase
from bot.sqlite_engine import SqliteDatabase

__all__ = ["Database", "Lane", "Unavailable", "open_database"]


class Database(Protocol):
    """What the shell needs of a database."""

    def run(self, work: Work[T], lane: Lane = Lane.CHAT, key: int = 0) -> Awaitable[T]:
        """Run `work` in a transaction; turns with the same key run one after the other."""
        ...

    def read(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` on a read-only connection, without waiting for any turn."""
        ...

    def close(self) -> None:
        """Finish what is running, then close every connection."""
        ...


def open_database(url: str) -> Database:
    """The engine for this database."""
    return SqliteDatabase(url) if make_url(url).get_backend_name() == "sqlite" else PostgresDatabase(url)
