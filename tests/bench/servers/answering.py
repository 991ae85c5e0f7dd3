"""A server that answers every request with the same bytes: nothing in Python under asyncio is cheaper."""

import asyncio
from typing import ClassVar


class Answering(asyncio.Protocol):
    """One connection."""

    content_type: ClassVar[bytes] = b"text/plain"
    latency: ClassVar[float] = 0.0
    """Seconds before each answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.came = transport, b""

    def data_received(self, data: bytes) -> None:
        self.came += data
        while (end := self.came.find(b"\r\n\r\n")) >= 0:
            head = self.came[:end].lower()
            _, _, length = head.partition(b"content-length:")
            end += 4 + int(length.partition(b"\r")[0] or 0)
            if len(self.came) < end:
                return
            self.came = self.came[end:]
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        body = self.body()
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (self.content_type, len(body), body)
        )

    def body(self) -> bytes:
        """What is answered."""
        return b"MsgSignature"


async def serve(kind: type[Answering], port: int) -> None:
    """Answer on `port` until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()
