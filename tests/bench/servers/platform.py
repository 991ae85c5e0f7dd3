"""A platform that accepts everything at once, so that only the bot's own work is measured."""

import asyncio
import os
from itertools import count

from tests.bench import account
from tests.bench.servers.answering import Answering, serve

_numbers = count(1)


class Accepting(Answering):
    """Every call succeeds; a token, a message id and nothing else is ever asked for."""

    content_type = b"application/json"

    def body(self) -> bytes:
        """The platform's answer to any call."""
        return b'{"errcode":0,"errmsg":"ok","msgid":%d,"access_token":"token","expires_in":7200}' % next(_numbers)


if __name__ == "__main__":
    Accepting.latency = float(os.environ.get("LATENCY", "0"))
    asyncio.run(serve(Accepting, account.port()))
