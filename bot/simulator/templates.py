"""Template messages, the delivery events afterwards, and the account's list of templates."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING

from bot.simulator import acts, jsons, library
from bot.simulator.errors import ApiError
from bot.simulator.fields import fields_of
from bot.simulator.links import host_of
from bot.simulator.messages_api import OK, not_blacklisted, user
from bot.simulator.state import SentOnce

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.settings import TemplateSpec
    from bot.simulator.state import Phone
    from bot.simulator.world import World

MOST = 25
PAGE_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(\?\S*)?")


async def send(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/template/send; the outcome of the delivery is pushed a moment later."""
    data = call.json()
    template_id = jsons.text(data, "template_id", "")
    if not template_id:
        raise ApiError(40036)
    spec = world.templates().get(template_id)
    if spec is None:
        raise ApiError(40037)
    phone = user(world, jsons.text(data, "touser", ""))
    if not phone.following:
        raise ApiError(43004)
    not_blacklisted(phone)
    url = link_of(data, "url", 40039)
    fields = fields_of(spec, jsons.obj(data, "data"))
    once, msgid = jsons.text(data, "client_msg_id", ""), world.next_msgid()
    if once:
        key, now = f"{phone.openid} {once}", world.clock.now()
        earlier = world.state.sent_once.get(key)
        if earlier and now - earlier.at < world.settings.assumed.client_msg_id_life:
            return {**OK, "msgid": earlier.msgid}
        world.state.sent_once[key] = SentOnce(now, msgid)
    status = "success"
    if phone.blocks_templates:
        status = "failed:user block"
    elif world.faults.take("template_failed"):
        status = "failed: system failed"
    else:
        world.show(phone, "account", "card", "", source="template", title=spec.title, url=url, fields=fields)
    world.pusher.spawn(_report(world, phone, msgid, status))
    return {**OK, "msgid": msgid}


def link_of(data: Json, key: str, wrong: int) -> str:
    """The web address of a message and its mini-program's path, checked; raises ApiError."""
    url = jsons.text(data, key, "") if data.get(key) is not None else ""
    if url and not host_of(url):
        raise ApiError(wrong)
    if data.get("miniprogram"):
        program = jsons.obj(data, "miniprogram")
        path = jsons.text(program, "pagepath", "") or jsons.text(program, "page", "")
        if not jsons.text(program, "appid", ""):
            raise ApiError(40013)
        if path and not PAGE_PATH.fullmatch(path):
            raise ApiError(40165)
    return url


async def _report(world: World, phone: Phone, msgid: int, status: str) -> None:
    await asyncio.sleep(world.settings.finish_delay)
    await acts.event(world, phone, "TEMPLATESENDJOBFINISH", {"MsgID": msgid, "Status": status})


async def list_all(world: World, _call: Call) -> Json:
    """GET /cgi-bin/template/get_all_private_template."""
    return {"template_list": [_described(world, spec) for spec in world.templates().values()]}


def content_of(spec: TemplateSpec) -> str:
    """A template as the console shows it: label and key on a line each."""
    labels = dict(zip(spec.keys, spec.labels, strict=False))
    return "".join(f"{labels.get(key, key)}:{{{{{key}.DATA}}}}\n" for key in spec.keys)


def _described(world: World, spec: TemplateSpec) -> Json:
    first, second = [*map(library.industry, world.state.industries), ("", ""), ("", "")][:2]
    return {
        "template_id": spec.template_id,
        "title": spec.title,
        "primary_industry": first[0],
        "deputy_industry": second[0],
        "content": content_of(spec),
        "example": "",
    }


def new_id() -> str:
    """The id of a new template: 43 characters."""
    return secrets.token_urlsafe(32)


async def add(world: World, call: Call) -> Json:
    """POST /cgi-bin/template/api_add_template {template_id_short}: one of the public library's, 25 at most."""
    short = jsons.text(call.json(), "template_id_short", "")
    made = library.template(short, new_id())
    if made is None:
        raise ApiError(40036)
    if len(world.templates()) >= MOST:
        raise ApiError(45026)
    world.state.made_templates[made.template_id] = made
    world.changes.bump()
    return {**OK, "template_id": made.template_id}


async def delete(world: World, call: Call) -> Json:
    """POST /cgi-bin/template/del_private_template {template_id}."""
    template_id = jsons.text(call.json(), "template_id", "")
    if template_id not in world.templates():
        raise ApiError(40037)
    if world.state.made_templates.pop(template_id, None) is None:
        world.state.dropped.append(template_id)
    world.changes.bump()
    return dict(OK)


async def set_industry(world: World, call: Call) -> Json:
    """POST /cgi-bin/template/api_set_industry {industry_id1, industry_id2}: once a month."""
    data = call.json()
    wanted = [jsons.text(data, name, "") for name in ("industry_id1", "industry_id2")]
    if not all(library.industry(one) != ("", "") for one in wanted):
        raise ApiError(40102)
    key = f"{world.clock.day()[:7]} industry"
    if world.state.counters.get(key):
        raise ApiError(43100)
    world.state.counters[key] = 1
    world.state.industries = wanted
    return dict(OK)


async def get_industry(world: World, _call: Call) -> Json:
    """GET /cgi-bin/template/get_industry."""
    if not world.state.industries:
        raise ApiError(40102)
    classes = ("first_class", "second_class")
    first, second = (dict(zip(classes, library.industry(one), strict=True)) for one in world.state.industries)
    return {"primary_industry": first, "secondary_industry": second}
