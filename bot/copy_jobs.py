"""What the bot asks of the process that makes copies (`bot.copying`), and what it answers: both are JSON."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """What the bot asks for."""

    url: str
    keys: str
    folder: str
    now: str
    every_minutes: float
    full_every_hours: float
    keep_all_hours: float
    keep_days: int


@dataclass(frozen=True)
class DrillJob:
    """What the bot asks for weekly."""

    keys: str
    folder: str
    now: str


@dataclass(frozen=True)
class Answer:
    """What came of it; without a file somebody else is doing it, or did it just now."""

    file: str | None = None
    bytes: int = 0
    rows: int = 0
