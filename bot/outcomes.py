"""What follows from one try to send: done, again later, another way, or given up and somebody is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from bot.channels import Channel
from bot.errcodes import Reaction
from bot.planning import Plan, give_back, may_say_again
from bot.turns import guarded
from handlers import routes
from handlers.policy import Policy
from handlers.turn import Turn
from storage import contacts, outbox
from storage.outbox import NO_ANSWER, OutboxKind, OutboxState

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=20), timedelta(minutes=30)
"""Doubled with every try."""
_TRIES: dict[Reaction | None, int] = {
    Reaction.RETRY_LATER: 50,  # about a day of a platform that is busy or not there
    Reaction.CONFIG: 340,  # a week in which an operator can put it right
    Reaction.REFRESH: 340,  # a token that stays bad though it was renewed is the same
}
MOST_UNANSWERED = 10
"""Tries of an alarm of which none was answered, before it is given up: the ladder goes on by itself."""
_DAILY_QUOTA = 45009


@dataclass(frozen=True)
class Outcome:
    """How one try ended."""

    state: OutboxState
    """Accepted, refused, unknown, or undeliverable when there was no way to try."""
    code: int | None = None
    reaction: Reaction | None = None
    job_id: str | None = None


def record(connection: Connection, plan: Plan, outcome: Outcome, now: datetime, policy: Policy) -> None:
    """Write one try down, with what follows from it."""
    settle = partial(outbox.settle, connection, plan.id, now=now, channel=plan.channel, code=outcome.code)
    again = partial(settle, OutboxState.QUEUED, code=NO_ANSWER if plan.is_doubtful else outcome.code)
    reaction = _reaction(plan, outcome)
    if outcome.state == OutboxState.ACCEPTED:
        settle(OutboxState.ACCEPTED, job_id=outcome.job_id)
    elif outcome.state == OutboxState.UNKNOWN and _may_try_again(plan):
        settle(OutboxState.QUEUED, code=NO_ANSWER, next_at=now + FIRST_WAIT)
    elif outcome.state == OutboxState.UNKNOWN:
        settle(OutboxState.UNKNOWN)
        if plan.kind == OutboxKind.ALARM:
            _tell(connection, plan, now, policy)
    elif plan.attempts + 1 < _TRIES.get(reaction, 0):
        give_back(connection, plan, now)
        again(next_at=now + _wait(plan))
    elif reaction == Reaction.OTHER_CHANNEL and plan.channel == Channel.CUSTOM:
        contacts.shut_windows(connection, plan.contact_id)  # the platform knows better than our count
        again(next_at=now)
    else:
        settle(outcome.state)
        if reaction in {Reaction.CONTACT_GONE, Reaction.OTHER_CHANNEL}:
            contacts.unreachable(connection, plan.contact_id, now)
        _tell(connection, plan, now, policy)


def _reaction(plan: Plan, outcome: Outcome) -> Reaction | None:
    """A used-up quota is no fault of this person: what may not use the other channel waits for the next day."""
    if outcome.code == _DAILY_QUOTA and not (plan.channel == Channel.CUSTOM and plan.content.get("card")):
        return Reaction.CONFIG
    return outcome.reaction


def _may_try_again(plan: Plan) -> bool:
    return may_say_again(plan.kind, is_doubtful=plan.is_doubtful) and plan.attempts + 1 < MOST_UNANSWERED


def _wait(plan: Plan) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2 ** min(plan.attempts, 10)
    return min(doubled, LONGEST_WAIT)


def _tell(connection: Connection, plan: Plan, now: datetime, policy: Policy) -> None:
    """Words that did not arrive are somebody's matter: alarms climb at once, the rest is listed.

    Should that fail, the outcome itself stays written down: the same words must not be sent again and again.
    """
    turn = Turn(connection, now, policy)
    error = guarded(turn, lambda: routes.undelivered(turn, plan.contact_id, plan.kind))
    if error is not None:
        log.error("undelivered_not_told", outbox=plan.id, error=error)
