"""The base of all tables: column types, naming, and engines with the settings durability needs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from storage import sealing
from storage.pipelines import leave_for_others

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = BigInteger().with_variant(Integer, "sqlite")
"""Row ids: SQLite counts up by itself only on INTEGER."""

BUSY_MILLISECONDS = 10_000
DEAD_CLIENT = (
    "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c idle_in_transaction_session_timeout=60s"
)
"""How soon PostgreSQL frees the locks of a process that froze, or whose machine is gone (its own defaults: hours)."""


class Utc(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; a naive one is refused at the door."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """To the database; SQLite keeps text, without a zone. In one step: a turn keeps a dozen moments."""
        return _utc_text if dialect.name == "sqlite" else _utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002
        """From the database."""
        return _from_utc_text if dialect.name == "sqlite" else _utc


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be kept")
    return value.astimezone(UTC)


@lru_cache(maxsize=64)  # a turn keeps its own moment in a dozen columns
def _utc_text(value: datetime | None) -> str | None:
    """As SQLAlchemy writes a DATETIME, so that moments sort as their texts do."""
    moment = _utc(value)
    return None if moment is None else moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_utc_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


class SealedColumn(TypeDecorator[Any]):
    """What all sealed columns share: `place` is `table.column`, the associated data of the seal."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def pack(self, value: Any) -> bytes:  # noqa: ANN401 - each kind narrows it
        """The plain bytes of a value."""
        return bytes(value)

    def unpack(self, plain: bytes) -> Any:  # noqa: ANN401 - each kind narrows it
        """The value of plain bytes."""
        return plain

    def process_bind_param(self, value: Any, dialect: Dialect | None = None) -> bytes | None:  # noqa: ANN401, ARG002
        """Seal on the way in."""
        return None if value is None else sealing.ring().seal(self.place, self.pack(value))

    def process_result_value(self, value: Any, dialect: Dialect | None = None) -> Any:  # noqa: ANN401, ARG002
        """Open on the way out."""
        return None if value is None else self.unpack(sealing.ring().open(self.place, bytes(value)))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """SQLite takes bytes as they are: in one step, since a message seals five values."""
        return self.process_bind_param if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """SQLite gives bytes as they are."""
        return self.process_result_value if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


class SealedBytes(SealedColumn):
    """Sealed raw bytes (media)."""

    cache_ok = True  # SQLAlchemy asks each class itself


class Sealed(SealedColumn):
    """Sealed text."""

    cache_ok = True  # SQLAlchemy asks each class itself

    def pack(self, value: str) -> bytes:
        """UTF-8; a lone surrogate from a broken client must not stop a report."""
        return value.encode("utf-8", "surrogatepass")

    def unpack(self, plain: bytes) -> str:
        """The text."""
        return plain.decode("utf-8", "surrogatepass")


_JSON = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


class SealedJson(SealedColumn):
    """Sealed JSON: assign a new dict or list, in-place changes are not noticed."""

    cache_ok = True  # SQLAlchemy asks each class itself

    def pack(self, value: Any) -> bytes:  # noqa: ANN401
        """Compact JSON."""
        return _JSON.encode(value).encode()

    def unpack(self, plain: bytes) -> Any:  # noqa: ANN401
        """The parsed value."""
        return json.loads(plain)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMING)
    __table__: ClassVar[Table]  # narrower than SQLAlchemy's: every row of ours is a plain table
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Utc(), bytes: LargeBinary()}


def connect(url: str, *, read_only: bool = False) -> Engine:
    """An engine with the settings durability needs; the caller opens and closes its connections.

    PostgreSQL: a dead server is noticed here, and a dead process there.

    SQLite: WAL, every commit on the disk, writers take the lock at BEGIN (ecosystem.md finding 3).
    """
    if make_url(url).get_backend_name() != "sqlite":
        patience = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "options": DEAD_CLIENT}  # seconds, milliseconds
        patience |= {"prepare_threshold": None}  # psycopg's way to forget its own prepared statements forgets ours too
        engine = create_engine(url, pool_size=10, max_overflow=8, pool_pre_ping=True, connect_args=patience)
        leave_for_others(engine)
        return engine
    engine = create_engine(url, connect_args={"check_same_thread": False})

    def on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",  # also the pages that a savepoint keeps, which went to a file: 48 writes a message
            *(["query_only=ON"] if read_only else []),
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def due_index(name: str, column: str = "next_at", *then: str, only: str = "") -> Index:
    """An index of only those rows that still wait for something, so that looking for due ones stays cheap.

    `then`: more columns by which they are taken; `only`: SQL that narrows them further.
    """
    waiting = text(f"{column} IS NOT NULL" + (f" AND {only}" if only else ""))
    return Index(name, column, *then, sqlite_where=waiting, postgresql_where=waiting)


def live_index(name: str, end: str, *columns: str, only: str = "") -> Index:
    """An index of only those rows whose `end` is not set, among ten years of ended ones; `only`: nor this one.

    Both stand in it too, though always null: SQLite would read the row itself to see that they are.
    """
    unset = [end, *filter(None, [only])]
    lives = text(" AND ".join(f"{one} IS NULL" for one in unset))
    return Index(name, *columns, *unset, sqlite_where=lives, postgresql_where=lives)


def alone(connection: Connection, what: str) -> None:
    """Until the end of this transaction, let nobody else in who asks for the same (SQLite has one writer anyway)."""
    if not is_sqlite(connection):
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"tongban {what}"))))


def is_sqlite(connection: Connection) -> bool:
    """Whether the statements run on SQLite (for the few that differ)."""
    return connection.dialect.name == "sqlite"
