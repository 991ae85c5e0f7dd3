"""The folder of copies: full ones, and later ones that each complete a full one. A name says when and which."""

from dataclasses import dataclass
from datetime import UTC, datetime
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
