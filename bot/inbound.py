"""What the platform pushed, as plain values: the one form in which a message enters the bot and is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

Kind = Literal[
    "text", "image", "voice", "video", "shortvideo", "location", "link", "file", "miniprogram", "unsupported", "event"
]
Value = str | int | float | None

_APART = "\x1f"  # illegal in XML, so no field of a push can hold it


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Inbound:
    """One message or event. What the push did not say, or said with an empty element, is None."""

    openid: str
    to: str
    """The account's original id (gh_…)."""
    kind: Kind
    create_time: int
    """Unix seconds, by the platform's clock."""
    raw: str
    """The XML after decryption, letter for letter."""
    key: int | None = None
    """Which AES key opened it: 0 the current one, 1 the previous one; None when it came in the clear."""

    event: str | None = None
    """The event's name in lower case; following by a QR code is "subscribe" with an event_key."""
    event_key: str | None = None
    """The menu key, link or scene, without the platform's prefix; of an event about notices one line for each."""
    ticket: str | None = None
    status: str | None = None
    job_id: str | None = None
    """The id of the template or mass message that the event reports on."""

    msg_id: str | None = None
    text: str | None = None
    """What was typed, blanks at both ends included."""
    menu_id: str | None = None
    """Which item of a menu message was tapped."""
    media_id: str | None = None
    thumb_media_id: str | None = None
    format: str | None = None
    recognition: str | None = None
    pic_url: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    scale: str | None = None
    label: str | None = None
    title: str | None = None
    description: str | None = None
    url: str | None = None

    def __repr__(self) -> str:
        """Nothing personal: a repr ends up in logs."""
        return f"<Inbound {self.kind} {self.event or ''}>"

    @property
    def identity(self) -> str:
        """The same for every delivery of one message and for nothing else (design 3.2)."""
        if self.msg_id is not None:
            return _APART.join((self.openid, self.msg_id))
        parts = (self.openid, str(self.create_time), self.event or self.kind, self.event_key or "", self.job_id or "")
        return _APART.join(parts)

    def as_json(self) -> dict[str, Value]:
        """Every field that is known, for keeping."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}

    @classmethod
    def from_json(cls, kept: Mapping[str, Value]) -> "Inbound":
        """The message that `as_json` described."""
        return cls(**kept)  # type: ignore[arg-type]  # written by as_json


KINDS: frozenset[str] = frozenset(get_args(Kind))
_NAMES = tuple(field.name for field in fields(Inbound))
