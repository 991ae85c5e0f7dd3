"""Temporary media: type and size checks, three days, and the odd answer for videos."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from bot.simulator import multipart
from bot.simulator.errors import ApiError
from bot.simulator.filetypes import PLAYS, TYPES, sniff

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.multipart import Part
    from bot.simulator.state import Media
    from bot.simulator.world import World

MB = 1024 * 1024
SIZES = {"image": (10 * MB, 40009), "voice": (2 * MB, 40010), "video": (10 * MB, 40011), "thumb": (64 * 1024, 40012)}
LONGEST_VOICE = 60
ALLOWED = {
    "image": {"png", "jpg", "gif"},
    "voice": {"amr", "mp3"},
    "video": {"mp4"},
    "thumb": {"jpg"},
}


def file_of(call: Call) -> Part:
    """The file of an upload; raises ApiError when there is none or it is empty."""
    parts = multipart.parse(call.request.headers.get("Content-Type", ""), call.body)
    part = next((one for one in parts if one.name == "media" and one.filename), None)
    if part is None:
        raise ApiError(41005)
    if not part.data:
        raise ApiError(44001)
    return part


def field_of(call: Call, name: str) -> str:
    """A text beside the file of an upload, maybe empty."""
    parts = multipart.parse(call.request.headers.get("Content-Type", ""), call.body)
    return next((one.data.decode(errors="replace") for one in parts if one.name == name), "")


def checked(world: World, call: Call) -> tuple[str, Part, str]:
    """Kind, file and content type of an upload that the platform takes; raises ApiError."""
    kind = call.query.get("type", "")
    if kind not in SIZES:
        raise ApiError(40004)
    part = file_of(call)
    largest, too_large = SIZES[kind]
    if len(part.data) > (world.settings.assumed.largest_image if kind == "image" else largest):
        raise ApiError(too_large)
    found = sniff(part.data)
    if found not in ALLOWED[kind]:
        raise ApiError(40005)
    if found in PLAYS and PLAYS[found](part.data) > LONGEST_VOICE:
        raise ApiError(45007)
    return kind, part, TYPES.get(found, "video/mp4")


async def upload(world: World, call: Call) -> Json:
    """POST /cgi-bin/media/upload?type=."""
    kind, part, content_type = checked(world, call)
    media = world.keep_media(kind, part.data, content_type, part.filename)
    named = world.settings.assumed.thumb_answer if kind == "thumb" else "media_id"
    return {"type": kind, named: media.media_id, "created_at": int(media.created)}


async def download(world: World, call: Call) -> Json | web.Response:
    """GET /cgi-bin/media/get: the bytes; for a video JSON with an address instead."""
    if world.clock.now() < world.faults.media_fails_until:
        raise ApiError(-1)
    media = world.live_media(call.query.get("media_id", ""))
    if media is None or media.permanent:
        raise ApiError(40007)
    if media.kind == "video":
        return {"video_url": f"{world.origin}/files/{media.media_id}"}
    return as_file(media, world.keeper.get(media.media_id))


def as_file(media: Media, data: bytes) -> web.Response:
    """The bytes of a medium as the platform hands them out."""
    name = quote(media.filename)
    headers = {"Content-disposition": f'attachment; filename="{name}"'}
    return web.Response(body=data, content_type=media.content_type, headers=headers)


def file(world: World, media_id: str, *, even_expired: bool) -> web.Response:
    """The bytes for a picture address or for the page; 404 when they are gone."""
    media = world.state.media.get(media_id) if even_expired else world.live_media(media_id)
    if media is None:
        raise web.HTTPNotFound
    return web.Response(
        body=world.keeper.get(media_id),
        content_type=media.content_type,
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
    )
