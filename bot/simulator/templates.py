"""Template messages: typed fields checked one by one, delivery events afterwards."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.simulator import acts, jsons
from bot.simulator.errors import ApiError
from bot.simulator.jsons import ShapeError
from bot.simulator.messages_api import user
from bot.simulator.state import SentOnce

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.settings import TemplateSpec
    from bot.simulator.state import Phone
    from bot.simulator.world import World

DEDUP = 600
OLD_LIMIT = 20
DROPPED_OLD_KEYS = frozenset({"first", "remark"})
OLD_KEY = re.compile(r"keyword\d+")
KEY = re.compile(r"([a-z_]+?)\d+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
EMOJI = re.compile("[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")
HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"
YEAR, MONTH, DAY = "\u5e74", "\u6708", "\u65e5"
DATE = rf"\d{{4}}({YEAR}|[-./,])\d{{1,2}}({MONTH}|[-./,])\d{{1,2}}{DAY}?"
MOMENT = rf"({DATE}\s*)?{CLOCK}"
RULES: dict[str, re.Pattern[str]] = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "short_thing": re.compile(r".{1,20}", re.DOTALL),
    "number": re.compile(r"-?\d{1,32}(\.\d{1,32})?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(rf"[^\w\s{HAN}]{{1,5}}"),
    "character_string": re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,30}[\x21-\x7e])?"),
    "time": re.compile(rf"({MOMENT}(\s*~\s*{MOMENT})?|{DATE})"),
    "date": re.compile(rf"{DATE}(\s*{CLOCK})?(\s*~\s*{DATE}(\s*{CLOCK})?)?"),
    "amount": re.compile(r"[\u00a5\uffe5$\u20ac\u00a3]?\d{1,10}(\.\d+)?\u5143?"),
    "phone_number": re.compile(r"[\d+\-() ]{1,17}"),
    "car_number": re.compile(rf"[{HAN}A-Z0-9a-z]{{1,8}}"),
    "phrase": re.compile(rf"[{HAN}]{{1,5}}"),
    "const": re.compile(r".{1,20}"),
    "enum": re.compile(r".{1,20}"),
}
NAME_HAN, NAME_LATIN = 10, 20


def _fits(kind: str, value: str) -> bool:
    if not value.strip() or CONTROL.search(value):
        return False
    if kind == "name":
        return len(value) <= (NAME_HAN if re.search(f"[{HAN}]", value) else NAME_LATIN) and not re.search(r"\d", value)
    rule = RULES.get(kind)
    return rule is not None and rule.fullmatch(value) is not None


def _refuse(key: str, why: str = "invalid") -> ApiError:
    return ApiError(47003, what=f"data.{key}.value {why}")


def fields_of(spec: TemplateSpec, data: Json) -> list[Json]:
    """The card's fields in the template's order; raises ApiError 47003 naming the first bad one."""
    for key in data:
        if key not in spec.keys and key not in DROPPED_OLD_KEYS:
            raise _refuse(key, "is not a key of the template")
    labels = dict(zip(spec.keys, spec.labels, strict=False))
    fields: list[Json] = []
    for key in spec.keys:
        if key in DROPPED_OLD_KEYS:
            continue
        try:
            value = jsons.text(jsons.obj(data, key), "value", "")
        except ShapeError as error:
            raise _refuse(key, "is empty") from error
        if OLD_KEY.fullmatch(key):
            value = EMOJI.sub("", CONTROL.sub("", value))[:OLD_LIMIT]
        else:
            typed = KEY.fullmatch(key)
            if not value:
                raise _refuse(key, "is empty")
            if typed is None or not _fits(typed[1], value):
                raise _refuse(key)
            value = EMOJI.sub("", value)
        fields.append({"key": key, "label": labels.get(key, ""), "value": value})
    return fields


async def send(world: World, call: Call) -> Json:
    """POST /cgi-bin/message/template/send; the outcome of the delivery is pushed a moment later."""
    data = call.json()
    spec = world.account.templates.get(jsons.text(data, "template_id", ""))
    if spec is None:
        raise ApiError(40037)
    phone = user(world, jsons.text(data, "touser", ""))
    if not phone.following:
        raise ApiError(43004)
    fields = fields_of(spec, jsons.obj(data, "data"))
    url = jsons.text(data, "url", "")
    if url and urlsplit(url).scheme not in {"http", "https"}:
        raise ApiError(40039)
    once = f"{phone.openid} {jsons.text(data, 'client_msg_id', '')}"
    earlier = world.state.sent_once.get(once)
    if not once.endswith(" ") and earlier and world.clock.now() - earlier.at < DEDUP:
        return {"errcode": 0, "errmsg": "ok", "msgid": earlier.msgid}
    msgid = world.next_msgid()
    if not once.endswith(" "):
        world.state.sent_once[once] = SentOnce(world.clock.now(), msgid)
    status = "failed:user block" if phone.blocks_templates else "success"
    if not phone.blocks_templates:
        world.show(phone, "account", "card", "", source="template", title=spec.title, url=url, fields=fields)
    world.pusher.spawn(_report(world, phone, msgid, status))
    return {"errcode": 0, "errmsg": "ok", "msgid": msgid}


async def _report(world: World, phone: Phone, msgid: int, status: str) -> None:
    await asyncio.sleep(world.settings.finish_delay)
    await acts.event(world, phone, "TEMPLATESENDJOBFINISH", {"MsgID": msgid, "Status": status})


async def list_all(world: World, _call: Call) -> Json:
    """GET /cgi-bin/template/get_all_private_template."""
    return {"template_list": [_described(spec) for spec in world.account.templates.values()]}


def _described(spec: TemplateSpec) -> Json:
    labels = dict(zip(spec.keys, spec.labels, strict=False))
    lines = [f"{labels.get(key, key)}:{{{{{key}.DATA}}}}" for key in spec.keys]
    return {
        "template_id": spec.template_id,
        "title": spec.title,
        "primary_industry": "",
        "deputy_industry": "",
        "content": "\n".join(lines) + "\n",
        "example": "",
    }
