"""A migrated database on each engine, and a small county to put rows into."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage import areas, contacts, sealing
from storage.areas import AreaLevel
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Person
from tests.support.databases import Databases, PostgresDatabases
from tests.support.ring import ring_of

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Ids:
    """What the county holds: an area, two people, two WeChat contacts."""

    county: int
    person: int
    other: int
    contact: int
    other_contact: int


@pytest.fixture(autouse=True)
def _ring() -> None:
    sealing.use(ring_of(1))


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.copy(upgrade)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres: PostgresDatabases) -> Iterator[Engine]:
    """For what only PostgreSQL can do: two transactions that write at once in one thread."""
    engine = connect(postgres.copy(upgrade))
    yield engine
    engine.dispose()


@pytest.fixture
def ids(engine: Engine) -> Ids:
    return settle_county(engine)


def settle_county(engine: Engine) -> Ids:
    """The small county."""
    with engine.begin() as connection:
        session = Session(connection, join_transaction_mode="create_savepoint")
        area = areas.add_area(session, AreaLevel.COUNTY, "青禾县")
        people = [Person(name=name, area_id=area.id, joined_at=NOW) for name in ("王老师", "李主任")]
        session.add_all(people)
        session.commit()
        known = [contacts.hear(connection, openid, NOW).contact_id for openid in ("o-wang", "o-li")]
        return Ids(area.id, people[0].id, people[1].id, *known)
