"""Tags on users, by which they get their menus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.messages_api import OK, user

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.world import World

NAME_BYTES, TAGS, BATCH, PER_USER = 30, 100, 50, 20
MOST_FANS = 100_000
BLACK_BATCH = 20
RESERVED = (0, 1, 2)
PAGE = 10_000


def _name(world: World, data: Json) -> str:
    name = jsons.text(jsons.obj(data, "tag"), "name", "").strip()
    if len(name.encode()) > NAME_BYTES:
        raise ApiError(45158)
    if not name or name in world.state.tags.values():
        raise ApiError(45157)
    return name


def _known(world: World, tag: int) -> int:
    if tag in RESERVED:
        raise ApiError(45058)
    if tag not in world.state.tags:
        raise ApiError(45159)
    return tag


def _count(world: World, tag: int) -> int:
    return sum(tag in phone.tags for phone in world.state.phones.values())


async def create(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/create."""
    name = _name(world, call.json())
    if len(world.state.tags) >= TAGS:
        raise ApiError(45056)
    tag, world.state.next_tag = world.state.next_tag, world.state.next_tag + 1
    world.state.tags[tag] = name
    return {"tag": {"id": tag, "name": name}}


async def list_all(world: World, _call: Call) -> Json:
    """GET /cgi-bin/tags/get."""
    return {"tags": [{"id": tag, "name": name, "count": _count(world, tag)} for tag, name in world.state.tags.items()]}


async def update(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/update."""
    data = call.json()
    tag = _known(world, jsons.integer(jsons.obj(data, "tag"), "id"))
    world.state.tags[tag] = _name(world, data)
    return dict(OK)


async def delete(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/delete."""
    tag = _known(world, jsons.integer(jsons.obj(call.json(), "tag"), "id"))
    if _count(world, tag) > MOST_FANS:
        raise ApiError(45057)
    del world.state.tags[tag]
    for phone in world.state.phones.values():
        phone.tags = [one for one in phone.tags if one != tag]
    world.changes.bump()
    return dict(OK)


def _batch(world: World, call: Call) -> tuple[int, list[str]]:
    data = call.json()
    tag, openids = _known(world, jsons.integer(data, "tagid")), jsons.texts(data, "openid_list")
    if not 0 < len(openids) <= BATCH:
        raise ApiError(40032)
    for openid in openids:
        phone = world.state.phones.get(openid)
        if phone is None:
            raise ApiError(49003)
        if not phone.following:
            raise ApiError(40003)
    return tag, openids


async def tag(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/members/batchtagging; the tag becomes the user's last one."""
    one, openids = _batch(world, call)
    phones = [world.state.phones[openid] for openid in openids]
    if any(one not in phone.tags and len(phone.tags) >= PER_USER for phone in phones):
        raise ApiError(45059)
    for phone in phones:
        phone.tags = [*(other for other in phone.tags if other != one), one]
    world.changes.bump()
    return dict(OK)


async def untag(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/members/batchuntagging."""
    one, openids = _batch(world, call)
    for openid in openids:
        phone = world.state.phones[openid]
        phone.tags = [other for other in phone.tags if other != one]
    world.changes.bump()
    return dict(OK)


async def of_user(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/getidlist."""
    return {"tagid_list": list(user(world, jsons.text(call.json(), "openid", "")).tags)}


async def members(world: World, call: Call) -> Json:
    """POST /cgi-bin/user/tag/get."""
    data = call.json()
    one, start = _known(world, jsons.integer(data, "tagid")), jsons.text(data, "next_openid", "")
    openids = [phone.openid for phone in world.state.phones.values() if one in phone.tags and phone.openid > start]
    page = sorted(openids)[:PAGE]
    return {"count": len(page), "data": {"openid": page}, "next_openid": page[-1] if page else ""}


async def blacklist(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/members/getblacklist {begin_openid}."""
    start = jsons.text(call.json(), "begin_openid", "")
    every = sorted(phone.openid for phone in world.state.phones.values() if phone.blacklisted)
    page = [openid for openid in every if openid > start][:PAGE]
    answer: Json = {"total": len(every), "count": len(page), "next_openid": page[-1] if page else ""}
    return {**answer, "data": {"openid": page}} if page else answer


def _put(world: World, call: Call, *, black: bool) -> Json:
    openids = jsons.texts(call.json(), "openid_list")
    if not 0 < len(openids) <= BLACK_BATCH:
        raise ApiError(40032)
    phones = [user(world, openid) for openid in openids]
    for phone in phones:
        phone.blacklisted = black
    return dict(OK)


async def blacken(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/members/batchblacklist: twenty at most; sending to them answers 43019."""
    return _put(world, call, black=True)


async def whiten(world: World, call: Call) -> Json:
    """POST /cgi-bin/tags/members/batchunblacklist."""
    return _put(world, call, black=False)
