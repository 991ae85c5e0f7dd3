"""One process per SQLite file."""

import fcntl
import os
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from bot.settings_errors import SettingsError


class alone_on:  # noqa: N801 - reads as a word where it is used
    """One process per SQLite file: a lock beside it; PostgreSQL needs none."""

    def __init__(self, url: str) -> None:
        made = make_url(url)
        path = made.database if made.get_backend_name() == "sqlite" else None
        self._path = Path(f"{path}.lock") if path and path != ":memory:" else None
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        """Take the lock, or say who has it."""
        if self._path is None:
            return
        self._file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise SettingsError("Another tongban process already runs on this database file.") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(self, *_exc: object) -> None:
        """Let go of the lock."""
        if self._file is not None:
            self._file.close()
