"""The fields of a parsed push, each looked at before it is believed, made into an `Inbound`."""

import math
import re
from collections.abc import Mapping
from typing import Literal, cast

from bot.inbound import KINDS, Inbound, Kind
from messages.files import table

Reason = Literal["signature", "json", "body", "plaintext", "decrypt", "app_id", "field"]

_KINDS = {"miniprogrampage": "miniprogram"}
_EVENT = re.compile(r"[a-z0-9_.]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_@.-]{1,64}")
_TIME, _ID = re.compile(r"[0-9]{1,12}"), re.compile(r"[0-9]{1,20}")
_LATITUDE, _LONGITUDE = 90, 180
_ABOUT_SOMEBODY = frozenset({"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation"})
"""Events that come from a service of the platform; who they are about stands in OpenID."""


_NOTICES = {
    "subscribe_msg_popup_event": ("SubscribeMsgPopupEvent", "SubscribeStatusString"),
    "subscribe_msg_change_event": ("SubscribeMsgChangeEvent", "SubscribeStatusString"),
    "subscribe_msg_sent_event": ("SubscribeMsgSentEvent", "ErrorCode"),
}
"""Events about notices: where what they tell stands. wechatpy 1.8.18 has no names for them, but reads their fields."""


class UnsoundError(Exception):
    """The push cannot be used; carries the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def read_push(fields: Mapping[str, object], typed: str | None, *, raw: str, key: int | None) -> Inbound:
    """The message that wechatpy parsed into `fields`; `typed` is its Content letter for letter.

    Raises UnsoundError("field") when a field that is used is missing or is not plain text.
    """
    push = _Push(fields)
    kind = _kind(push)
    known = _event(push) if kind == "event" else _message(push, kind, typed)
    about_somebody = known.get("event") in _ABOUT_SOMEBODY and push.text("OpenID")
    return Inbound(
        openid=push.must("OpenID" if about_somebody else "FromUserName", _NAME),
        to=push.must("ToUserName", _NAME),
        create_time=int(push.must("CreateTime", _TIME)),
        raw=raw,
        key=key,
        **({"kind": kind} | known),  # type: ignore[arg-type]  # the two functions below name fields of Inbound
    )


class _Push:
    """Text out of a mapping that may hold lists, tables and nothing where text is expected."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def text(self, name: str) -> str | None:
        """The field, or None when it is absent or empty."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise UnsoundError("field")
        return value or None

    def must(self, name: str, shape: re.Pattern[str]) -> str:
        value = self.text(name)
        if value is None or not shape.fullmatch(value):
            raise UnsoundError("field")
        return value

    def number(self, name: str) -> str | None:
        return None if self.text(name) is None else self.must(name, _ID)

    def degrees(self, name: str, most: int) -> float | None:
        """A coordinate; a senseless one is None, since the rest of the message still counts."""
        try:
            value = float(self.text(name) or "nan")
        except ValueError:
            return None
        return value if math.isfinite(value) and abs(value) <= most else None

    def rows(self, name: str) -> "list[_Push]":
        """The tables of a field that holds one of them, or several."""
        value = self._fields.get(name)
        rows = value if isinstance(value, list) else [value]
        return [_Push(cast("dict[str, object]", row)) for row in rows if isinstance(row, dict)]

    def part(self, name: str) -> "_Push":
        """The fields inside a field; none when it is not a table."""
        value = self._fields.get(name)
        return _Push(cast("dict[str, object]", value) if isinstance(value, dict) else {})


def _kind(push: _Push) -> Kind:
    name = (push.text("MsgType") or "").lower()
    if not name:
        raise UnsoundError("field")
    name = _KINDS.get(name, name)
    return cast("Kind", name) if name in KINDS else "unsupported"


def _message(push: _Push, kind: Kind, typed: str | None) -> dict[str, object]:
    known: dict[str, object] = {"msg_id": push.number("MsgId")}
    if kind == "text":
        parsed = push.text("Content")
        if parsed in table("platform.toml")["unsupported"]:
            return known | {"kind": "unsupported"}
        return known | {"text": typed or None, "menu_id": push.text("bizmsgmenuid")}
    if kind == "location":
        return known | _pin(push)
    return known | {
        "media_id": push.text("MediaId"),
        "thumb_media_id": push.text("ThumbMediaId"),
        "format": push.text("Format"),
        "recognition": push.text("Recognition"),
        "pic_url": push.text("PicUrl"),
        "title": push.text("Title"),
        "description": push.text("Description"),
        "url": push.text("Url"),
    }


def _event(push: _Push) -> dict[str, object]:
    event, key = (push.text("Event") or "").lower(), push.text("EventKey")
    if not event:
        raise UnsoundError("field")
    if event.startswith("subscribe_scan"):  # wechatpy's name for following by a code; it took the prefix off
        event, key = "subscribe", key if event == "subscribe_scan" else None
    elif event == "subscribe":
        key = None  # without that prefix it tells of a payment, which is none of ours
    known: dict[str, object] = {
        "event": event if _EVENT.fullmatch(event) else "other",  # it is logged
        "event_key": key,
        "ticket": push.text("Ticket"),
        "status": push.text("Status"),
        "job_id": push.number("MsgID"),
    }
    if about := _NOTICES.get(event):
        known["event_key"] = _notices(push.part(about[0]), about[1]) or None
    if event == "location":
        known["latitude"] = push.degrees("Latitude", _LATITUDE)
        known["longitude"] = push.degrees("Longitude", _LONGITUDE)
    if event == "location_select":
        known |= _pin(push.part("SendLocationInfo"))
    return known


def _notices(push: _Push, told: str) -> str:
    """One line for each notice: its template, what is told of it, and the message's id; what is unsound is left out."""
    lines = []
    for row in push.rows("List"):
        parts = (row.text("TemplateId"), row.text(told), row.text("MsgID"))
        if all(_NAME.fullmatch(part or "") for part in parts[:2]):
            lines.append(" ".join(part for part in parts if part and _NAME.fullmatch(part)))
    return "\n".join(lines)


def _pin(push: _Push) -> dict[str, object]:
    return {
        "latitude": push.degrees("Location_X", _LATITUDE),
        "longitude": push.degrees("Location_Y", _LONGITUDE),
        "scale": push.text("Scale"),
        "label": push.text("Label"),
    }
