"""What is measured: the floor, WeRoBot at its best and as it comes, and the bot on both databases."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tests.bench.county import County
from tests.bench.load import Generator
from tests.bench.postgres import Postgres
from tests.bench.process import GENERATOR_CORES, ROOT, SERVER_CORES, Server, serving
from tests.support.databases import SqliteDatabases
from tests.support.waiting import free_port

Name = Literal["constant", "floor", "werobot", "werobot_sessions", "sqlite", "postgresql"]
TITLES: dict[Name, str] = {
    "constant": "nothing at all (asyncio, the same bytes to everything)",
    "floor": "floor (aiohttp; decrypts, echoes, encrypts, keeps nothing)",
    "werobot": "WeRoBot's best (waitress, sessions off; echoes, keeps nothing)",
    "werobot_sessions": "WeRoBot's default (waitress, its SQLite sessions; echoes)",
    "sqlite": "Tongban on SQLite (synchronous=FULL)",
    "postgresql": "Tongban on PostgreSQL (fsync and synchronous_commit on)",
}
BOTS: tuple[Name, ...] = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Running:
    """A target that is being measured."""

    name: Name
    server: Server
    url: str | None
    """The bot's database."""
    postgres: Postgres | None

    def database_cpu(self) -> float:
        """Seconds of CPU of a database server beside it."""
        return self.postgres.cpu() if self.postgres else 0.0


@dataclass(frozen=True)
class Bench:
    """Everything that targets need; `peers` is the Python in which the peers are installed."""

    folder: Path
    peers: Path
    county: County
    sqlite: SqliteDatabases
    postgres: Postgres
    platform: int
    """The port of the platform that accepts everything."""
    generator: Generator

    @contextmanager
    def start(self, name: Name) -> Iterator[Running]:
        """Run a target afresh, on an empty county where it has a database."""
        port = free_port()
        with TemporaryDirectory(prefix=f"{name}-", dir=self.folder) as scratch:
            url = self.county_database(name) if name in BOTS else None
            command = self._command(name, Path(scratch), url, port)
            environ = {"SESSIONS": "1"} if name == "werobot_sessions" else {}
            with serving(
                command, self.folder / f"{name}.log", port=port, cwd=Path(scratch), cores=SERVER_CORES, environ=environ
            ) as server:
                yield Running(name, server, url, self.postgres if name == "postgresql" else None)

    def county_database(self, name: Name) -> str:
        """A new database with nothing but the county."""
        databases = self.sqlite if name == "sqlite" else self.postgres.databases
        return databases.copy(self.county.found)

    def _command(self, name: Name, scratch: Path, url: str | None, port: int) -> list[str | Path]:
        if url is not None:
            config = scratch / "config.toml"
            self.county.settings(config, url=url, port=port, platform=self.platform)
            return [sys.executable, "-m", "bot", "--config", config, "run"]
        if name in {"werobot", "werobot_sessions"}:
            return [self.peers, "-m", "tests.bench.servers.werobot_echo"]
        return [sys.executable, "-m", f"tests.bench.servers.{name}"]


@contextmanager
def accepting_platform(folder: Path) -> Iterator[int]:
    """Run the platform that accepts everything, away from the measured core; its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.servers.platform"]
    with serving(command, folder / "platform.log", port=port, cwd=ROOT, cores=GENERATOR_CORES, environ={}):
        yield port
