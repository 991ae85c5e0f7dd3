"""Due work as the worker does it: claim, prompt rows and next dates, one short transaction after the other."""

import argparse
import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

from bot import turns
from bot.engine import Lane, open_database
from bot.worker import BATCH
from storage import sealing
from tests.bench.county import POLICY
from tests.bench.process import get_ready


async def sweep(url: str, seconds: float) -> dict[str, float]:
    """Do what is due until nothing is, at most for so long: how many tasks, in how many seconds."""
    database = open_database(url)
    await database.run(lambda connection: connection.exec_driver_sql("SELECT 1"))
    get_ready()
    done, began = 0, monotonic()
    while monotonic() - began < seconds:
        work = partial(turns.run_due, now=datetime.now(UTC), policy=POLICY, limit=BATCH)
        count = await database.run(work, Lane.DUE)
        if not count:
            break
        done += count
    took = monotonic() - began
    database.close()
    return {"done": done, "seconds": took}


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("url")
    options.add_argument("keys", type=Path)
    options.add_argument("seconds", type=float)
    wanted = options.parse_args()
    sealing.use(sealing.read_key_file(wanted.keys))
    print(json.dumps(asyncio.run(sweep(wanted.url, wanted.seconds))))  # noqa: T201 - this is its answer
