"""Mass messages: to a list, a tag or everybody, four a month for each person, known again by their clientmsgid."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.messages_api import OK, read_content
from bot.simulator.push import Push
from bot.simulator.state import Mass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

PER_MONTH = 4
FEWEST, MOST = 2, 10_000
ID_BYTES = 64
KNOWN_FOR = 24 * 3600
APART = 60
KINDS = frozenset({"text", "image", "voice", "mpvideo", "mpnews"})
HELPER = "mphelper"


def _content(world: World, data: Json) -> Json:
    """What each person will see; raises ApiError."""
    kind = jsons.text(data, "msgtype", "")
    if kind not in KINDS:
        raise ApiError(40008)
    return read_content(world, kind, data)


async def to_list(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/mass/send {touser: [2-10,000 openids], msgtype, ..., clientmsgid?}."""
    data = call.json()
    openids = dict.fromkeys(jsons.texts(data, "touser"))
    if len(openids) < FEWEST:
        raise ApiError(40130)
    if len(openids) > MOST:
        raise ApiError(40032)
    phones = [world.state.phones[one] for one in openids if one in world.state.phones]
    if not any(phone.following for phone in phones):
        raise ApiError(40003)
    return await _submit(world, data, phones)


async def to_all(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/mass/sendall {filter: {is_to_all, tag_id}, msgtype, ..., clientmsgid?}."""
    data = call.json()
    chosen, phones = jsons.obj(data, "filter"), list(world.state.phones.values())
    if chosen.get("is_to_all") is not True:
        tag = jsons.integer(chosen, "tag_id" if "tag_id" in chosen else "group_id")
        if tag not in world.state.tags:
            raise ApiError(45159)
        phones = [phone for phone in phones if tag in phone.tags]
    return await _submit(world, data, phones)


async def _submit(world: World, data: Json, phones: Iterable[Phone]) -> Json:
    item = _content(world, data)
    mass = _known(world, data)
    total = [phone for phone in phones if phone.following]
    month = world.clock.day()[:7]
    ready = [
        phone
        for phone in total
        if phone.masses.get(month, 0) < PER_MONTH
        and not (phone.blacklisted or phone.refuses_messages or phone.blocks_templates)
    ]
    for phone in ready:
        phone.masses = {month: phone.masses.get(month, 0) + 1}
        show(world, phone, item)
    world.pusher.spawn(_report(world, mass.msg_id, len(total), len(ready)))
    answer: Json = {"errcode": 0, "errmsg": "send job submission success", "msg_id": mass.msg_id}
    if data["msgtype"] == "mpnews":
        answer["msg_data_id"] = mass.msg_id + 1
    return answer


def show(world: World, phone: Phone, item: Json) -> None:
    """Put a mass message on a screen."""
    rest = {key: value for key, value in item.items() if key not in {"kind", "text"}}
    world.show(phone, "account", str(item["kind"]), str(item["text"]), source="mass", **rest)


def _known(world: World, data: Json) -> Mass:
    """A new mass message; raises 45065-45067 when one with this clientmsgid, or with this content, is known."""
    given, now = jsons.text(data, "clientmsgid", ""), world.clock.now()
    if len(given.encode()) > ID_BYTES:
        raise ApiError(45067)
    key = given or hashlib.sha256(jsons.dump(data).encode()).hexdigest()
    for earlier in world.state.masses.values():
        if earlier.key == key and now - earlier.at < KNOWN_FOR:
            asked, earlier.asked = earlier.asked, now
            if now - asked < APART:
                raise ApiError(45066)
            raise ApiError(45065, also={"msg_id": earlier.msg_id})
    world.state.next_mass += 1
    mass = world.state.masses[world.state.next_mass] = Mass(world.state.next_mass, key, now, now)
    return mass


async def _report(world: World, msg_id: int, total: int, ready: int) -> None:
    """MASSSENDJOBFINISH, which comes from the platform's own helper and not from a person."""
    await asyncio.sleep(world.settings.finish_delay)
    fields = {
        "ToUserName": world.account.original_id,
        "FromUserName": HELPER,
        "CreateTime": world.clock.stamp(),
        "MsgType": "event",
        "Event": "MASSSENDJOBFINISH",
        "MsgID": msg_id,
        "Status": "send success",
        "TotalCount": total,
        "FilterCount": ready,
        "SentCount": ready,
        "ErrorCount": 0,
        "CopyrightCheckResult": {"Count": 0, "ResultList": "", "CheckState": 1},
        "ArticleUrlResult": {"Count": 0, "ResultList": ""},
    }
    await world.pusher.send(Push(HELPER, "MASSSENDJOBFINISH", fields, shows=False))


async def preview(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/mass/preview {touser, msgtype, ...}: one follower, whose four are not touched."""
    data = call.json()
    item, phone = _content(world, data), world.state.phones.get(jsons.text(data, "touser", ""))
    if phone is None or not phone.following:
        raise ApiError(40003 if "touser" in data else 40132)
    show(world, phone, item)
    return {"errcode": 0, "errmsg": "preview success", "msg_id": world.next_msgid()}


def _mass(world: World, data: Json) -> Mass:
    mass = world.state.masses.get(jsons.integer(data, "msg_id"))
    if mass is None:
        raise ApiError(40059)
    return mass


async def status(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/mass/get {msg_id}."""
    mass = _mass(world, call.json())
    return {"msg_id": mass.msg_id, "msg_status": mass.status}


async def delete(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/mass/delete {msg_id, article_idx?}; who has it keeps seeing it here."""
    _mass(world, call.json()).status = "DELETE"
    return dict(OK)
