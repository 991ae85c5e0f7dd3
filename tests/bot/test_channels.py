"""Which way a message goes, decided by what the bot counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.channels import Channel, choose
from storage.contacts import Talk

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SOON, JUST_NOW = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
CARD = {"text": "有事", "card": {"purpose": "task", "values": {}, "path": None}}
WORDS = {"text": "有事"}


@pytest.mark.parametrize(
    ("windows", "content", "channel"),
    [
        ({}, CARD, Channel.TEMPLATE),
        ({}, WORDS, None),
        ({"window_until": SOON, "window_left": 1}, WORDS, Channel.CUSTOM),
        ({"window_until": SOON, "window_left": 0}, CARD, Channel.TEMPLATE),
        ({"window_until": NOW, "window_left": 5}, CARD, Channel.TEMPLATE),
        ({"window_until": JUST_NOW, "window_left": 5}, WORDS, None),
        ({"short_until": SOON, "short_left": 1}, CARD, Channel.CUSTOM),
        ({"short_until": JUST_NOW, "short_left": 3, "window_until": SOON, "window_left": 1}, CARD, Channel.CUSTOM),
        ({"window_until": SOON, "window_left": 5, "unreachable_since": JUST_NOW}, CARD, None),
    ],
)
def test_the_window_comes_first_then_a_card_then_nothing(
    windows: dict[str, Any], content: dict[str, Any], channel: Channel | None
) -> None:
    assert choose(Talk(1, "o-1", None, NOW, **windows), content, NOW, frozenset({"task"})) == channel


def test_a_purpose_without_a_template_of_the_account_is_no_card() -> None:
    assert choose(Talk(1, "o-1", None, NOW), CARD, NOW, frozenset({"alarm"})) is None
