"""Temporary media: type and size checks, three days, and the odd answer for videos."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from bot.simulator import multipart
from bot.simulator.errors import ApiError

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.world import World

MB = 1024 * 1024
SIZES = {"image": (10 * MB, 40009), "voice": (2 * MB, 40010), "video": (10 * MB, 40011), "thumb": (64 * 1024, 40012)}
AMR = b"#!AMR\n"
AMR_SIZES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)
AMR_FRAMES_PER_SECOND = 50
LONGEST_VOICE = 60
TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "amr": "audio/amr", "mp3": "audio/mpeg"}


def sniff(data: bytes) -> str:
    """What the first bytes say: png, jpg, gif, amr, mp3, mp4, or nothing known."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return "gif"
    if data.startswith(AMR):
        return "amr"
    if data.startswith(b"ID3") or data[:2] in {b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"}:
        return "mp3"
    return "mp4" if data[4:8] == b"ftyp" else ""


ALLOWED = {
    "image": {"png", "jpg", "gif"},
    "voice": {"amr", "mp3"},
    "video": {"mp4"},
    "thumb": {"jpg"},
}


def amr_seconds(data: bytes) -> float:
    """How long an AMR recording plays, by counting its frames."""
    position, frames = len(AMR), 0
    while position < len(data):
        position += AMR_SIZES[(data[position] >> 3) & 15]
        frames += 1
    return frames / AMR_FRAMES_PER_SECOND


async def upload(world: World, call: Call) -> Json:
    """POST /cgi-bin/media/upload?type=."""
    kind = call.query.get("type", "")
    if kind not in SIZES:
        raise ApiError(40004)
    parts = multipart.parse(call.request.headers.get("Content-Type", ""), call.body)
    part = next((one for one in parts if one.name == "media" and one.filename), None)
    if part is None:
        raise ApiError(41005)
    if not part.data:
        raise ApiError(44001)
    largest, too_large = SIZES[kind]
    if len(part.data) > largest:
        raise ApiError(too_large)
    found = sniff(part.data)
    if found not in ALLOWED[kind]:
        raise ApiError(40005)
    if found == "amr" and amr_seconds(part.data) > LONGEST_VOICE:
        raise ApiError(45007)
    media = world.keep_media(kind, part.data, TYPES.get(found, "video/mp4"), part.filename)
    return {"type": kind, "media_id": media.media_id, "created_at": int(media.created)}


async def download(world: World, call: Call) -> Json | web.Response:
    """GET /cgi-bin/media/get: the bytes; for a video JSON with an address instead."""
    if world.clock.now() < world.faults.media_fails_until:
        raise ApiError(-1)
    media = world.live_media(call.query.get("media_id", ""))
    if media is None:
        raise ApiError(40007)
    if media.kind == "video":
        return {"video_url": f"{world.origin}/files/{media.media_id}"}
    name = quote(media.filename)
    return web.Response(
        body=world.keeper.get(media.media_id),
        content_type=media.content_type,
        headers={"Content-disposition": f'attachment; filename="{name}"'},
    )


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
