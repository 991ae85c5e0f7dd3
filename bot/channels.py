"""Which channel reaches a contact now: the first of the county's order that is open to this person and these words.

The bot never makes a call it can know will be refused; what is left of a window is counted here. By telephone only the
neutral words of a card go out, and only for the purposes that the county allows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from bot.settings import Purpose, Template, Wechat
from handlers.policy import Policy
from storage import contacts
from storage.contacts import Talk
from storage.outbox import OutboxKind


class Channel(StrEnum):
    """How a message goes out; the passive reply is not among them, it is the answer itself."""

    CUSTOM = "custom"
    SUBSCRIPTION = "subscribe"
    TEMPLATE = "template"
    SMS = "sms"
    CALL = "call"


KEPT_FOR_ALARMS = 0.1
"""Share of a day's budget that nothing but an alarm may use."""
MUST_ARRIVE = frozenset({OutboxKind.ALARM, OutboxKind.PROMPT})
BY_TELEPHONE = frozenset({Channel.SMS, Channel.CALL})


@dataclass(frozen=True)
class Offer:
    """What there is to choose from: the county's order less what the account or the gateway cannot do."""

    policy: Policy
    purposes: frozenset[str]
    """Purposes for which the account has a template."""
    limits: Mapping[Channel, int] = field(default_factory=dict)
    """Messages of a channel that the platform lets through in a day."""
    spent: frozenset[Channel] = frozenset()
    """Channels whose budget of today is used up."""
    held: frozenset[tuple[Channel, str | None]] = frozenset()
    """Channels (for one purpose, or None: for all) that the platform refuses until an operator acts."""

    def on_a_day_with(self, sent: Mapping[str, int], *, alarms: bool) -> "Offer":
        """The same less what is spent; what is left of a budget at the end is for alarms alone."""
        share = 1.0 if alarms else 1 - KEPT_FOR_ALARMS
        spent = {channel for channel, most in self.limits.items() if sent.get(channel, 0) >= most * share}
        return replace(self, spent=frozenset(spent))

    def channels(self, kind: str, purpose: str | None) -> Iterable[Channel]:
        """The channels for this kind and purpose (None: words without a card), in order.

        Only what must be done goes by telephone, and only an alarm rings.
        """
        telephone = set(self.policy.by_telephone(purpose)) if purpose and kind in MUST_ARRIVE else set()
        if kind != OutboxKind.ALARM:
            telephone.discard("call")
        by_wechat = self.policy.by_wechat()
        for way in self.policy.channels:
            if way in telephone or (way in by_wechat and self._has_card(way, purpose)):
                yield Channel(way)

    def _has_card(self, way: str, purpose: str | None) -> bool:
        """Whether the account has what a channel needs for this purpose."""
        if way == Channel.TEMPLATE:
            return purpose in self.purposes
        return way != Channel.SUBSCRIPTION or purpose in self.policy.notices


def choose(
    talk: Talk, kind: str, content: dict[str, Any], now: datetime, offer: Offer, ask: Callable[[Channel], bool]
) -> Channel | None:
    """The channel for this content, or None when nothing reaches the person now.

    `content["by"]` names the only channels meant, in its own order; `content["past"]` those that were refused for these
    words for good, `content["busy"]` those that may work again. `ask` tells whether there is a telephone number, or
    somebody's yes to a notice.
    """
    card = content.get("card")
    purpose = card["purpose"] if card else None
    held = {channel for channel, held_for in offer.held if held_for in {None, purpose}}
    shut = {*content.get("past", ()), *content.get("busy", ()), *offer.spent, *held}
    there = list(offer.channels(kind, purpose))
    for channel in [Channel(way) for way in content.get("by", there) if way in there]:
        if channel in shut:
            continue
        if channel in BY_TELEPHONE:
            is_open = ask(channel)
        elif talk.unreachable_since is not None or not talk.openid:
            is_open = False
        elif channel == Channel.SUBSCRIPTION:
            is_open = ask(channel)
        else:
            is_open = channel == Channel.TEMPLATE or _short_open(talk, now) or _long_open(talk, now)
        if is_open:
            return channel
    return None


def templates_of(account: Wechat) -> dict[Channel, Mapping[Purpose, Template]]:
    """What the account has for the channels that carry a card's values."""
    return {Channel.TEMPLATE: account.templates, Channel.SUBSCRIPTION: account.notices}


def spend(connection: Connection, talk: Talk, kind: str, channel: Channel | None, now: datetime) -> bool:
    """Count the message against the window it uses, and note the push; whether it was the short one."""
    if channel is None or channel in BY_TELEPHONE:
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
