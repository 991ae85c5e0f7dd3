"""Permanent media, and the parts of articles and videos for mass messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from bot.simulator import filetypes, jsons, media
from bot.simulator.errors import ApiError
from bot.simulator.jsons import ShapeError
from bot.simulator.messages_api import OK

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Media
    from bot.simulator.world import World

ARTICLE_IMAGE = 1024 * 1024
ARTICLES = 8
PAGE = 20
COUNTED = ("voice", "video", "image", "news")


async def upload_image(world: World, call: Call) -> Json:
    """POST /cgi-bin/media/uploadimg: a picture inside an article, jpg or png below 1 MB; its address."""
    part = media.file_of(call)
    found = filetypes.sniff(part.data)
    if found not in {"jpg", "png"}:
        raise ApiError(40005)
    if len(part.data) >= ARTICLE_IMAGE:
        raise ApiError(40009)
    kept = world.keep_media("image", part.data, filetypes.TYPES[found], part.filename, permanent=True)
    return {"url": f"{world.origin}/files/{kept.media_id}"}


async def upload_news(world: World, call: Call) -> Json:
    """POST /cgi-bin/media/uploadnews {articles}: for one mass message, kept three days."""
    kept = _keep_news(world, call.json(), permanent=False)
    return {"type": "news", "media_id": kept.media_id, "created_at": int(kept.created)}


async def add_news(world: World, call: Call) -> Json:
    """POST /cgi-bin/material/add_news {articles}."""
    return {"media_id": _keep_news(world, call.json(), permanent=True).media_id}


def _keep_news(world: World, data: Json, *, permanent: bool) -> Media:
    articles = jsons.rows(data, "articles")
    if not 0 < len(articles) <= ARTICLES:
        raise ApiError(45008)
    for article in articles:
        if not jsons.text(article, "title", "") or not jsons.text(article, "content", ""):
            raise ApiError(44004)
        thumb = world.live_media(jsons.text(article, "thumb_media_id", ""))
        if thumb is None or thumb.kind not in {"thumb", "image"}:
            raise ApiError(40007)
    raw = jsons.dump(articles).encode()
    return world.keep_media("news", raw, "application/json", "news.json", permanent=permanent)


async def upload_video(world: World, call: Call) -> Json:
    """POST /cgi-bin/media/uploadvideo {media_id, title, description}: an uploaded video for one mass message."""
    data = call.json()
    video = world.live_media(jsons.text(data, "media_id", ""))
    if video is None or video.kind != "video":
        raise ApiError(40007)
    title = jsons.text(data, "title", "")
    kept = world.keep_media("mpvideo", world.keeper.get(video.media_id), video.content_type, title)
    return {"type": "video", "media_id": kept.media_id, "created_at": int(kept.created)}


async def add(world: World, call: Call) -> Json:
    """POST /cgi-bin/material/add_material?type=; a video comes with a description {title, introduction}."""
    kind, part, content_type = media.checked(world, call)
    title = part.filename
    if kind == "video":
        given = call.query.get("description") or media.field_of(call, "description")
        about = jsons.load(given.encode())
        title = jsons.text(about, "title")
        jsons.text(about, "introduction")
    kept = world.keep_media(kind, part.data, content_type, title, permanent=True)
    answer: Json = {"media_id": kept.media_id}
    if kind == "image":
        answer["url"] = f"{world.origin}/files/{kept.media_id}"
    return answer


def _permanent(world: World, call: Call) -> Media:
    found = world.state.media.get(jsons.text(call.json(), "media_id", ""))
    if found is None or not found.permanent:
        raise ApiError(40007)
    return found


async def get(world: World, call: Call) -> Json | web.Response:
    """POST /cgi-bin/material/get_material {media_id}: the bytes, an article's parts, or a video's address."""
    found = _permanent(world, call)
    data = world.keeper.get(found.media_id)
    if found.kind == "news":
        return {"news_item": json.loads(data)}
    if found.kind == "video":
        return {"title": found.filename, "description": "", "down_url": f"{world.origin}/files/{found.media_id}"}
    return media.as_file(found, data)


async def delete(world: World, call: Call) -> Json:
    """POST /cgi-bin/material/del_material {media_id}."""
    found = _permanent(world, call)
    found.permanent, found.created = False, 0.0  # no longer live for anybody who sends it; who has it sees it
    return dict(OK)


async def count(world: World, _call: Call) -> Json:
    """GET /cgi-bin/material/get_materialcount."""
    kept = [one.kind for one in world.state.media.values() if one.permanent]
    return {f"{kind}_count": kept.count(kind) for kind in COUNTED}


async def page(world: World, call: Call) -> Json:
    """POST /cgi-bin/material/batchget_material {type, offset, count}: 1-20 at a time."""
    data = call.json()
    kind, offset, most = jsons.text(data, "type", ""), jsons.integer(data, "offset"), jsons.integer(data, "count")
    if kind not in COUNTED:
        raise ApiError(40004)
    if not 1 <= most <= PAGE or offset < 0:
        raise ShapeError("count is 1-20, offset not below 0")
    found = [one for one in world.state.media.values() if one.permanent and one.kind == kind]
    rows: list[Json] = [
        {"media_id": one.media_id, "name": one.filename, "update_time": int(one.created)}
        for one in found[offset : offset + most]
    ]
    return {"total_count": len(found), "item_count": len(rows), "item": rows}
