"""Whether the database is whole: references, sealed values, hashes, paths, lifecycles, counts (`tongban check --deep`).

Every function reads in pages, each a short transaction that only reads, so that memory stays small, the bot goes on,
and SQLite can put its `-wal` file away meanwhile. What is yielded holds ids and names of columns, never a value.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Select,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from storage import sealing
from storage.areas import Area
from storage.cases import Case, CaseStage
from storage.children import Child, Pairing, Side
from storage.database import SealedBytes, SealedColumn, connect, is_sqlite
from storage.lifecycle import Step, moves
from storage.media import Media
from storage.reports import Report, ReportStage
from storage.rotation import sealed_columns, sealed_tables
from storage.tables import METADATA
from storage.tasks import LIVE, Task, TaskState
from storage.visits import Visit

PAGE, PAGE_OF_MEDIA = 500, 4
"""Rows; originals are megabytes each."""
MOST_DAMAGE = 100
"""Lines of SQLite's own check."""
CONTACT = ("seen", "phone")
"""Kinds of visits in which the child was seen or spoken to."""

Indexes = Mapping[str, Mapping[str, tuple[str, Callable[[str], bytes]]]]
"""Table → sealed column → the column with its blind index, and how that is made of the value."""


class Wrong(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    subject: str
    id: int
    what: str


def reading(url: str) -> Engine:
    """An engine that can only read, whose transactions see one state of the database."""
    engine = connect(url, read_only=True)
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def pages(engine: Engine, query: Select[Any], key: Column[Any], size: int = PAGE) -> Iterator[tuple[Connection, Any]]:
    """The rows of a query page by page, each with the transaction that read it; the first column has to be `key`."""
    after: Any = None
    while True:
        page = query if after is None else query.where(key > after)
        with engine.connect() as connection:
            rows = connection.execute(page.order_by(key).limit(size)).all()
            if not rows:
                return
            yield connection, rows
        after = rows[-1][0]


def damaged(engine: Engine) -> Iterator[Wrong]:
    """What SQLite says of its own file: pages, and indexes that differ from their tables."""
    with engine.connect() as connection:
        if is_sqlite(connection):
            for (line,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_DAMAGE})"):
                if line != "ok":
                    yield Wrong("damaged", "database", 0, " ".join(str(line).split())[:200])


def dangling(engine: Engine) -> Iterator[Wrong]:
    """References to rows that are not there: foreign keys, and pairs of a subject and its id."""
    for table in METADATA.sorted_tables:
        for foreign in sorted(table.foreign_keys, key=lambda one: one.parent.name):
            yield from _without(engine, table, foreign.parent, foreign.column)
        if {"subject", "subject_id"} <= set(table.c.keys()):
            yield from _without_subject(engine, table)


def _key_of(table: Table) -> Column[Any]:
    [key] = table.primary_key.columns
    return key


def _without(
    engine: Engine, table: Table, column: Column[Any], parent: Column[Any], *where: ColumnElement[bool]
) -> Iterator[Wrong]:
    key, other = _key_of(table), parent.table.alias("parent")
    there = exists().where(other.c[parent.name] == column)
    query = select(key, column).where(column.is_not(None), ~there, *where)
    for _, rows in pages(engine, query, key):
        for number, names in rows:
            yield Wrong("dangling", table.name, number, f"{column.name} names {parent.table.name} {names}, not there")


def _without_subject(engine: Engine, table: Table) -> Iterator[Wrong]:
    with engine.connect() as connection:
        subjects = connection.execute(
            select(table.c.subject, func.min(_key_of(table)))
            .where(table.c.subject_id.is_not(None))
            .group_by(table.c.subject)
        ).all()
    for subject, number in subjects:
        parent = METADATA.tables.get(subject)
        if parent is None:
            yield Wrong("dangling", table.name, number, f"its subject {subject} is no table")
        else:
            yield from _without(engine, table, table.c.subject_id, _key_of(parent), table.c.subject == subject)


def unreadable(engine: Engine, indexes: Indexes) -> Iterator[Wrong]:
    """Sealed values that do not open, blind indexes that do not belong to their values, originals that are others."""
    for table in sealed_tables():
        columns = sealed_columns(table)
        by_column = indexes.get(table.name, {})
        beside = [table.c[name] for name, _ in by_column.values()]
        if table is Media.__table__:
            beside += [table.c.sha256, table.c.size]
        raw = [type_coerce(column, LargeBinary).label(column.name) for column in columns]
        large = any(isinstance(column.type, SealedBytes) for column in columns)
        key = _key_of(table)
        for _, rows in pages(engine, select(key, *raw, *beside), key, PAGE_OF_MEDIA if large else PAGE):
            for row in rows:
                yield from _of_row(table, row, columns, by_column)


def _of_row(table: Table, row: Any, columns: Sequence[Column[Any]], by_column: Any) -> Iterator[Wrong]:  # noqa: ANN401 - a row
    values: dict[str, Any] = {}
    for column in columns:
        sealed, kind = getattr(row, column.name), column.type
        if sealed is None or not isinstance(kind, SealedColumn):
            continue
        try:
            values[column.name] = kind.unpack(sealing.ring().open(kind.place, bytes(sealed)))
        except (sealing.SealError, ValueError) as error:
            why = str(error) if isinstance(error, sealing.SealError) else "it opens to something else"
            yield Wrong("not_opened", table.name, row[0], f"{column.name}: {why}")
    for name, (index, made) in by_column.items():
        given = getattr(row, index)
        if name in values and (given is None or bytes(given) != made(values[name])):
            yield Wrong("wrong_index", table.name, row[0], f"{index} does not belong to its {name}")
        if given is not None and getattr(row, name) is None:
            yield Wrong("wrong_index", table.name, row[0], f"{index} is there without its {name}")
    content = values.get("content")
    if table is Media.__table__ and content is not None:
        true = hashlib.sha256(content).hexdigest(), len(content)
        if (row.sha256, row.size) != true:
            yield Wrong("other_content", table.name, row[0], "its hash or size is not that of what was fetched")


def misplaced(engine: Engine) -> Iterator[Wrong]:
    """Areas whose path is not that of the area above and their own id; a county has some hundreds."""
    with engine.connect() as connection:
        rows = connection.execute(select(Area.id, Area.parent_id, Area.path).order_by(Area.id)).all()
    paths = {row.id: row.path for row in rows}
    for row in rows:
        above = "/" if row.parent_id is None else paths.get(row.parent_id)
        if above is None or row.path != f"{above}{row.id}/":
            yield Wrong("misplaced", "area", row.id, "its path does not lead through the area above it")


def broken_chains(engine: Engine) -> Iterator[Wrong]:
    """Rows whose stage does not follow from the moves that were made, and tasks whose state and dates disagree."""
    for row, first in ((Report, ReportStage.DRAFT), (Case, CaseStage.OPEN)):
        yield from _chains_of(engine, row, first)
    T = Task  # noqa: N806 - a table
    ended = T.state.in_([TaskState.DONE, TaskState.CANCELLED])
    disagree = or_(
        and_(ended, T.ended_at.is_(None)),
        and_(T.state.in_(LIVE), T.ended_at.is_not(None)),
        and_(T.state == TaskState.CLAIMED, or_(T.claimed_at.is_(None), T.person_id.is_(None))),
        ~or_(ended, T.state.in_(LIVE)),
    )
    key = _key_of(T.__table__)
    for _, rows in pages(engine, select(key, T.state).where(disagree), key):
        for number, state in rows:
            yield Wrong("broken_chain", "task", number, f"it is {state}, which its dates and its holder contradict")


def _chains_of(engine: Engine, kind: type[Report | Case], first: str) -> Iterator[Wrong]:
    table, known = kind.__table__, {one.name: one for one in moves(kind)}
    key = _key_of(table)
    merged = table.c.merged_into_id if kind is Report else table.c.id != table.c.id
    for connection, rows in pages(engine, select(key, table.c.stage, merged.label("merged")), key):
        steps = defaultdict(list)
        found = select(Step.subject_id, Step.move, Step.before, Step.after).where(
            Step.subject == table.name, Step.subject_id.in_([row[0] for row in rows]), Step.move.in_(known)
        )
        for one in connection.execute(found.order_by(Step.id)):
            steps[one.subject_id].append(one)
        for row in rows:
            stage: str | None = first
            for one in steps[row[0]]:
                move = known[one.move]
                if one.before != stage or one.before not in move.before or one.after != move.to:
                    yield Wrong("broken_chain", table.name, row[0], f"{one.move} from {one.before} did not follow")
                    stage = None
                    break
                stage = one.after
            if stage is not None and row.stage != stage and not row.merged:  # merging is no move of its own
                yield Wrong("broken_chain", table.name, row[0], f"it is {row.stage}, its moves led to {stage}")


def miscounted(engine: Engine) -> Iterator[Wrong]:
    """What is kept beside the rows that it is made of, and differs from them."""
    contact = select(func.max(Visit.happened_on)).where(Visit.child_id == Child.id, Visit.kind.in_(CONTACT))
    last, key = contact.scalar_subquery(), _key_of(Child.__table__)
    late = or_(Child.last_contact_on < last, and_(Child.last_contact_on.is_(None), last.is_not(None)))
    for _, rows in pages(engine, select(key).where(late), key):
        for (number,) in rows:
            yield Wrong("miscounted", "child", number, "it was seen or spoken to later than is noted")
    for _, rows in pages(engine, select(key).where(_paired_wrongly()), key):
        for (number,) in rows:
            yield Wrong("miscounted", "child", number, "whether both sides of its pair have somebody is noted wrongly")


def _paired_wrongly() -> ColumnElement[bool]:
    def has(side: Side) -> ColumnElement[bool]:
        return exists().where(Pairing.child_id == Child.id, Pairing.side == side, Pairing.until.is_(None))

    paired = and_(has(Side.CADRE), or_(Child.school_id.is_(None), has(Side.TEACHER)))
    return or_(and_(Child.paired_since.is_(None), paired), and_(Child.paired_since.is_not(None), ~paired))
