"""A mail server on this machine that takes what RFC 5321 asks of the smallest one, and keeps it."""

import asyncio
import base64
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

GO_AHEAD = "220 go ahead"


@dataclass
class MailServer:
    """Where it listens, and what came: (recipient, message)."""

    port: int = 0
    refuses: bool = False
    starttls: ssl.SSLContext | None = None
    """What it offers to go over to."""
    logins: list[str] = field(default_factory=list)
    came: list[tuple[str, EmailMessage]] = field(default_factory=list)

    def subjects(self, to: str) -> list[str]:
        """The subjects of what somebody got."""
        return [str(message["Subject"]) for whom, message in self.came if whom == to]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to: list[str] = []
        answer, plain = "220 here", True
        while True:
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            if answer == GO_AHEAD and self.starttls is not None:
                await writer.start_tls(self.starttls)
                plain, answer = False, ""
            line = (await reader.readuntil(b"\r\n")).decode().strip()
            match line.split(":")[0].upper().split():
                case ["EHLO", _]:
                    offers = "STARTTLS" if plain and self.starttls else "AUTH PLAIN"
                    answer = f"250-here\r\n250 {offers}"
                case ["STARTTLS"] if plain and self.starttls:
                    answer = GO_AHEAD
                case ["AUTH", "PLAIN", *_]:
                    self.logins.append(base64.b64decode(line.split()[2]).decode())
                    answer = "235 welcome"
                case ["RCPT", "TO"]:
                    to.append(line.partition("<")[2].partition(">")[0])
                    answer = "450 not now" if self.refuses else "250 ok"
                case ["DATA"]:
                    writer.write(b"354 go on\r\n")
                    body = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                    message = email.message_from_bytes(body, _class=EmailMessage, policy=email.policy.default)
                    self.came += [(whom, message) for whom in to]
                    to, answer = [], "250 kept"
                case ["QUIT"]:
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    answer = "250 ok"


@asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """A mail server that is gone when it is no longer used; `tls`: at once, `starttls`: when it is asked."""
    mails = MailServer(starttls=starttls)
    server = await asyncio.start_server(mails.serve, "127.0.0.1", ssl=tls)
    mails.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mails
