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
from tests.bench.process import GENERATOR_CORES, ROOT, Server, server_cores, serving
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
        if name in BOTS:
            with self.bot(name, self.county_database(name)) as running:
                yield running
            return
        command: list[str | Path] = [sys.executable, "-m", f"tests.bench.servers.{name}"]
        if name in {"werobot", "werobot_sessions"}:
            command = [self.peers, "-m", "tests.bench.servers.werobot_echo"]
        with self._running(name, command, {"SESSIONS": "1"} if name == "werobot_sessions" else {}) as server:
            yield Running(name, server, None, None)

    @contextmanager
    def bot(
        self, name: Name, url: str, *, platform: int | None = None, sends_per_second: int = 50, core: int = 0
    ) -> Iterator[Running]:
        """Run the bot on a database that is there already; `core`: which of the servers' cores, when there are more."""
        with TemporaryDirectory(prefix=f"{name}-", dir=self.folder) as folder:
            config = Path(folder) / "config.toml"
            port = free_port()
            self.county.settings(
                config, url=url, port=port, platform=platform or self.platform, sends_per_second=sends_per_second
            )
            command: list[str | Path] = [sys.executable, "-m", "bot", "--config", config, "run"]
            with self._running(name, command, {}, port=port, core=core) as server:
                yield Running(name, server, url, self.postgres if name == "postgresql" else None)

    @contextmanager
    def _running(
        self, name: Name, command: list[str | Path], environ: dict[str, str], port: int | None = None, core: int = 0
    ) -> Iterator[Server]:
        with TemporaryDirectory(prefix=f"{name}-", dir=self.folder) as scratch:
            log, cores = self.folder / f"{name}.log", server_cores(core)
            with serving(
                command, log, port=port or free_port(), cwd=Path(scratch), cores=cores, environ=environ
            ) as server:
                yield server

    def county_database(self, name: Name) -> str:
        """A new database with nothing but the county."""
        databases = self.sqlite if name == "sqlite" else self.postgres.databases
        return databases.copy(self.county.found)


@contextmanager
def accepting_platform(folder: Path, latency: float = 0.0) -> Iterator[int]:
    """Run the platform that accepts everything, after `latency` seconds, away from the measured core; its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.servers.platform"]
    with serving(
        command, folder / "platform.log", port=port, cwd=ROOT, cores=GENERATOR_CORES, environ={"LATENCY": str(latency)}
    ):
        yield port
