"""Migrations: bring a database to this version's tables. Whether it is there tells `storage.version`.

For whoever changes a table: `python -m storage.migrate new "what changed"` writes the next revision from the
difference between the migrations and the tables.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, DateTime, LargeBinary, TypeDecorator, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.database import alone, connect, is_sqlite
from storage.tables import METADATA
from storage.version import MIGRATIONS

_WRONG_USE: Final = 2


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to this version, or to a named revision; harmless where it is there already."""
    with _writing(url) as (connection, config):
        alone(connection, "migrate")  # several processes may start at once; the first one migrates
        command.upgrade(config, revision)


@contextmanager
def in_one(url: str, *, for_nobody_yet: bool = False) -> Iterator[tuple[Connection, Callable[[str], None]]]:
    """One transaction, and what brings its database to a revision within it: all of it is kept, or nothing.

    `for_nobody_yet`: an SQLite file that is worth nothing before it is whole, so nothing has to survive in between.
    """
    with _writing(url, for_nobody_yet=for_nobody_yet) as (connection, config):
        alone(connection, "migrate")
        yield connection, partial(command.upgrade, config)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to a revision (`base`: nothing is left)."""
    with _writing(url) as (connection, config):
        alone(connection, "migrate")
        command.downgrade(config, revision)


def newest() -> str:
    """The revision of this version."""
    return str(_scripts().get_current_head())


def knows(revision: str) -> bool:
    """Whether this version has that revision, or a later one."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def difference(connection: Connection) -> list[Any]:
    """What separates the database from the tables, in alembic's terms; empty when they are equal."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA))


def new(message: str) -> Path:
    """Write a revision from the difference between the migrations so far and the tables; its file."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/new.db"
        upgrade(url)
        with _writing(url) as (_, config):
            number = f"{len(list(_scripts().walk_revisions())) + 1:04d}"
            written = command.revision(config, message, autogenerate=True, rev_id=number)
    if not isinstance(written, Script):
        raise TypeError("alembic wrote no revision")
    return Path(written.path)


def render(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """How a revision names our column types: as plain ones, since it must stay true when our code moves on."""
    if kind == "type" and isinstance(item, TypeDecorator):
        context.imports.add("import sqlalchemy as sa")
        if isinstance(item.impl, DateTime):
            return "sa.DateTime(timezone=True)"
        if isinstance(item.impl, LargeBinary):
            return "sa.LargeBinary()"
    return False


def main(arguments: list[str]) -> int:
    """The commands of whoever changes a table; an exit code."""
    match arguments:
        case ["new", message]:
            path = new(message)
        case _:
            sys.stderr.write('Use: python -m storage.migrate new "what changed"\n')
            return _WRONG_USE
    sys.stdout.write(f"{path}\n")
    return 0


@contextmanager
def _writing(url: str, *, for_nobody_yet: bool = False) -> Iterator[tuple[Connection, Config]]:
    """A transaction around a whole run of migrations, and the settings that hand it to them."""
    engine = connect(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _without_foreign_keys)
        if for_nobody_yet:
            event.listen(engine, "connect", _without_durability)
    try:
        with engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            yield connection, config
            if is_sqlite(connection) and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise IntegrityError("migration", None, ValueError(f"rows point nowhere: {broken[:5]}"))
    finally:
        engine.dispose()


def _without_foreign_keys(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """SQLite changes a table by making it anew; what points at it must bear that, and is checked at the end."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _without_durability(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=MEMORY", "synchronous=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _config() -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    for name, value in {
        "hooks": "style, order",
        "style.type": "module",
        "style.module": "ruff",
        "style.options": "format --quiet REVISION_SCRIPT_FILENAME",
        "order.type": "module",
        "order.module": "ruff",
        "order.options": "check --quiet --fix REVISION_SCRIPT_FILENAME",
    }.items():
        config.set_section_option("post_write_hooks", name, value)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
