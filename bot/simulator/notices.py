"""Subscription notices: the ledger of who said yes, sending, the three events, and the account's list of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.simulator import acts, jsons, library
from bot.simulator.errors import ApiError
from bot.simulator.fields import fields_of
from bot.simulator.library import LONG_TERM, ONE_TIME
from bot.simulator.messages_api import OK, not_blacklisted, user
from bot.simulator.templates import MOST, content_of, link_of, new_id
from bot.simulator.world import STRINGS

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

FEWEST_KEYWORDS, MOST_KEYWORDS = 2, 5
SCENE_CHARACTERS = 15


def subscribe(
    world: World, phone: Phone, template_ids: list[str], *, yes: bool, long: bool, scene: int
) -> asyncio.Task[None]:
    """Answer the pop-up on a page (scene 1) or in an article (2); one answer goes for all its notices."""
    known = world.notices()
    for template_id in template_ids:
        if template_id not in known:
            raise acts.NotPossibleError(f"the account has no notice {template_id}")
        if not yes:
            continue
        if long or known[template_id].long_term:
            phone.long_notices = [*(one for one in phone.long_notices if one != template_id), template_id]
        else:
            held = phone.notices.get(template_id, 0)
            phone.notices[template_id] = held + 1 if world.settings.assumed.notices_add_up else 1
    world.show(phone, "me", "event", STRINGS["notice_yes" if yes else "notice_no"])
    answer = "accept" if yes else "reject"
    # Several List elements without a wrapper.
    rows = [{"TemplateId": one, "SubscribeStatusString": answer, "PopupScene": scene} for one in template_ids]
    return acts.event(world, phone, "subscribe_msg_popup_event", {"SubscribeMsgPopupEvent": {"List": rows}})


def unsubscribe(world: World, phone: Phone, template_id: str) -> asyncio.Task[None]:
    """Withdraw what was agreed to, in the settings of service notices."""
    if template_id not in {*phone.notices, *phone.long_notices}:
        raise acts.NotPossibleError(f"this person never said yes to {template_id}")
    phone.notices.pop(template_id, None)
    phone.long_notices = [one for one in phone.long_notices if one != template_id]
    world.show(phone, "me", "event", STRINGS["notice_no"])
    row = {"TemplateId": template_id, "SubscribeStatusString": "reject"}
    return acts.event(world, phone, "subscribe_msg_change_event", {"SubscribeMsgChangeEvent": {"List": row}})


async def send(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/subscribe/bizsend; a one-time yes is used up by it. The msgid comes with the event."""
    data = call.json()
    template_id = jsons.text(data, "template_id", "")
    spec = world.notices().get(template_id)
    if spec is None:
        raise ApiError(40037)
    phone = user(world, jsons.text(data, "touser", ""))
    not_blacklisted(phone)
    url = link_of(data, "page", 41030)
    if template_id not in phone.long_notices and not phone.notices.get(template_id):
        raise ApiError(43101)
    fields = fields_of(spec, jsons.obj(data, "data"))
    if template_id not in phone.long_notices:
        phone.notices[template_id] -= 1
    source = "notice" if phone.following else "service-notice"  # strangers find it among the service notices
    world.show(phone, "account", "card", "", source=source, title=spec.title, url=url, fields=fields)
    world.pusher.spawn(_report(world, phone, template_id, world.next_msgid()))
    return dict(OK)


async def _report(world: World, phone: Phone, template_id: str, msgid: int) -> None:
    await asyncio.sleep(world.settings.finish_delay)
    row = {"TemplateId": template_id, "MsgID": msgid, "ErrorCode": 0, "ErrorStatus": "success"}
    await acts.event(world, phone, "subscribe_msg_sent_event", {"SubscribeMsgSentEvent": {"List": row}})


async def categories(_world: World, _call: Call) -> Json:
    """GET /wxaapi/newtmpl/getcategory."""
    return {**OK, "data": library.CATEGORIES}


async def titles(_world: World, call: Call) -> Json:
    """GET /wxaapi/newtmpl/getpubtemplatetitles?ids=&start=&limit=."""
    wanted, query = call.query.get("ids", "").split(","), call.asked()
    start, limit = jsons.integer(query, "start"), jsons.integer(query, "limit")
    rows = [
        {key: row[key] for key in ("tid", "title", "type", "categoryId")}
        for row in library.NOTICES.values()
        if row["categoryId"] in wanted
    ]
    return {**OK, "count": len(rows), "data": rows[start : start + limit]}


async def keywords(_world: World, call: Call) -> Json:
    """GET /wxaapi/newtmpl/getpubtemplatekeywords?tid=."""
    tid = jsons.integer(call.asked(), "tid")
    if tid not in library.NOTICES:
        raise ApiError(200014)
    return {**OK, "count": len(library.keywords(tid)), "data": library.keywords(tid)}


async def add(world: World, call: Call) -> Json:
    """POST /wxaapi/newtmpl/addtemplate {tid, kidList, sceneDesc}: 2-5 keywords, 25 notices at most."""
    data = call.json()
    tid, kids = jsons.integer(data, "tid"), jsons.numbers(data, "kidList")
    if tid not in library.NOTICES:
        raise ApiError(200014)
    if not FEWEST_KEYWORDS <= len(set(kids)) == len(kids) <= MOST_KEYWORDS:
        raise ApiError(200020)
    if len(jsons.text(data, "sceneDesc", "")) > SCENE_CHARACTERS:
        raise ApiError(200021)
    if len(world.notices()) >= MOST:
        raise ApiError(200012)
    try:
        made = library.notice(tid, kids, new_id())
    except KeyError as error:
        raise ApiError(200020) from error
    world.state.made_notices[made.template_id] = made
    world.changes.bump()
    return {**OK, "priTmplId": made.template_id}


async def list_all(world: World, _call: Call) -> Json:
    """GET /wxaapi/newtmpl/gettemplate."""
    rows = [
        {
            "priTmplId": spec.template_id,
            "title": spec.title,
            "content": content_of(spec),
            "example": "",
            "type": LONG_TERM if spec.long_term else ONE_TIME,
        }
        for spec in world.notices().values()
    ]
    return {**OK, "data": rows}


async def delete(world: World, call: Call) -> Json:
    """POST /wxaapi/newtmpl/deltemplate {priTmplId}."""
    template_id = jsons.text(call.json(), "priTmplId", "")
    if template_id not in world.notices():
        raise ApiError(40037)
    if world.state.made_notices.pop(template_id, None) is None:
        world.state.dropped.append(template_id)
    world.changes.bump()
    return dict(OK)
