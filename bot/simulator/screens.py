"""A phone's screen as JSON for the page and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator.clock import iso
from bot.simulator.jsons import Json
from bot.simulator.state import Phone, ScreenItem

if TYPE_CHECKING:
    from bot.simulator.world import World


def item_json(item: ScreenItem) -> Json:
    """A screen item without its empty parts."""
    data: Json = {"n": item.n, "at": iso(item.at), "side": item.side, "kind": item.kind, "text": item.text}
    for name, value in (("from", item.source), ("url", item.url), ("title", item.title), ("media_id", item.media_id)):
        if value:
            data[name] = value
    if item.fields:
        data["fields"] = item.fields
    if item.items:
        data["items"] = item.items
    return data


def phone_json(world: World, phone: Phone) -> Json:
    """What the control API tells of a phone."""
    call = phone.ring
    shown = {"id": call.id, "text": call.text, "keys": call.keys, "since": iso(call.since)} if call else None
    return {
        "openid": phone.openid,
        "name": phone.name,
        "following": phone.following,
        "index": phone.index,
        "items": len(phone.screen),
        "tags": [world.state.tags[tag] for tag in phone.tags if tag in world.state.tags],
        "number": phone.number,
        "block_templates": phone.blocks_templates,
        "refuse_messages": phone.refuses_messages,
        "unreachable_number": phone.unreachable_number,
        "ringing": shown if call and not call.picked_up else None,
        "talking": shown if call and call.picked_up else None,
        "notices": {**phone.notices, **dict.fromkeys(phone.long_notices, -1)},
    }


def screen_after(phone: Phone, n: int) -> list[Json]:
    """Items above n; numbers run without gaps from 1."""
    first = phone.screen[0].n if phone.screen else 1
    return [item_json(item) for item in phone.screen[max(0, n + 1 - first) :]]


def transcript_line(item: ScreenItem) -> str:
    """Side, kind and everything that can be read on the item."""
    parts = [item.title, item.text, *(f"{one.get('label') or one['key']}: {one['value']}" for one in item.fields)]
    parts += [f"[{one['id']}] {one['content']}" for one in item.items]
    body = "\n    ".join("\n".join(part for part in parts if part).splitlines())
    link = f" <{item.url}>" if item.url else ""
    return f"{iso(item.at)} {item.side} {item.kind}: {body}{link}"
