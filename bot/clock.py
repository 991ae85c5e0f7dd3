"""The one clock. In a demo it can be moved: the offset is kept in the database, shared by processes and over kills."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from storage import county

_FACT = "clock_offset_seconds"


class Clock:
    """Says what time it is, aware and in UTC."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """The time, moved by the offset."""
        return datetime.now(UTC) + self.offset

    def load(self, connection: Connection) -> None:
        """Take over the offset that the processes share; a move of our own that is not committed yet stays."""
        self.offset = max(self.offset, timedelta(seconds=float(county.fact(connection, _FACT) or 0)))

    def move(self, connection: Connection, to: datetime) -> None:
        """Set the clock to `to`; it never goes back."""
        self.offset = max(self.offset, to - datetime.now(UTC))
        county.set_fact(connection, _FACT, str(self.offset.total_seconds()))
