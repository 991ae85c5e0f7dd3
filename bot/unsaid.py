"""What an account that may only answer could not say yet: it waits in the outbox for the person's next message.

A reply that came too late, and what was cut off a long one. Whatever the person writes next is answered first; then
comes what waited, oldest first, as far as one message reaches (docs/decisions/0014).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection

from bot.replies import clean, split
from messages import render
from storage import unsaid
from storage.outbox import OutboxState

LISTED_AFTER = timedelta(hours=24)
"""Words that nobody came for are listed then (`tongban check`), and are still said if the person writes after all."""
KEPT_FOR = timedelta(days=7)
"""Older words would only puzzle."""
BEING_NOTED = timedelta(seconds=3)
"""A reply that is younger may have been given just now."""


def waiting_for(connection: Connection, contact_id: int, now: datetime) -> list[Any]:
    """The replies that this contact has not read, oldest first; those that are just being answered are among them."""
    rows = unsaid.replies(connection, contact_id, now - KEPT_FOR)
    return [row for row in rows if row.content and "media" not in row.content]


def seen_since(rows: Sequence[Any], arrived_at: datetime) -> datetime:
    """Since when nothing we said is on this screen: no later than the oldest reply of which nothing was shown."""

    def is_unseen(row: Any) -> bool:  # noqa: ANN401 - a row
        return "rest" not in row.content and (
            row.state != OutboxState.PASSIVE or arrived_at - row.created_at > BEING_NOTED
        )

    times: list[datetime] = [row.created_at for row in rows if is_unseen(row)]
    return min([arrived_at, *times])


def ready(rows: Sequence[Any], now: datetime, *, reads_on: bool) -> list[Any]:
    """Those that may be said now: none after a reply that the next delivery of its own message may still fetch.

    `reads_on`: the person has that reply before them, though nobody noted that it was given.
    """

    def is_free(row: Any) -> bool:  # noqa: ANN401 - a row
        return bool(row.state != OutboxState.PASSIVE or row.next_at <= now)

    return list(filter(is_free, rows) if reads_on else takewhile(is_free, rows))


def take(connection: Connection, rows: Sequence[Any]) -> tuple[list[str], datetime | None]:
    """Take these out of the queue, to be said in another reply: their words, and when the first must be erased.

    What the turn itself took back, because the person is nobody here any more, is not said.
    """
    still = unsaid.carry(connection, [row.id for row in rows])
    taken = [row for row in rows if row.id in still]
    words = [row.content["text"].removesuffix(_hint()) for row in taken]
    return words, min((row.erase_at for row in taken if row.erase_at is not None), default=None)


def pieces(own: Sequence[str], before: Sequence[str]) -> list[str]:
    """What is answered now, and what then waits (uncut: nobody knows beside what it will be said)."""
    parts = [*own, *([render("common/from_before")] if own and before else []), *before]
    first, rest = split(clean("\n\n".join(parts)).strip())
    return [first + _hint(), rest] if rest else [first] if first else []


def _hint() -> str:
    """The line that says how to see the rest. It fits beside the longest piece: 1,800 of 2,048 bytes."""
    return "\n\n" + render("common/more")
