"""Makes one copy into the folder, or holds a drill: as a program of its own: the bot loses neither time nor memory.

    python -m bot.copying copy < job        the job is JSON, and so is the answer

What the bot gives it holds the database's address and the name of the key file; nothing of that is on a command line.
"""

import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from bot import faults
from bot.copies import LATER, Copy, alone_in, copies_in, name_of, thin
from bot.copy_jobs import Answer, DrillJob, Job
from bot.logs import place
from storage import backup, copied, drill, migrate, sealing
from storage.database import connect, is_sqlite
from storage.frames import PART, Damaged

LEAST_PRIORITY = 19
DRILL_LOCK = ".drill.lock"
GROWN = 0.5
"""A later copy that has grown to this part of its full copy is the last one that completes it."""


SMALL = 1_000_000
"""Bytes of a later copy that are always worth less than a full one."""
HALF = 3600
"""Seconds without a byte after which a copy that is not whole never will be."""


def copy(job: Job) -> Answer:
    """Make the next copy, unless another process does, and remove what need not be kept any more."""
    now, folder = datetime.fromisoformat(job.now), Path(job.folder)
    sealing.use(sealing.read_key_file(Path(job.keys)))
    engine = connect(job.url, read_only=True)
    try:
        with alone_in(folder) as mine, _alone_on(engine) as ours:
            if not (mine and ours) or _is_fresh(engine, now, job):
                return Answer()
            _remove_halves(folder)
            base = _base(copies_in(folder), now, timedelta(hours=job.full_every_hours))
            path = folder / (name_of(now) if base is None else name_of(now, LATER))
            made = backup.write(engine, path, now, base, closing=partial(faults.reach, "copy_before_name"))
            thin(folder, now, timedelta(hours=job.keep_all_hours), job.keep_days)
            return Answer(path.name, made.bytes, sum(made.rows.values()))
    finally:
        engine.dispose()


def hold_drill(job: DrillJob) -> Answer:
    """Restore the newest copy into a file that is removed again; raises Failed."""
    folder, ring = Path(job.folder), sealing.read_key_file(Path(job.keys))
    copies = copies_in(folder)
    if not copies:
        raise drill.Failed("there is no copy")
    with alone_in(folder, DRILL_LOCK) as mine:
        if not mine:
            return Answer()
        held = drill.hold(copies[-1].path, ring, datetime.fromisoformat(job.now), getpass.getuser())
    return Answer(copies[-1].path.name, copies[-1].path.stat().st_size, held.rows)


def _remove_halves(folder: Path) -> None:
    """What was interrupted: whoever still writes a file has just written to it."""
    for half in folder.glob(f"tongban-*{PART}"):
        if time.time() - half.stat().st_mtime > HALF:
            half.unlink()


def _base(copies: list[Copy], now: datetime, lasts: timedelta) -> backup.Base | None:
    """The full copy to complete; None when it is time for a new one, or the last one cannot be read."""
    full = next((one for one in reversed(copies) if one.is_full), None)
    if full is None or not full.made <= now < full.made + lasts:
        return None
    last = copies[-1]
    if last is not full and last.path.stat().st_size > max(GROWN * full.path.stat().st_size, SMALL):
        return None
    try:
        base = backup.base_of(full.path, sealing.ring())
    except (Damaged, sealing.SealError):
        return None
    return base if base.revision == migrate.newest() else None


def _is_fresh(engine: Engine, now: datetime, job: Job) -> bool:
    with engine.connect() as connection:
        last = copied.last(connection)
    return last is not None and timedelta() <= now - last.made < 0.8 * timedelta(minutes=job.every_minutes)


@contextmanager
def _alone_on(engine: Engine) -> Iterator[bool]:
    """Whether no other process copies this database, on whatever machine; until the end of the block."""
    with engine.connect() as connection:
        if is_sqlite(connection):  # one process per file, and `alone_in` for the folder
            yield True
            return
        lock = func.hashtext("tongban copies")
        yield bool(connection.execute(select(func.pg_try_advisory_lock(lock))).scalar())


DOES: dict[str, Callable[[Any], Answer]] = {
    "copy": lambda told: copy(Job(**told)),
    "drill": lambda told: hold_drill(DrillJob(**told)),
}


def main() -> None:
    """Read the job, do it, say what came of it."""
    [what] = sys.argv[1:]
    os.nice(LEAST_PRIORITY)
    faults.arm(os.environ)
    try:
        answer = DOES[what](json.load(sys.stdin))
    except drill.Failed as error:
        sys.stderr.write(str(error))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the bot tells the operator; the text of an error may hold an address
        sys.stderr.write(place(error))
        sys.exit(1)
    json.dump(asdict(answer), sys.stdout)


if __name__ == "__main__":
    main()
