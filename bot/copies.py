"""The folder of copies: full ones, and later ones that each complete a full one. A name says when and which."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

FULL, LATER = ".full", ".later"
_FORM: Final = "tongban-%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, order=True)
class Copy:
    """A whole copy in the folder."""

    made: datetime
    path: Path

    @property
    def is_full(self) -> bool:
        """Whether it needs no other."""
        return self.path.suffix == FULL


def name_of(made: datetime, ending: str = FULL) -> str:
    """The name of a copy that is made at this moment."""
    return made.astimezone(UTC).strftime(_FORM) + ending


def copies_in(folder: Path) -> list[Copy]:
    """Every whole copy, oldest first; what is not whole has another name."""
    found = []
    for path in folder.iterdir():
        if path.suffix in {FULL, LATER}:
            try:
                found.append(Copy(datetime.strptime(path.stem, _FORM).replace(tzinfo=UTC), path))
            except ValueError:
                continue  # somebody else's file
    return sorted(found)


@contextmanager
def alone_in(folder: Path, name: str = ".lock") -> Iterator[bool]:
    """Whether no other process makes the copies in this folder, until the end of the block."""
    with (folder / name).open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def thin(folder: Path, now: datetime, all_for: timedelta, days: int) -> None:
    """Remove what need not be kept: all are kept for a while, then one of each day, a full one where there is one."""
    copies = copies_in(folder)
    kept = {one for one in copies if one.made > now - all_for}
    daily: dict[date, Copy] = {}
    for one in copies:
        before = daily.get(one.made.date())
        if before is None or one.is_full or not before.is_full:
            daily[one.made.date()] = one
    kept |= {one for one in daily.values() if one.made > now - timedelta(days=days)}
    kept |= {full for one in kept if not one.is_full and (full := _completed_by(one, copies)) is not None}
    for one in reversed(copies):  # a later copy goes before the full one that it needs
        if one not in kept:
            one.path.unlink()


def _completed_by(later: Copy, copies: list[Copy]) -> Copy | None:
    """The full copy that a later one needs: the newest before it."""
    return next((one for one in reversed(copies) if one.is_full and one.made < later.made), None)
