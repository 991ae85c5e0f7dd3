"""What follows from one try to send: done, again later, another way, or given up and somebody is told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from bot import backoff, telling
from bot.channels import BY_TELEPHONE, Channel, Offer
from bot.errcodes import Reaction
from bot.planning import Plan, elsewhere, give_back, may_say_again
from handlers.policy import Policy
from handlers.workdays import local_day
from storage import contacts, county, optins, outbox
from storage.outbox import NO_ANSWER, OutboxKind, OutboxState

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=20), timedelta(minutes=30)
"""Doubled with every try, up to a fifth less."""
_TRIES: dict[Reaction | None, int] = {
    Reaction.RETRY_LATER: 50,  # about a day of a platform that is busy or not there
    Reaction.CONFIG: 340,  # a week in which an operator can put it right
    Reaction.REFRESH: 340,  # a token that stays bad though it was renewed is the same
}
LISTED_AT = 6
"""The try, ten minutes after the first, after which the county hears that somebody is not reached (within 15)."""
MOST_UNANSWERED = 10
"""Tries of an alarm of which none was answered, before it is given up: the ladder goes on by itself."""
_DAILY_QUOTA = 45009


Settle = Callable[..., None]
"""Records the state of the row at hand."""


@dataclass(frozen=True)
class Outcome:
    """How one try ended."""

    state: OutboxState
    """Accepted, refused, unknown, or undeliverable when there was no way to try."""
    code: int | None = None
    reaction: Reaction | None = None
    job_id: str | None = None


def record(connection: Connection, plan: Plan, outcome: Outcome, now: datetime, offer: Offer) -> None:
    """Write one try down, with what follows from it."""
    settle = partial(outbox.settle, connection, plan.id, now=now, channel=plan.channel, code=outcome.code)
    if outcome.code != _DAILY_QUOTA:
        _note_shut(connection, plan, outcome.reaction, now)
    if outcome.state == OutboxState.ACCEPTED:
        settle(OutboxState.ACCEPTED, job_id=outcome.job_id)
    elif "media" in plan.content:  # it goes with words that were said: nobody misses it, and later it would only puzzle
        if outcome.state == OutboxState.REFUSED:
            give_back(connection, plan, now)
        settle(OutboxState.CANCELLED)
    elif outcome.code == _DAILY_QUOTA and plan.channel is not None:
        _use_up(connection, plan.channel, now, offer)
        give_back(connection, plan, now)
        settle(OutboxState.QUEUED, next_at=now)  # planned anew: another channel, or the next day
    elif outcome.state == OutboxState.UNKNOWN:
        _unanswered(connection, plan, settle, now, offer)
    else:
        _refused(connection, plan, outcome, settle, now, offer)


def _unanswered(connection: Connection, plan: Plan, settle: Settle, now: datetime, offer: Offer) -> None:
    """It may have been said or not."""
    again = partial(settle, OutboxState.QUEUED, code=NO_ANSWER)
    by_telephone = plan.channel in BY_TELEPHONE
    if plan.notice is not None and _may_try_again(plan):
        give_back(connection, plan, now)  # if it was said, a one-time notice is refused, which is no double
    if not _may_try_again(plan):
        _give_up(plan, settle, OutboxState.UNKNOWN)
        if plan.kind == OutboxKind.ALARM or by_telephone:
            _tell(connection, plan, now, offer.policy, gone=not by_telephone)
    elif plan.attempts + 1 >= _patience(plan, None) and elsewhere(connection, plan, now, offer, for_good=False):
        again(next_at=now)
    else:
        again(next_at=now + (_wait(plan) if by_telephone else FIRST_WAIT))


def _refused(connection: Connection, plan: Plan, outcome: Outcome, settle: Settle, now: datetime, offer: Offer) -> None:
    """It was not said: another channel, again later, or given up and somebody is told."""
    again = partial(settle, OutboxState.QUEUED, code=NO_ANSWER if plan.is_doubtful else outcome.code)
    reaction = outcome.reaction
    passes = reaction in _TRIES
    if passes or (plan.notice is not None and reaction == Reaction.BUG):
        give_back(connection, plan, now)
    if plan.attempts + 1 >= _patience(plan, reaction) and elsewhere(connection, plan, now, offer, for_good=not passes):
        again(next_at=now)
    elif plan.attempts + 1 < _TRIES.get(reaction, 0):
        again(next_at=now + _wait(plan))
        if plan.attempts + 1 >= LISTED_AT:
            _tell(connection, plan, now, offer.policy, gone=False)
    else:
        _give_up(plan, settle, outcome.state)
        _tell(connection, plan, now, offer.policy, gone=reaction != Reaction.BUG)


def _give_up(plan: Plan, settle: Settle, state: OutboxState) -> None:
    """Nothing more is tried; what was only said besides is nobody's loss."""
    settle(OutboxState.CANCELLED if plan.content.get("besides") else state)


def _use_up(connection: Connection, channel: Channel, now: datetime, offer: Offer) -> None:
    """The platform says that the day's quota is spent, whatever we counted."""
    county.add_sent(connection, local_day(now), {channel: offer.limits[channel]})


def _note_shut(connection: Connection, plan: Plan, reaction: Reaction | None, now: datetime) -> None:
    """What a refusal says about the person, whatever becomes of these words."""
    if plan.channel in BY_TELEPHONE:
        if reaction == Reaction.CONTACT_GONE and plan.is_telephone_only:
            contacts.unreachable(connection, plan.contact_id, now)
    elif reaction == Reaction.OTHER_CHANNEL and plan.notice is not None:
        optins.none_left(connection, plan.contact_id, plan.notice)
    elif reaction == Reaction.CONTACT_GONE or (reaction == Reaction.OTHER_CHANNEL and plan.channel != Channel.CUSTOM):
        contacts.unreachable(connection, plan.contact_id, now)
    elif reaction == Reaction.OTHER_CHANNEL:
        contacts.shut_windows(connection, plan.contact_id)  # the platform knows better than our count


def _patience(plan: Plan, reaction: Reaction | None) -> int:
    """Tries on one channel before another one is looked for: an alarm looks almost at once."""
    if reaction in {None, Reaction.RETRY_LATER}:
        return 2 if plan.kind == OutboxKind.ALARM else LISTED_AT
    if reaction in {Reaction.CONFIG, Reaction.REFRESH}:
        return 1 if plan.kind == OutboxKind.ALARM else LISTED_AT
    return 1


def _may_try_again(plan: Plan) -> bool:
    if plan.channel in BY_TELEPHONE:  # the gateway does the same id once
        return plan.attempts + 1 < MOST_UNANSWERED
    return may_say_again(plan.kind, is_doubtful=plan.is_doubtful) and plan.attempts + 1 < MOST_UNANSWERED


def _wait(plan: Plan) -> timedelta:
    return backoff.wait(FIRST_WAIT, LONGEST_WAIT, plan.attempts, plan.id)


def _tell(connection: Connection, plan: Plan, now: datetime, policy: Policy, *, gone: bool) -> None:
    telling.tell(connection, plan.id, plan.contact_id, plan.kind, plan.content, now=now, policy=policy, gone=gone)
