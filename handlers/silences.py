"""After a time in which nothing ran: every supervisor is told from when to when, once, and their digest says it too.

What fell due meanwhile is done late and says so by itself; but what people wrote meanwhile WeChat refused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from handlers.policy import Policy
from handlers.turn import Card, Turn
from handlers.workdays import in_window, local_day
from messages import render
from storage import areas, outbox, people, silences
from storage.outbox import OutboxKind, OutboxState
from storage.people import Role

SUPERVISORS = (Role.COUNTY_SUPERVISOR, Role.TOWNSHIP_CHILD_SUPERVISOR)
DAY = timedelta(days=1)


def is_one(policy: Policy, since: datetime | None, now: datetime) -> bool:
    """Whether a time without a sign of life is worth telling; never when the county set 0 minutes."""
    longest = timedelta(minutes=policy.system_silent_minutes)
    return bool(longest) and since is not None and now - since > longest


def tell(turn: Turn, since: datetime) -> None:
    """Tell the supervisors, inside the county's hours."""
    county = areas.county(turn.session)
    if county is None:
        return
    found = {
        person.id for role in SUPERVISORS for person in people.holders_below(turn.session, role, county.path, turn.now)
    }
    reached = [contact for one in sorted(found) if (contact := people.reachable(turn.session, one)) is not None]
    text = render("silences/notice", **values(since, turn.now))
    what = render("silences/card", **values(since, turn.now))
    for contact_id in reached:
        outbox.add(
            turn.connection, contact_id=contact_id, kind=OutboxKind.NOTICE, state=OutboxState.QUEUED,
            content={"text": text, "card": _card(what, turn.now)}, now=turn.now,
            next_at=in_window(turn.policy, turn.now),
        )  # fmt: skip


def of_day(turn: Turn, moment: datetime) -> Sequence[dict[str, Any]]:
    """The silences of the 24 hours before a moment, as values of a text."""
    return [values(one.since, one.until) for one in silences.between(turn.connection, moment - DAY, moment)]


def values(since: datetime, until: datetime) -> dict[str, Any]:
    """How a text names a silence."""
    minutes = (until - since) // timedelta(minutes=1)
    return {"since": since, "until": until, "minutes": minutes, "hours": minutes // 60}


def _card(what: str, now: datetime) -> dict[str, Any]:
    card = Card("notice", {"what": what}, f"/m/digest/{local_day(now)}")
    return {"purpose": card.purpose, "values": dict(card.values), "path": card.path}
