"""What each kind of account may do; a call that the platform would refuse for the account's kind is never made.

The source is wechat-platform.md 6.6: the platform's table of rights (unverified and verified, subscription and service
accounts). A test account has a verified service account's rights with smaller quotas; it may not send menu messages
(`msgmenu`, 40200), which the bot never does: its choices are numbered text for every kind. Nor has it subscription
notices, and its templates are free text, so that it shows none of the refusals that an approved template may give.
"""

from dataclasses import replace
from enum import StrEnum

from bot.settings import Kind, Settings, Wechat
from handlers.policy import Notice, Policy, Way


class Right(StrEnum):
    """One thing that not every account may do."""

    CUSTOM = "custom"
    """Customer-service messages."""
    TEMPLATE = "template"
    """Template messages."""
    NOTICES = "notices"
    """Subscription notices."""
    MENUS = "menus"
    """A menu of our making."""
    TAGS = "tags"
    """Tags on followers, and what the platform tells of them."""
    MEDIA = "media"
    """Files up and down: pictures and recordings that people send can be fetched."""
    QR = "qr"
    """QR codes with a scene."""
    OAUTH = "oauth"
    """Sign-in on web pages."""


_UNVERIFIED = frozenset[Right]()
_VERIFIED = frozenset({Right.CUSTOM, Right.TAGS, Right.MEDIA, Right.MENUS})

KINDS: dict[Kind, frozenset[Right]] = {
    "unverified-subscription": _UNVERIFIED,
    "unverified-service": frozenset({Right.MENUS}),
    "verified-subscription": _VERIFIED,
    "verified-service": frozenset(Right),
    "test": frozenset(Right) - {Right.NOTICES},
}


def may(kind: Kind, *rights: Right) -> bool:
    """Whether an account of this kind has all these rights. Menus by role need MENUS and TAGS."""
    return KINDS[kind].issuperset(rights)


def channels(kind: Kind) -> tuple[Way, ...]:
    """The WeChat channels of this kind, in the order in which they are tried; without any, replies are all there is."""
    ways: tuple[tuple[Way, Right], ...] = (
        ("custom", Right.CUSTOM), ("subscribe", Right.NOTICES), ("template", Right.TEMPLATE),
    )  # fmt: skip
    return tuple(way for way, right in ways if may(kind, right))


def policy_of(settings: Settings) -> Policy:
    """The county's rules, with what this account and its gateway can do.

    A burst's one reply comes after it, so whoever may only answer answers each message.
    """
    kind, gateway = settings.wechat.kind, settings.gateway
    telephone: tuple[tuple[Way, str | None], ...] = (("sms", gateway.sms_url), ("call", gateway.call_url))
    ways = frozenset((*channels(kind), *(way for way, url in telephone if url)))
    policy = replace(settings.policy, ways=ways, notices=notices_of(settings.wechat))
    return policy if may(kind, Right.CUSTOM) else replace(policy, burst_seconds=0)


def notices_of(account: Wechat) -> dict[str, Notice]:
    """The notices that people can agree to, by purpose."""
    given = account.notices if may(account.kind, Right.NOTICES) else {}
    return {purpose: Notice(one.template_id, one.long_term) for purpose, one in given.items()}


_CALLS = (
    ("message/custom/", Right.CUSTOM),
    ("message/template/", Right.TEMPLATE),
    ("message/subscribe/", Right.NOTICES),
    ("template/", Right.TEMPLATE),
    ("ticket/", Right.NOTICES),
    ("menu/", Right.MENUS),
    ("tags/", Right.TAGS),
    ("user/", Right.TAGS),
    ("media/", Right.MEDIA),
    ("material/", Right.MEDIA),
    ("qrcode/", Right.QR),
)
"""Beginnings of endpoints, and what an account needs to call them."""


def may_call(kind: Kind, call: str) -> bool:
    """Whether the platform answers this endpoint for an account of this kind."""
    return all(may(kind, right) for begins, right in _CALLS if call.startswith(begins))
