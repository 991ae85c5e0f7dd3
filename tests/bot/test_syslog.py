"""The system's log as real sockets: what arrives, what it costs when nobody listens, and what is told again."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from bot import logs
from bot.app import running
from bot.cli import in_turn
from bot.settings import Settings, load
from bot.syslog import Syslog, address
from storage.database import connect
from tests.bot.place import place
from tests.support.databases import Databases
from tests.support.waiting import eventually

DAEMON, AUTHPRIV = 3, 10
"""Facilities, of RFC 5424."""


class Listener:
    """A system's log on a UNIX socket or a UDP port."""

    def __init__(self, where: Path | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX if where else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(str(where) if where else ("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.setting = str(where) if where else "{}:{}".format(*self._socket.getsockname())
        self.came: list[tuple[int, int, dict[str, object]]] = []

    def lines(self) -> list[tuple[int, int, dict[str, object]]]:
        """Everything that came: facility, severity, the line."""
        while True:
            try:
                datagram = self._socket.recv(65536).decode()
            except BlockingIOError:
                return self.came
            priority, _, rest = datagram.removeprefix("<").partition(">")
            assert rest.startswith("tongban: ")
            self.came.append((int(priority) >> 3, int(priority) & 7, json.loads(rest.removeprefix("tongban: "))))

    def audit(self) -> list[dict[str, object]]:
        """The acts that came."""
        return [line for facility, _, line in self.lines() if facility == AUTHPRIV]

    def close(self) -> None:
        """Nobody listens any more."""
        self._socket.close()


@pytest.fixture(params=["unix", "udp"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    """Each kind."""
    made = Listener(tmp_path / "log" if request.param == "unix" else None)
    yield made
    made.close()


@pytest.fixture
def into() -> Iterator[Callable[[str], None]]:
    """Log into a system's log too; afterwards as before."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield lambda where: logs.set_up(syslog=address(where))
    for handler in root.handlers:
        if isinstance(handler, Syslog):
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_arrives_with_its_urgency_and_without_what_is_personal(
    listener: Listener, into: Callable[[str], None]
) -> None:
    into(listener.setting)
    structlog.get_logger().error("turn_failed", inbox=3, openid="oABCDEFGHIJKLMNOPQRSTUVWX", why="13800000000")
    ((facility, severity, line),) = listener.lines()
    assert (facility, severity) == (DAEMON, 3)
    assert line.pop("timestamp")
    assert line == {"event": "turn_failed", "inbox": 3, "level": "error", "why": "[withheld]"}


def test_a_log_that_is_not_there_or_does_not_read_costs_nothing_but_the_line(
    tmp_path: Path, into: Callable[[str], None]
) -> None:
    into(str(tmp_path / "log"))
    log = structlog.get_logger()
    log.info("lost")
    deaf = Listener(tmp_path / "log")
    for number in range(2000):  # far more than its queue holds; who waits would wait for ever
        log.info("many", number=number)
    heard = [line.get("number") for _, _, line in deaf.lines()]
    assert heard == list(range(len(heard)))
    assert 0 < len(heard) < 2000
    deaf.close()
    (tmp_path / "log").unlink()
    log.info("lost")
    again = Listener(tmp_path / "log")
    log.info("found")
    assert [line["event"] for _, _, line in again.lines()] == ["found"]
    again.close()


@pytest.mark.parametrize("wrong", ["log.example:514", "10.0.0.5", "10.0.0.5:x", "dev/log"])
def test_a_name_that_would_have_to_be_looked_up_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="IP address with a port"):
        address(wrong)


async def test_every_act_is_told_once_it_is_committed_and_none_is_lost_while_the_log_is_away(
    databases: Databases, tmp_path: Path
) -> None:
    where = tmp_path / "log"
    first = Listener(where)
    async with place(tmp_path, databases.fresh()) as here:
        with here.config.open("a", encoding="utf-8") as file:
            file.write(f'[log]\nsyslog = "{where}"\n')
        settings = load(here.config, {})
        act(settings, "before_it_was_switched_on")
        async with running(settings):
            await eventually(lambda: here_is_told(settings), 30)
            act(settings, "drill")
            await eventually(lambda: [one["act"] for one in first.audit()] == ["drill"], 30)
            told = first.audit()[0]
            assert told.keys() == {"event", "id", "at", "person_id", "os_user", "act", "subject", "subject_id"}
            assert told["os_user"]
            first.close()
            where.unlink()
            for number in range(3):
                act(settings, f"while_away_{number}")
        second = Listener(where)
        async with running(settings):
            acts = [f"while_away_{number}" for number in range(3)]
            await eventually(lambda: [one["act"] for one in second.audit()] == acts, 30)
        second.close()


def act(settings: Settings, name: str) -> None:
    """What a command does."""
    in_turn(settings, lambda _turn: None, name)


def here_is_told(settings: Settings) -> bool:
    """Whether the tail has begun."""
    engine = connect(settings.database.url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT value FROM fact WHERE name = 'audit_told'").scalar()
    engine.dispose()
    return found is not None
