from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, bindparam, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from storage import audit, migrate, renditions, version
from storage.audit import Audit
from storage.database import Sealed, connect
from storage.rotation import sealed_columns, sealed_tables
from storage.tables import METADATA
from tests.storage.conftest import NOW
from tests.support.databases import PostgresDatabases

DUE = [
    "ix_task_due",
    "ix_task_urgent",
    "ix_outbox_due",
    "ix_inbox_due",
    "ix_media_due",
    "ix_rendition_due",
    "ix_outbox_erase",
]


def test_an_upgraded_database_equals_the_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        assert version.is_current(connection)
        assert migrate.difference(connection) == []


def test_this_version_is_told_without_alembic_as_it_would_tell_it() -> None:
    assert version.heads() == {migrate.newest()}


def test_an_empty_database_is_not_current(database_url: str) -> None:
    engine = connect(database_url)
    with engine.begin() as connection:
        assert not version.is_current(connection)
        assert migrate.difference(connection) != []
    engine.dispose()


def test_the_way_down_leaves_nothing_and_the_way_up_works_again(engine: Engine, url: str) -> None:
    migrate.downgrade(url, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(url)
    migrate.upgrade(url)
    with engine.begin() as connection:
        assert version.is_current(connection)
        assert migrate.difference(connection) == []


def test_what_was_kept_before_renditions_gets_one(database_url: str) -> None:
    migrate.upgrade(database_url, "0002")
    engine = connect(database_url)
    known = {"kind": "image", "platform_id": b"m", "received_at": NOW, "fetched_at": NOW, "attempts": 1}
    old = [("kept", "image/jpeg"), ("kept", "audio/amr"), ("kept", "video/mp4"), ("lost", None), ("waiting", None)]
    columns = MetaData()
    columns.reflect(engine, only=["media"])
    with engine.begin() as connection:
        for state, content_type in old:
            row = known | {"state": state, "content_type": content_type}
            connection.execute(insert(columns.tables["media"]).values(row))
    migrate.upgrade(database_url)
    with engine.begin() as connection:
        assert [row.media_id for row in renditions.claim(connection, NOW, NOW, 10)] == [2, 1], "the newest first"
    engine.dispose()


def test_due_rows_are_found_by_an_index_of_due_rows_only(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            query = text("SELECT sql FROM sqlite_master WHERE name IN :names")
        else:
            query = text("SELECT indexdef FROM pg_indexes WHERE indexname IN :names")
        definitions = list(connection.execute(query.bindparams(bindparam("names", DUE, expanding=True))).scalars())
    assert len(definitions) == len(DUE)
    assert all("_at IS NOT NULL" in one for one in definitions)


def test_every_seal_is_bound_to_its_own_column() -> None:
    places = {
        f"{table.name}.{column.name}": column.type.place  # type: ignore[attr-defined]  # sealed types have a place
        for table in sealed_tables()
        for column in sealed_columns(table)
    }
    assert places
    assert all(place == name for name, place in places.items())


def test_names_phones_and_free_words_are_sealed_columns() -> None:
    """A text column in clear holds a code or a number of ours, or words that no person typed."""
    in_clear = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if not isinstance(column.type, Sealed)
        and column.name in {"name", "phone", "openid", "text", "why", "note", "address", "guardian", "callback"}
    }
    assert in_clear == {"area.name", "unit.name", "fact.name", "recording.name"}


def add_act(engine: Engine) -> None:
    with engine.begin() as connection:
        audit.add(connection, at=NOW, act="look", subject="report", subject_id=7, note="电话里说的")


@pytest.mark.parametrize(
    "change",
    [
        update(Audit.__table__).values(act="other"),
        update(Audit.__table__).values(note=None),
        update(Audit.__table__).values(note="别的话"),
        update(Audit.__table__).values(subject_id=None),
        delete(Audit.__table__),
    ],
    ids=["act", "no note", "other note", "no subject", "delete"],
)
def test_the_database_refuses_to_change_or_remove_a_row_of_the_audit(engine: Engine, change: object) -> None:
    add_act(engine)
    with pytest.raises(DBAPIError, match="rows of the audit are only ever added"), engine.begin() as connection:
        connection.execute(change)  # type: ignore[call-overload]  # an update or a delete
    with engine.begin() as connection:
        row = connection.execute(select(Audit.__table__)).one()
    assert (row.act, row.subject_id, row.note) == ("look", 7, "电话里说的")


@pytest.mark.postgres
def test_the_audit_cannot_be_emptied_at_once(postgres: PostgresDatabases) -> None:
    engine = connect(postgres.copy(migrate.upgrade))
    add_act(engine)
    with pytest.raises(DBAPIError, match="only ever added"), engine.begin() as connection:
        connection.execute(text("TRUNCATE audit"))
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(Audit)).scalar() == 1
    engine.dispose()


def test_sqlite_rows_that_point_nowhere_stop_a_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'broken.db'}"
    migrate.upgrade(url, "0001")
    engine = connect(url)
    with engine.connect() as raw:
        raw.exec_driver_sql("COMMIT")
        raw.exec_driver_sql("PRAGMA foreign_keys=OFF")
        raw.exec_driver_sql("BEGIN IMMEDIATE")
        raw.execute(insert(METADATA.tables["unit"]).values(area_id=99, kind="school", name="希望小学"))
        raw.commit()
    engine.dispose()
    with pytest.raises(DBAPIError, match="point nowhere"):
        migrate.upgrade(url)
    engine = connect(url)
    with engine.begin() as connection:
        assert not version.is_current(connection)
    engine.dispose()
