"""What the platform tells about users, which is little: no name, no picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.messages_api import OK, user

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

PAGE = 10_000
BATCH = 100
REMARK = 30


def _info(phone: Phone) -> Json:
    if not phone.following:
        return {"subscribe": 0, "openid": phone.openid, "tagid_list": []}
    return {
        "subscribe": 1,
        "openid": phone.openid,
        "language": "",
        "subscribe_time": phone.subscribe_time,
        "remark": phone.remark,
        "groupid": phone.tags[-1] if phone.tags else 0,
        "tagid_list": list(phone.tags),
        "subscribe_scene": phone.subscribe_scene,
        "qr_scene": phone.qr_scene,
        "qr_scene_str": phone.qr_scene_str,
    }


async def info(world: World, call: Call) -> Json:
    """GET /cgi-bin/user/info."""
    return _info(user(world, call.query.get("openid", "")))


async def batch(world: World, call: Call) -> Json:
    """POST /cgi-bin/user/info/batchget."""
    wanted = jsons.rows(call.json(), "user_list")
    if not 0 < len(wanted) <= BATCH:
        raise ApiError(40032)
    return {"user_info_list": [_info(user(world, jsons.text(one, "openid", ""))) for one in wanted]}


async def remark(world: World, call: Call) -> Json:
    """POST /cgi-bin/user/info/updateremark."""
    data = call.json()
    text = jsons.text(data, "remark", "")
    if len(text) > REMARK:
        raise ApiError(45002)
    user(world, jsons.text(data, "openid", "")).remark = text
    return dict(OK)


async def followers(world: World, call: Call) -> Json:
    """GET /cgi-bin/user/get: pages of ten thousand, in a fixed order."""
    after = call.query.get("next_openid", "")
    following = sorted(phone.openid for phone in world.state.phones.values() if phone.following)
    page = [openid for openid in following if openid > after][:PAGE]
    answer: Json = {"total": len(following), "count": len(page), "next_openid": page[-1] if page else ""}
    if page:
        answer["data"] = {"openid": page}
    return answer
