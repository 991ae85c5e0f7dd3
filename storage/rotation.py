"""Key rotation: every sealed value sealed anew with the newest key, batch by batch, while the bot goes on working.

It may be stopped anywhere and begun again: what is left is found by the key id in the values. The blind index keeps
the first key (`storage.sealing`), so that key stays in the key file.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Table,
    and_,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from storage import sealing
from storage.database import SealedBytes, SealedColumn
from storage.tables import METADATA

BATCH: Final = 50
_BATCH_OF_MEDIA: Final = 4
"""Originals are megabytes each; a batch must stay a short transaction."""


class Batch(NamedTuple):
    """What one transaction did: values sealed anew, and the id of its last row (None: the table is through)."""

    values: int
    last: int | None


def rotate(engine: Engine) -> Iterator[int]:
    """Seal all values anew, each batch in a transaction of its own; yields how many values each batch held.

    Goes over the tables again until nothing is left, because the bot may write with the old key meanwhile.
    """
    for again in count():
        patient = again > 0
        done = 0
        for table in sealed_tables():
            after: int | None = 0
            while after is not None:
                with engine.begin() as connection:
                    values, after = reseal(connection, table, after, patient=patient)
                done += values
                if values:
                    yield values
        if patient and not done:
            return


def reseal(connection: Connection, table: Table, after: int = 0, *, patient: bool = False) -> Batch:
    """Seal one batch of a table's rows anew, those after an id.

    Rows that a turn holds are left out; a `patient` batch waits for them and is one row long, so that it never keeps
    what another one waits for.
    """
    ring = sealing.ring()
    columns = sealed_columns(table)
    [key] = table.primary_key.columns
    limit = _BATCH_OF_MEDIA if any(isinstance(column.type, SealedBytes) for column in columns) else BATCH
    query = (
        select(key, *(type_coerce(column, LargeBinary) for column in columns))
        .where(key > after, or_(*(_is_old(column, ring) for column in columns)))
        .order_by(key)
        .limit(1 if patient else limit)
        .with_for_update(skip_locked=not patient)
    )
    values, last = 0, None
    for last, *sealed in connection.execute(query).all():
        anew = {
            column.name: type_coerce(_anew(ring, column, bytes(value)), LargeBinary)
            for column, value in zip(columns, sealed, strict=True)
            if value is not None and sealing.key_id(bytes(value)) != ring.newest.id
        }
        connection.execute(update(table).where(key == last).values(anew))
        values += len(anew)
    return Batch(values, last)


def usage(connection: Connection) -> dict[int, int]:
    """How many values each key seals: key id → number."""
    numbers: Counter[int] = Counter()
    for table in sealed_tables():
        for column in sealed_columns(table):
            key_id = _key_id(column)
            query = select(key_id, func.count()).where(column.is_not(None)).group_by(key_id)
            for name, number in connection.execute(query):
                numbers[int.from_bytes(bytes(name), "big")] += number
    return dict(numbers)


def sealed_tables() -> list[Table]:
    """Every table with a sealed column, from the metadata."""
    return [table for table in METADATA.sorted_tables if sealed_columns(table)]


def sealed_columns(table: Table) -> list[Column[bytes]]:
    """The sealed columns of a table."""
    return [column for column in table.columns if isinstance(column.type, SealedColumn)]


def _anew(ring: sealing.KeyRing, column: Column[bytes], sealed: bytes) -> bytes:
    place = f"{column.table.name}.{column.name}"
    return ring.seal(place, ring.open(place, sealed))


def _key_id(column: Column[bytes]) -> ColumnElement[bytes]:
    """The two bytes of a sealed value that name its key."""
    return func.substr(type_coerce(column, LargeBinary), 2, 2, type_=LargeBinary)


def _is_old(column: Column[bytes], ring: sealing.KeyRing) -> ColumnElement[bool]:
    return and_(column.is_not(None), _key_id(column) != ring.newest.id.to_bytes(2, "big"))
