"""Whether a database is at this version. Without alembic, which takes 15 MB that a running bot has no other use for."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_REVISION: Final = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_BEFORE: Final = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)


def heads() -> set[str]:
    """The revisions that no other one follows; one, or the migrations are wrong."""
    written = "\n".join(path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py"))
    return set(_REVISION.findall(written)) - set(_BEFORE.findall(written))


def is_current(connection: Connection) -> bool:
    """Whether the database is exactly at this version."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()) == heads()
