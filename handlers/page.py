"""What a page function gets and gives. It knows neither HTTP nor cookies; the answer is given after the commit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from handlers.turn import Refused, Turn
from handlers.workdays import CHINA, local_day

Fields = Mapping[str, str]
"""The parts of a page's address, or the fields of its form (or query)."""


@dataclass(frozen=True)
class Page:
    """Show `messages/pages/<name>.html`."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    uses_script: bool = False
    """Whether it needs the platform's script: the shell adds the value `sdk` (bot/jssdk.py)."""


@dataclass(frozen=True)
class Goto:
    """The act is done: show another page, with what the turn said."""

    path: str


@dataclass(frozen=True)
class Download:
    """Bytes as they are; `inline` ones may be shown inside a page."""

    content: bytes
    content_type: str
    filename: str
    inline: bool = False


Answer = Page | Goto | Download
Act = Callable[[Turn, Fields, Fields], Answer]
"""(turn, parts of the address, fields of the form or query) → what the person sees."""


@dataclass(frozen=True)
class Route:
    """One address. `twice` names the page to show when the same form comes a second time; None: nothing is changed."""

    method: str
    pattern: str
    act: Act
    twice: str | None = None


def words(form: Fields, name: str, limit: int, *, needed: bool = True) -> str | None:
    """What was typed into a field; refuses an empty one that is needed."""
    typed = form.get(name, "").replace("\r\n", "\n").strip()[:limit]
    if not typed and needed:
        raise Refused("pages/fill_in")
    return typed or None


def choice(form: Fields, name: str, codes: Collection[str]) -> str:
    """The code that was chosen; refuses any other."""
    chosen = form.get(name, "")
    if chosen not in codes:
        raise Refused("pages/fill_in")
    return chosen


def moment(turn: Turn, form: Fields, name: str) -> datetime | None:
    """A local time (2026-11-24T09:30) that was typed, if one was; refuses one to come."""
    typed = form.get(name, "")
    if not typed:
        return None
    try:
        told = datetime.fromisoformat(typed).replace(tzinfo=CHINA)
    except (ValueError, OverflowError):
        raise Refused("pages/fill_in") from None
    if told > turn.now:
        raise Refused("pages/not_yet")
    return told


def day(turn: Turn, form: Fields, name: str) -> date:
    """A day (2026-11-24) that was typed, today when none was; refuses one to come."""
    typed = form.get(name, "")
    try:
        told = date.fromisoformat(typed) if typed else local_day(turn.now)
    except ValueError:
        raise Refused("pages/fill_in") from None
    if told > local_day(turn.now):
        raise Refused("pages/not_yet")
    return told
