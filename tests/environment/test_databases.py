"""The databases that tests get are real, empty and their own."""

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from tests.support.databases import Databases, PostgresDatabases


def run(url: str, statement: str) -> list[object]:
    """Run one statement on a connection of its own; return the first column of what it finds."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        result = connection.execute(text(statement))
        return list(result.scalars()) if result.returns_rows else []


def villages(url: str) -> None:
    """Make a table with one village in it."""
    run(url, "CREATE TABLE village (name VARCHAR(20))")
    run(url, "INSERT INTO village VALUES ('幸福村')")


def test_what_is_written_is_there_on_the_next_connection(database_url: str) -> None:
    villages(database_url)
    assert run(database_url, "SELECT name FROM village") == ["幸福村"]


def test_two_databases_know_nothing_of_each_other(databases: Databases) -> None:
    one, other = databases.fresh(), databases.fresh()
    villages(one)
    assert inspect(create_engine(other, poolclass=NullPool)).get_table_names() == []


def test_a_copy_starts_as_prepared_and_goes_its_own_way(databases: Databases) -> None:
    first = databases.copy(villages)
    run(first, "INSERT INTO village VALUES ('利民村')")
    second = databases.copy(villages)
    assert run(first, "SELECT name FROM village ORDER BY name") == ["利民村", "幸福村"]
    assert run(second, "SELECT name FROM village") == ["幸福村"]


@pytest.mark.postgres
def test_postgresql_is_the_real_one(postgres: PostgresDatabases) -> None:
    [version] = run(postgres.fresh(), "SELECT version()")
    assert str(version).startswith("PostgreSQL 1")
