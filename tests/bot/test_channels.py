"""Which way a message goes, decided by what the bot counted and what the county allows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.channels import Channel, Offer, choose
from handlers.policy import Policy, Way
from storage.contacts import Talk
from storage.outbox import OutboxKind

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SOON, JUST_NOW = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
CARD = {"text": "有事", "card": {"purpose": "task", "values": {}, "path": None}}
ALARM = {"text": "急事", "card": {"purpose": "alarm", "values": {}, "path": None}}
DIGEST = {"text": "日报", "card": {"purpose": "digest", "values": {}, "path": None}}
WORDS = {"text": "有事"}
BOTH: frozenset[Way] = frozenset({"custom", "template"})
TELEPHONE: frozenset[Way] = frozenset({"sms", "call"})
OPEN = {"window_until": SOON, "window_left": 1}


def chosen(
    content: dict[str, Any],
    windows: dict[str, Any] | None = None,
    *,
    policy: Policy | None = None,
    account: frozenset[Way] = BOTH,
    kind: OutboxKind = OutboxKind.ALARM,
    purposes: tuple[str, ...] = ("task", "alarm"),
    spent: tuple[Channel, ...] = (),
    openid: str = "o-1",
    number: bool = True,
) -> Channel | None:
    """The channel in a case that differs from the usual one in what is named."""
    rules = policy or Policy()
    offer = Offer(replace(rules, ways=(rules.ways - BOTH) | account), frozenset(purposes), spent=frozenset(spent))
    return choose(Talk(1, openid, None, NOW, **(windows or {})), kind, content, NOW, offer, lambda _: number)


@pytest.mark.parametrize(
    ("windows", "content", "channel"),
    [
        ({}, CARD, Channel.TEMPLATE),
        ({}, WORDS, None),
        (OPEN, WORDS, Channel.CUSTOM),
        ({"window_until": SOON, "window_left": 0}, CARD, Channel.TEMPLATE),
        ({"window_until": NOW, "window_left": 5}, CARD, Channel.TEMPLATE),
        ({"window_until": JUST_NOW, "window_left": 5}, WORDS, None),
        ({"short_until": SOON, "short_left": 1}, CARD, Channel.CUSTOM),
        ({"short_until": JUST_NOW, "short_left": 3, **OPEN}, CARD, Channel.CUSTOM),
        ({**OPEN, "unreachable_since": JUST_NOW}, CARD, None),
    ],
)
def test_the_window_comes_first_then_a_card_then_nothing(
    windows: dict[str, Any], content: dict[str, Any], channel: Channel | None
) -> None:
    assert chosen(content, windows) == channel


def test_a_purpose_without_a_template_of_the_account_is_no_card() -> None:
    assert chosen(CARD, purposes=("alarm",)) is None


GATEWAY = Policy(ways=BOTH | TELEPHONE)


@pytest.mark.parametrize(
    ("content", "more", "channel"),
    [
        (CARD, {}, Channel.TEMPLATE),
        (CARD, {"windows": {"unreachable_since": JUST_NOW}}, Channel.SMS),
        (CARD, {"openid": ""}, Channel.SMS),
        (CARD, {"openid": "", "number": False}, None),
        (CARD, {"account": frozenset()}, Channel.SMS),
        (CARD, {"account": frozenset({"custom"}), "windows": OPEN}, Channel.CUSTOM),
        (CARD, {"spent": (Channel.TEMPLATE,)}, Channel.SMS),
        (CARD | {"past": ["template"]}, {}, Channel.SMS),
        (CARD | {"past": ["template", "sms"]}, {}, None),
        (ALARM | {"past": ["template", "sms"]}, {}, Channel.CALL),
        (ALARM | {"by": ["call"]}, {"windows": OPEN}, Channel.CALL),
        (ALARM | {"by": ["custom", "template"]}, {"windows": {"unreachable_since": JUST_NOW}}, None),
        (CARD | {"busy": ["template"]}, {}, Channel.SMS),
        (ALARM | {"past": ["template", "sms"]}, {"kind": OutboxKind.PROMPT}, None),
        (ALARM, {"openid": "", "kind": OutboxKind.PROMPT}, Channel.SMS),
        (ALARM, {"openid": "", "kind": OutboxKind.NOTICE}, None),
        (WORDS, {"openid": ""}, None),
        (DIGEST, {"openid": ""}, None),
    ],
)
def test_the_telephone_comes_behind_wechat_for_the_purposes_the_county_allows(
    content: dict[str, Any], more: dict[str, Any], channel: Channel | None
) -> None:
    assert chosen(content, policy=GATEWAY, **more) == channel


def test_a_county_may_change_the_order_and_leave_a_channel_out() -> None:
    first = Policy(ways=BOTH | TELEPHONE, channels=("sms", "template"))
    assert chosen(CARD, OPEN, policy=first) == Channel.SMS
    assert chosen(ALARM | {"past": ["sms", "template"]}, OPEN, policy=first) is None
