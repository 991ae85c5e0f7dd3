"""Counties of any size, written by the database itself: villages, officers, children, and when each is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    case,
    cast,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url

from handlers.plans import END_OF_DAY
from handlers.turn import Turn
from handlers.workdays import at, local_day
from storage import areas, contacts
from storage.areas import AreaLevel
from storage.children import Child, Side
from storage.contacts import Contact
from storage.database import connect
from storage.people import Person, PersonRole, Role
from storage.tasks import Task, TaskState
from tests.bench.targets import Bench, Name
from tests.world import World

TOWNSHIPS, VILLAGES = 20, 600
"""As many as the reference for performance has; each village has its officer, as Wudi's 574 have theirs."""
_SPREAD = 2654435761
"""Knuth's multiplier: who is due lies scattered over the whole table."""
_HASHES = 2**32
_LEVELS = {1: "red", 5: "yellow", 25: "blue"}
"""Share of the children below which a level reaches, in hundredths; the others are green."""


@dataclass(frozen=True)
class Staff:
    """Ids: the county's, those with which villages and officers begin (they follow without a gap), the supervisor's."""

    county: int
    village: int
    officer: int
    supervisor: int


def found(url: str) -> Staff:
    """Villages with their officers and a supervisor, in a county that `county.County.found` made."""
    world = World(connect(url))
    world.now = datetime.now(UTC) - timedelta(days=30)

    def add(turn: Turn) -> Staff:
        top = areas.county(turn.session)
        assert top is not None
        townships = [areas.add_area(turn.session, AreaLevel.TOWNSHIP, f"T{number}", top) for number in range(TOWNSHIPS)]
        villages = [
            areas.add_area(turn.session, AreaLevel.VILLAGE, f"V{number}", townships[number % TOWNSHIPS])
            for number in range(VILLAGES)
        ]
        people = [
            Person(name=f"P{number}", area_id=village.id, joined_at=turn.now) for number, village in enumerate(villages)
        ]
        turn.session.add_all(people)
        turn.session.flush()
        officer = Role.VILLAGE_CHILD_OFFICER
        turn.session.add_all(
            PersonRole(person_id=person.id, role=officer, area_id=person.area_id, since=turn.now) for person in people
        )
        for person in people:
            talk = contacts.hear(turn.connection, f"o-officer-{person.id:06d}", turn.now)
            turn.session.get_one(Contact, talk.contact_id).person_id = person.id
        supervisor = turn.session.scalars(select(PersonRole.person_id).where(PersonRole.area_id == top.id)).first()
        assert supervisor is not None
        return Staff(top.id, villages[0].id, people[0].id, supervisor)

    staff = world.turn(add)
    world.close()
    return staff


def numbers(count: int) -> CTE:
    """The numbers 1 to `count` in column `i`."""
    first = select(cast(literal(1), BigInteger).label("i")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.i + 1).where(first.c.i < count))


def scattered(i: ColumnElement[int], share: float) -> ColumnElement[bool]:
    """Whether a number is among this share of all of them, always the same ones."""
    return (i * _SPREAD) % _HASHES < literal(int(share * _HASHES), BigInteger)


def add_children(
    connection: Connection, staff: Staff, count: int, due: int, now: datetime, *, due_at_once: bool = True
) -> None:
    """Children on file, each with one visit to come: about `due` of them are due now, or as soon as `release` says."""
    i = (every := numbers(count)).c.i
    add(connection, Child, select(*_child(i, staff, now)).select_from(every))
    add(connection, Task, select(*_visit(i, staff, now, due / count, at_once=due_at_once)).select_from(every))


def add(connection: Connection, row: Any, rows: Any) -> None:  # noqa: ANN401 - a mapped class and any select
    """Insert what a select gives, under the names of its columns."""
    connection.execute(insert(row.__table__).from_select([one.name for one in rows.selected_columns], rows))


def _child(i: ColumnElement[int], staff: Staff, now: datetime) -> list[ColumnElement[Any]]:
    return [
        i.label("id"), literal("C").concat(cast(i, Child.number.type)).label("number"),
        *values(Child, name="王小雨", name_index=b"n" * 32, sex="male", level_since=now - timedelta(days=90)),
        of(Child.on_file_since, now - timedelta(days=90)).label("on_file_since"),
        village(i, staff).label("area_id"), level(i).label("level"),
    ]  # fmt: skip


def level(i: ColumnElement[int]) -> ColumnElement[str]:
    """The level of child `i`."""
    return case(*((i % 100 < below, code) for below, code in _LEVELS.items()), else_="green")


def village(i: ColumnElement[int], staff: Staff) -> ColumnElement[int]:
    """The village of child `i`."""
    return i % VILLAGES + staff.village


def _visit(
    i: ColumnElement[int], staff: Staff, now: datetime, share: float, *, at_once: bool
) -> list[ColumnElement[Any]]:
    today = at(local_day(now), END_OF_DAY)
    is_due = scattered(i, share)
    key = literal("visit:child:").concat(cast(i, Task.key.type)).concat(f":{Side.CADRE}.0")
    later = [(i % 9 == number, of(Task.next_at, now + timedelta(days=10 * number + 1))) for number in range(8)]
    asked = of(Task.next_at, now - timedelta(minutes=5) if at_once else None)
    return [
        i.label("id"), key.label("key"), i.label("subject_id"), village(i, staff).label("area_id"),
        (i % VILLAGES + staff.officer).label("person_id"),
        *values(Task, kind="visit", subject="child", state=TaskState.OPEN, urgency=0, rung=0),
        *values(Task, late=False, failures=0, policy_version=0, opened_at=now - timedelta(days=10)),
        case((is_due, of(Task.due_at, today)), else_=of(Task.due_at, today + timedelta(days=30))).label("due_at"),
        case((is_due, asked), *later, else_=of(Task.next_at, now + timedelta(days=90))).label("next_at"),
    ]  # fmt: skip


def of(column: Any, value: object) -> ColumnElement[Any]:  # noqa: ANN401 - a mapped column
    """A value as its column keeps it: sealed, or in UTC."""
    return literal(value, column.type)


def values(row: Any, **columns: object) -> Iterator[ColumnElement[Any]]:  # noqa: ANN401 - a mapped class
    """The same values for every row."""
    for name, value in columns.items():
        yield of(getattr(row, name), value).label(name)


def release(connection: Connection, now: datetime) -> None:
    """The visits and digests that waited for this are due now, the digests first."""
    waiting = Task.next_at.is_(None), Task.state == TaskState.OPEN, Task.kind.in_(["visit", "digest"])
    first = case((Task.kind == "digest", of(Task.next_at, now - timedelta(hours=1))), else_=of(Task.next_at, now))
    connection.execute(update(Task).where(*waiting).values(next_at=first))


@contextmanager
def quickly(url: str, *rows: Any) -> Iterator[Connection]:  # noqa: ANN401 - mapped classes
    """A transaction for millions of rows of these tables: their indexes are made afterwards, nothing is checked."""
    engine = create_engine(url)
    sqlite = engine.dialect.name == "sqlite"
    tables: list[Table] = [row.__table__ for row in rows]
    settings = (
        "journal_mode=OFF",
        "synchronous=OFF",
        "cache_size=-1000000",
        "temp_store=MEMORY",
        "locking_mode=EXCLUSIVE",
    )
    with engine.connect() as connection:
        if sqlite:
            for setting in settings:
                connection.exec_driver_sql(f"PRAGMA {setting}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
        connection.commit()
        for table in tables:
            for index in table.indexes:
                index.drop(connection)
        yield connection
        for table in tables:
            for index in table.indexes:
                index.create(connection)
        connection.commit()
        connection.exec_driver_sql("PRAGMA locking_mode=NORMAL" if sqlite else "RESET session_replication_role")
        connection.commit()
    engine.dispose()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE" if sqlite else "VACUUM ANALYZE"))
        if not sqlite:
            following = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), (SELECT max(id) FROM \"{0}\"))"
            for table in tables:
                connection.execute(text(following.format(table.name)))
    engine.dispose()


@contextmanager
def county_on(bench: Bench, name: Name) -> Iterator[tuple[str, Staff]]:
    """A new database with the county and its villages; it is gone afterwards, since it may be large."""
    url = bench.county_database(name)
    try:
        yield url, found(url)
    finally:
        drop(bench, name, url)


def drop(bench: Bench, name: Name, url: str) -> None:
    """Give the room on the disk back."""
    database = str(make_url(url).database)
    if name == "sqlite":
        for suffix in ("", "-wal", "-shm", ".lock"):
            Path(database + suffix).unlink(missing_ok=True)
    else:
        bench.postgres.databases.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def count(connection: Connection, row: Any, *where: ColumnElement[bool]) -> int:  # noqa: ANN401 - a mapped class
    """How many rows."""
    return int(connection.execute(select(func.count()).select_from(row).where(*where)).scalar_one())
