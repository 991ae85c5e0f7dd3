"""Which messages go out now, and how: leases what is due and chooses a channel for each, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot import unsaid
from bot.channels import BY_TELEPHONE, Channel, Offer, choose, spend
from bot.replies import cut
from bot.telling import tell
from bot.turns import SHORT_MESSAGES, WINDOW_MESSAGES
from handlers.conversation import is_answered
from handlers.prompts import still_true, waits_until
from handlers.workdays import local_day, next_midnight
from storage import contacts, county, optins, outbox, people, tasks
from storage.contacts import Talk
from storage.database import is_sqlite
from storage.outbox import NO_ANSWER, SAID_ONCE, OutboxKind, OutboxState

BATCH = 50
"""Messages of one round; all are sent at once, each person's one after the other."""
HELD_FOR = timedelta(minutes=1)
"""How long nothing is sent by a channel that the platform refuses for a reason of the account's."""
TOLD_AFTER = timedelta(minutes=10)
"""Words that still wait then are somebody's matter (the county hears of it within a quarter of an hour)."""
RINGS_FOR = timedelta(hours=2)
"""After that an SMS or call of a ladder is not made up for: the ladder's end rings every half hour by itself."""


@dataclass(frozen=True)
class Plan:
    """One message with the channel that was chosen for it; None: nothing reaches the person now."""

    id: int
    contact_id: int
    to: str
    """An openid, or a telephone number."""
    kind: str
    channel: Channel | None
    is_short: bool
    """Whether it uses the short window."""
    content: dict[str, Any]
    attempts: int
    is_doubtful: bool
    """Whether an earlier try may have reached the person."""
    made: float
    """Loop time."""
    is_telephone_only: bool = False
    """Whether WeChat does not know this person at all."""
    notice: str | None = None
    """The template of a subscription notice."""


def may_say_again(kind: str, *, is_doubtful: bool) -> bool:
    """Whether a try without an answer is followed by another one: an alarm's always, a prompt's and a reply's once."""
    return kind == OutboxKind.ALARM or not (is_doubtful or kind in SAID_ONCE)


def make(connection: Connection, now: datetime, offer: Offer, made: float, *, alarms: bool) -> list[Plan] | None:
    """Lease what is due; None when nothing was."""
    rows = outbox.claim(connection, now, BATCH, alarms=alarms)
    if not rows:
        return None
    day = local_day(now)
    sent, plans = county.sent_on(connection, day), []
    added: Counter[str] = Counter()
    for row in rows:
        plan = _plan(connection, row, now, offer.on_a_day_with(sent, alarms=alarms), made)
        if plan is not None:
            plans.append(plan)
            for count in (sent, added) if plan.channel else ():
                count[str(plan.channel)] += 1
    county.add_sent(connection, day, added)  # last: other processes wait for it
    return plans


def was_answered(connection: Connection, contact_id: int, question: str, now: datetime) -> bool:
    """Whether this contact has answered a question that was put."""
    talk = contacts.talk_with(connection, contact_id, now)
    return talk is not None and is_answered(talk, question)


def begin(connection: Connection, plan: Plan, now: datetime) -> None:  # noqa: ARG001 - called like the others
    """From here on nobody knows whether it was said, until the outcome is recorded."""
    outbox.begin(connection, plan.id)


def put_back(connection: Connection, plan: Plan, now: datetime) -> None:
    """The plan was not used: give back what it spent, and let it be made anew."""
    give_back(connection, plan, now)
    outbox.put_back(connection, plan.id, now, NO_ANSWER if plan.is_doubtful else None)


def give_back(connection: Connection, plan: Plan, now: datetime) -> None:
    """Nothing was said, so the window, or the yes to a notice, still has what was counted for it."""
    if plan.notice is not None:
        optins.give_back(connection, plan.contact_id, plan.notice)
    talk = _talk(connection, plan.contact_id, now)
    if talk is None or plan.channel != Channel.CUSTOM:
        return
    if plan.is_short:
        talk.short_left = min(talk.short_left + 1, SHORT_MESSAGES)
    else:
        talk.window_left = min(talk.window_left + 1, WINDOW_MESSAGES)
    contacts.keep(connection, talk)


def _plan(
    connection: Connection,
    row: Any,  # noqa: ANN401 - a row
    now: datetime,
    offer: Offer,
    made: float,
) -> Plan | None:
    doubted = row.code == NO_ANSWER
    interrupted = row.state == OutboxState.SENDING
    if interrupted and not may_say_again(row.kind, is_doubtful=doubted):
        outbox.settle(connection, row.id, OutboxState.UNKNOWN, now=now)
        return None
    is_doubtful = doubted or interrupted
    talk = _talk(connection, row.contact_id, now)
    content: dict[str, Any] | None = row.content or {}
    if talk is None or not content:
        return Plan(row.id, row.contact_id, "", row.kind, None, False, {}, row.attempts, is_doubtful, made)  # noqa: FBT003 - no window
    content = _left_to_say(connection, row, content, talk, now)
    if content is None:
        return None
    asked_for_at = row.created_at + unsaid.LISTED_AFTER
    if row.kind == OutboxKind.REPLY and offer.policy.only_answers and "media" not in content and now < asked_for_at:
        outbox.put_back(connection, row.id, asked_for_at, NO_ANSWER if is_doubtful else row.code)
        return None  # it is said when the person writes again
    channel = channel_for(connection, talk, row.kind, content, now, offer)
    until = (
        waits_until(connection, talk, row, content, now, offer.policy)
        if channel
        else _opens_at(connection, talk, row, now, offer)
    )  # whom nothing reaches need not wait for anything: somebody has to hear of it
    if until is not None and "media" not in content:  # what goes with words is of no use later
        outbox.put_back(connection, row.id, until, NO_ANSWER if is_doubtful else row.code)
        return None
    is_short = spend(connection, talk, row.kind, channel, now)
    notice = _used_up(connection, row, content, now, offer) if channel == Channel.SUBSCRIPTION else None
    if channel == Channel.CUSTOM:
        content = _first_piece(connection, row, content, now)
    to = (people.phone_of_contact(connection, row.contact_id) or "") if channel in BY_TELEPHONE else talk.openid
    return Plan(
        row.id, row.contact_id, to, row.kind, channel, is_short, content, row.attempts, is_doubtful, made,
        not talk.openid, notice,
    )  # fmt: skip


def _used_up(connection: Connection, row: Any, content: dict[str, Any], now: datetime, offer: Offer) -> str:  # noqa: ANN401
    """The template of the notice that this is; somebody's yes to a one-time notice is used up by it."""
    notice = offer.policy.notices[content["card"]["purpose"]]
    if not notice.long_term:
        optins.use(connection, row.contact_id, notice.template_id, now)
    return notice.template_id


def _left_to_say(
    connection: Connection,
    row: Any,  # noqa: ANN401 - a row
    content: dict[str, Any],
    talk: Talk,
    now: datetime,
) -> dict[str, Any] | None:
    """What is still to be said of a row; when that is nothing, the row is settled.

    A question that has its answer was read, though nobody noted that: only what stood beside it is said again.
    """
    if content.get("asks") and is_answered(talk, content["asks"]):
        if "beside" in content:
            left = {"text": content["beside"]}
            outbox.rewrite(connection, row.id, left)
            return left
        outbox.settle(connection, row.id, OutboxState.ANSWERED, now=now)
        return None
    true = still_true(connection, row.id, content, now)
    if true is None or _is_over(connection, row, true, now):
        outbox.settle(connection, row.id, OutboxState.CANCELLED, now=now)
        return None
    return true


def _opens_at(connection: Connection, talk: Talk, row: Any, now: datetime, offer: Offer) -> datetime | None:  # noqa: ANN401 - a row
    """When a channel is there again that is only held or spent; None when there is none. The county hears of it."""
    content = row.content or {}
    unheld = replace(offer, held=frozenset())
    unspent = replace(unheld, spent=frozenset())
    if channel_for(connection, talk, row.kind, content, now, unheld):
        until, told = now + HELD_FOR, now - row.created_at > TOLD_AFTER
    elif channel_for(connection, talk, row.kind, content, now, unspent):
        until, told = next_midnight(now), True
    else:
        return None
    if told:
        tell(connection, row.id, row.contact_id, row.kind, content, now=now, policy=offer.policy, gone=False)
    return until


def channel_for(
    connection: Connection, talk: Talk, kind: str, content: dict[str, Any], now: datetime, offer: Offer
) -> Channel | None:
    """The channel that reaches this person with this content now."""

    def is_there(channel: Channel) -> bool:
        if channel in BY_TELEPHONE:
            return bool(people.phone_of_contact(connection, talk.contact_id))
        notice = offer.policy.notices[content["card"]["purpose"]]
        return optins.holds(connection, talk.contact_id, notice.template_id)

    return choose(talk, kind, content, now, offer, is_there)


def elsewhere(connection: Connection, plan: Plan, now: datetime, offer: Offer, *, for_good: bool) -> bool:
    """Whether another channel may reach the person with these words; the row is rewritten to look there only.

    `for_good`: this one never will. One that only failed is tried again when the others failed too.
    """
    talk = _talk(connection, plan.contact_id, now)
    mark = "past" if for_good else "busy"
    content = plan.content | {mark: [*plan.content.get(mark, ()), plan.channel]}
    found = talk is not None and channel_for(connection, talk, plan.kind, content, now, offer) is not None
    if found or plan.content.get("busy"):
        outbox.rewrite(connection, plan.id, content if found else plan.content | {"busy": []})
    return found


def _is_over(connection: Connection, row: Any, content: dict[str, Any], now: datetime) -> bool:  # noqa: ANN401 - a row
    """Whether an alarm by telephone came too late: somebody has the matter, or the ladder rang again since."""
    task, ways = content.get("task"), content.get("by") or content.get("past")
    if task is None or not ways:
        return False
    if BY_TELEPHONE.issuperset(content.get("by", [Channel.CUSTOM])) and now - row.created_at > RINGS_FOR:
        return True
    return not tasks.is_open(connection, task)


def _talk(connection: Connection, contact_id: int, now: datetime) -> Talk | None:
    return contacts.talk_with(connection, contact_id, now, lock=not is_sqlite(connection))


def _first_piece(connection: Connection, row: Any, content: dict[str, Any], now: datetime) -> dict[str, Any]:  # noqa: ANN401
    """What fits into one message; the rest follows as messages of its own."""
    pieces: Sequence[str] = cut(content["text"])
    if len(pieces) <= 1:
        return content
    first = content | {"text": pieces[0]}
    outbox.rewrite(connection, row.id, first)
    for piece in pieces[1:]:
        outbox.add(
            connection, contact_id=row.contact_id, kind=row.kind, state=OutboxState.QUEUED, content={"text": piece},
            now=now, next_at=now,
        )  # fmt: skip
    return first
