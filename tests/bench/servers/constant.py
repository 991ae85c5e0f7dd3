"""Shows how fast the load generator is by itself."""

import asyncio

from tests.bench import account
from tests.bench.servers.answering import Answering, serve

if __name__ == "__main__":
    asyncio.run(serve(Answering, account.port()))
