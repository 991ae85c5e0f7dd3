"""The system's log: what the bot logs, and every row of the audit once it is committed.

A log that is away or full costs a line, never a moment: nothing here waits, and no name is looked up. Lines of the
audit are kept for it instead, since their rows are: they are told again until they could be sent.
"""

import ipaddress
import json
import logging
import socket
from logging.handlers import SysLogHandler
from typing import Self

from sqlalchemy import Connection

from bot import metrics
from bot.engine import Database, Lane
from storage import audit, county

IDENT = "tongban: "
AT_A_TIME = 200
"""Rows of the audit in one transaction."""
_TOLD = "audit_told"
"""Fact: the last row of the audit that was told."""

Address = str | tuple[str, int]


def address(value: str) -> Address:
    """A path, or an IP address and a port; ValueError with what it should be."""
    if value.startswith("/"):
        return value
    host, _, port = value.rpartition(":")
    try:
        found = ipaddress.ip_address(host.removeprefix("[").removesuffix("]")), int(port)
    except ValueError:
        raise ValueError("it should be a path like /dev/log, or an IP address with a port like 10.0.0.5:514") from None
    return str(found[0]), found[1]


class Syslog(SysLogHandler):
    """One datagram a line, to a socket that never waits."""

    def createSocket(self) -> None:  # noqa: N802 - the library's name
        """Connect; a log that is not there is tried again at the next line."""
        path = isinstance(self.address, str)
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        line = socket.socket(family, socket.SOCK_DGRAM)
        line.settimeout(0)
        try:
            line.connect(self.address)
        except OSError:
            line.close()
            self.socket = None
        else:
            self.socket = line

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line, or lose it."""
        if not self.put(record):
            metrics.syslog_lost.inc()

    def put(self, record: logging.LogRecord) -> bool:
        """Whether the line could be sent; a log that was started anew is found again at once."""
        priority = self.encodePriority(self.facility, self.mapPriority(record.levelname))
        line = f"<{priority}>{IDENT}{self.format(record)}".encode()
        for _ in range(2):
            if self.socket is None:
                self.createSocket()
            if self.socket is None:
                return False
            try:
                self.socket.send(line)
            except BlockingIOError:  # it does not keep up
                return False
            except OSError:
                self.socket.close()
                self.socket = None
            else:
                return True
        return False


class AuditTail:
    """Tells the system's log every row of the audit, in order, whoever wrote it, once it is committed.

    A row of PostgreSQL may become visible after one with a higher number, so what is told is what the look before saw.
    """

    def __init__(self, database: Database, to: Address) -> None:
        self._database, self._log = database, Syslog(to, SysLogHandler.LOG_AUTHPRIV)
        self._upto: int | None = None

    def __enter__(self) -> Self:
        """Ready to tell."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the socket back."""
        self._log.close()

    async def drain(self) -> None:
        """Tell what has come since."""
        newest = await self._database.read(audit.newest)
        upto, self._upto = self._upto, newest
        if upto is not None:
            while await self._database.run(lambda connection: self._tell(connection, upto), Lane.BULK):
                pass

    def _tell(self, connection: Connection, upto: int) -> bool:
        """Tell some of them; whether there may be more. Where nothing was told yet, the history is left alone."""
        told = county.fact(connection, _TOLD)
        if told is None:
            county.set_fact(connection, _TOLD, str(upto))
            return False
        last, rows = int(told), audit.between(connection, int(told), upto, AT_A_TIME)
        for row in rows:
            if not self._log.put(_record(row._asdict())):
                break
            last = row.id
        if last > int(told):
            county.set_fact(connection, _TOLD, str(last))
        return len(rows) == AT_A_TIME and last == rows[-1].id


def _record(row: dict[str, object]) -> logging.LogRecord:
    """A row as one line: numbers and codes; its note stays sealed."""
    line = json.dumps({"event": "audit", **row}, default=str)
    return logging.LogRecord("audit", logging.INFO, "", 0, line.replace("%", "%%"), None, None)
