"""Which alarms of the watchdog stand, who still has to be told of them, and the file that outlives a restart."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.settings_watch import Watchdog
from bot.watch import Look


@dataclass
class Standing:
    """One alarm, from the first look that found it until everybody has its all-clear."""

    since: datetime
    figure: int = 0
    round: int = 0
    """How many times people were told; 0 while it may still pass by itself."""
    told_at: datetime | None = None
    """When the last of these rounds began."""
    gone_at: datetime | None = None
    """When it was no longer found."""
    over: bool = False
    """Whether what is told is the all-clear."""
    owed: list[str] = field(default_factory=list)
    """Ways to people that have not been told yet."""


@dataclass
class State:
    """What the watchdog remembers; nothing of it names anybody."""

    heard_at: datetime
    standing: dict[str, Standing] = field(default_factory=dict)


def step(state: State, seen: Look, now: datetime, rules: Watchdog, ways: Sequence[str]) -> None:
    """Take in what a look found: what begins, lasts, and ends, and who is to be told."""
    state.heard_at = seen.heard_at
    for alarm, figure in seen.found.items():
        one = state.standing.get(alarm)
        if one is None or one.over:
            one = state.standing[alarm] = Standing(now)
        one.figure, one.gone_at = figure or int((now - one.since).total_seconds() // 60), None
        patience = timedelta(minutes=rules.down_minutes if alarm == "not_answering" else 0)
        if one.told_at is None:
            begins = now - one.since >= patience
        else:
            begins = now - one.told_at >= timedelta(minutes=rules.repeat_minutes)
        if begins:
            one.round, one.told_at, one.owed = one.round + 1, now, list(ways)
    for alarm in [*state.standing.keys() - seen.found.keys() - seen.unknown]:
        _end(state, alarm, now, rules, ways)


def _end(state: State, alarm: str, now: datetime, rules: Watchdog, ways: Sequence[str]) -> None:
    """It is not found any more; whoever was told of it gets the all-clear once that has lasted for a while."""
    one = state.standing[alarm]
    one.gone_at = one.gone_at or now
    if not one.over and (not one.round or now - one.gone_at >= timedelta(minutes=rules.calm_minutes)):
        never_told = one.owed if one.round == 1 else ways if not one.round else ()
        one.over, one.owed = True, [way for way in ways if way not in never_told]
    if one.over and not one.owed:
        del state.standing[alarm]


def settled(state: State, alarm: str, way: str) -> None:
    """Somebody was told by this way."""
    one = state.standing[alarm]
    one.owed.remove(way)
    if one.over and not one.owed:
        del state.standing[alarm]


def read(path: Path, now: datetime) -> State:
    """What was remembered; a fresh state when there is none, or none that can be read."""
    try:
        told = json.loads(path.read_text(encoding="ascii"))
        standing = {str(alarm): _standing(one) for alarm, one in told["standing"].items()}
        return State(datetime.fromisoformat(told["heard_at"]), standing)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return State(now)


def _standing(told: dict[str, Any]) -> Standing:
    times = {
        name: datetime.fromisoformat(told[name]) for name in ("since", "told_at", "gone_at") if told[name] is not None
    }
    return Standing(**(told | times))


def write(path: Path, state: State) -> None:
    """Put it in place of the file at once and on the disk; raises OSError.

    On a full disk, where there is no room beside it, over the file that is there: else people would be told anew at
    every look.
    """
    text = json.dumps(asdict(state), default=datetime.isoformat, indent=1)
    aside = path.with_name(f"{path.name}.new")
    try:
        _put(aside, text, "w")
        aside.replace(path)
    except OSError:
        _put(path, text, "r+")


def _put(path: Path, text: str, mode: str) -> None:
    with path.open(mode, encoding="ascii") as file:
        file.write(text)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
