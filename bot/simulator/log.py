"""What went over the wire, for people who look: pushes, calls and alarms, with secrets shortened."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from bot.simulator.clock import iso

if TYPE_CHECKING:
    from bot.simulator.changes import Changes
    from bot.simulator.clock import Clock
    from bot.simulator.jsons import Json

KEPT = 5000
SECRET = re.compile(r'((?:access_token|refresh_token|secret|appsecret|ticket_jsapi)"?\s*[=:]\s*"?)([\w.+/-]{7,})')
SHOWN = 6


def shorten(text: str) -> str:
    """The text with every token and secret cut to its first characters."""
    return SECRET.sub(lambda found: found[1] + found[2][:SHOWN] + "…", text)


class Log:
    """Numbered entries, the newest few thousand."""

    def __init__(self, clock: Clock, changes: Changes) -> None:
        """Entries carry the virtual time and wake whoever waits for changes."""
        self._clock, self._changes = clock, changes
        self._entries: deque[Json] = deque(maxlen=KEPT)
        self._last = 0

    def add(self, kind: str, **parts: object) -> None:
        """Append an entry; texts are shortened here so that no caller can forget it."""
        self._last += 1
        entry: Json = {"n": self._last, "at": iso(self._clock.now()), "kind": kind}
        entry.update({key: shorten(part) if isinstance(part, str) else part for key, part in parts.items()})
        self._entries.append(entry)
        self._changes.bump()

    def after(self, n: int) -> list[Json]:
        """Entries with a number above n, oldest first."""
        return [entry for entry in self._entries if int(str(entry["n"])) > n]

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()
