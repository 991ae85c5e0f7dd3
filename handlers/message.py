"""What a handler gets to know of a message or event; the bot fills it from the platform's XML."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Message:
    """One message or event, in the platform's words."""

    kind: str
    """text, image, voice, video, shortvideo, location, link, file, unsupported or event."""
    create_time: int = 0
    event: str | None = None
    event_key: str | None = None
    text: str | None = None
    menu_id: str | None = None
    """Set when a link or menu item was tapped: `flow.question`."""
    media_id: str | None = None
    format: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    label: str | None = None
    title: str | None = None
    url: str | None = None
    status: str | None = None
    job_id: str | None = None
    arrived_at: datetime | None = None
    """When it reached our door; a digit that arrived before a question was asked does not answer it."""

    @classmethod
    def from_json(cls, data: dict[str, Any], arrived_at: datetime | None = None) -> Self:
        """From the inbox row's JSON; fields that only the codec needs are left out."""
        return cls(**{name: data[name] for name in _KNOWN & data.keys()}, arrived_at=arrived_at)


_KNOWN = {field.name for field in fields(Message)} - {"arrived_at"}
