"""Which channel reaches a contact now: a customer-service message while a window is open, else a template message.

The bot never makes a call it can know will be refused; what is left of a window is counted here.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from storage import contacts
from storage.contacts import Talk
from storage.outbox import OutboxKind


class Channel(StrEnum):
    """How a message goes out; the passive reply is not among them, it is the answer itself."""

    CUSTOM = "custom"
    TEMPLATE = "template"


def choose(talk: Talk, content: dict[str, Any], now: datetime, purposes: frozenset[str]) -> Channel | None:
    """The channel for this content, or None when nothing reaches the person now."""
    if talk.unreachable_since is not None:
        return None
    if _short_open(talk, now) or _long_open(talk, now):
        return Channel.CUSTOM
    card = content.get("card")
    return Channel.TEMPLATE if card and card["purpose"] in purposes else None


def spend(connection: Connection, talk: Talk, kind: str, channel: Channel | None, now: datetime) -> bool:
    """Count the message against the window it uses, and note the push; whether it was the short one."""
    if channel is None:
        return False
    is_short = _short_open(talk, now)
    if channel == Channel.CUSTOM and is_short:
        talk.short_left -= 1
    elif channel == Channel.CUSTOM:
        talk.window_left -= 1
    if kind != OutboxKind.REPLY:
        talk.pushed_at = now
    contacts.keep(connection, talk)
    return is_short


def _short_open(talk: Talk, now: datetime) -> bool:
    return talk.short_left > 0 and talk.short_until is not None and talk.short_until > now


def _long_open(talk: Talk, now: datetime) -> bool:
    return talk.window_left > 0 and talk.window_until is not None and talk.window_until > now
