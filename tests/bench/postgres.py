"""A PostgreSQL server of our own that keeps what it says it kept: unlike in tests, fsync stays on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench.process import children_cpu, pause
from tests.support.databases import PostgresDatabases, _packaged_server


@dataclass(frozen=True)
class Postgres:
    """The running server."""

    databases: PostgresDatabases
    folder: Path
    version: str
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU of all its processes."""
        return children_cpu(self.pid)


@contextmanager
def durable_server() -> Iterator[Postgres]:
    """Run the packaged server with its default, durable settings."""
    with _packaged_server() as databases:
        databases.execute("ALTER SYSTEM RESET fsync")
        databases.execute("SELECT pg_reload_conf()")
        address = databases.server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            shown = {name: _show(connection, name) for name in ("data_directory", "server_version")}
            for _ in range(100):
                if (_show(connection, "fsync"), _show(connection, "synchronous_commit")) == ("on", "on"):
                    break
                pause(0.05)
            else:
                raise RuntimeError("PostgreSQL does not keep its commits durably")
        folder = Path(shown["data_directory"])
        pid = int((folder / "postmaster.pid").read_text("utf-8").split()[0])
        yield Postgres(databases, folder, shown["server_version"].split()[0], pid)


def _show(connection: "psycopg.Connection[tuple[str]]", name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return row[0] if row else ""
