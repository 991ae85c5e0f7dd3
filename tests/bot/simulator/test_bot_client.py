"""The bot's own client makes the calls that clients written elsewhere make, and what it has of its own besides."""

import inspect
from typing import Any

import aiohttp
import pytest

from bot.settings import Wechat
from bot.wechat import WeChat
from tests.bot.simulator.outside import (
    DATA,
    JPG,
    MENU,
    NOTICE,
    OK,
    OPENID,
    OTHER,
    SETTINGS,
    TAGGED,
    Kept,
    Made,
    Step,
    people,
    seen,
)
from tests.bot.simulator.tiny_bot import AES_KEY, APP_ID, ONCE, SECRET, TOKEN, silent, table
from tests.bot.simulator.wechatpy_steps import SHOWN, STEPS

NOT_MADE = {
    "tag.iter_tag_users": "wechatpy's loops over pages know no await",
    "user.iter_followers": "wechatpy's loops over pages know no await",
    "jsapi.get_jsapi_ticket": "wechatpy's own cache knows no await; jsapi.get_ticket is called",
    "jsapi.get_jsapi_card_ticket": "wechatpy's own cache knows no await; jsapi.get_ticket is called",
    "qrcode.show": "goes past the client; the bot hands out the picture's address",
    "material.add": "wechatpy puts the token into it itself, which the bot's client does not hand out",
    "material.get": "the bot keeps no articles, and its client takes their parts for a file",
}


def is_there(answer: Any) -> bool:  # noqa: ANN401 - whatever came
    return bool(answer)


def done(answer: object) -> int:
    """A call that only may not fail."""
    return OK if answer is None else -1


OWN = [
    Step("try_credentials", lambda c, _: c.try_credentials(), done),
    Step("date", lambda c, _: c.date(), is_there, expected=True),
    Step("callback_addresses", lambda c, _: c.callback_addresses(), list, ["127.0.0.1"]),
    Step("create_menu", lambda c, _: c.create_menu(MENU), done),
    Step("create_tag", lambda c, _: c.create_tag("教师"), int, keep="tag"),
    Step("tags", lambda c, _: c.tags(), list, ["教师"]),
    Step("tag_users", lambda c, k: c.tag_users(k["tag"], [OPENID, OTHER]), done),
    Step("untag_users", lambda c, k: c.untag_users(k["tag"], [OTHER]), done),
    Step(
        "add_conditional_menu",
        lambda c, k: c.add_conditional_menu({**TAGGED, "matchrule": {"tag_id": k["tag"]}}),
        str,
        keep="menu",
    ),
    Step("menus", lambda c, _: c.menus(), lambda found: (len(found[0]), len(found[1])), (1, 1)),
    Step("delete_conditional_menu", lambda c, k: c.delete_conditional_menu(k["menu"]), done),
    Step("user_info", lambda c, _: c.user_info(OPENID), lambda info: info["subscribe"], 1),
    Step("create_qr", lambda c, _: c.create_qr("x", 60), str, keep="ticket"),
    Step("upload_media", lambda c, _: c.upload_media("image", "a.jpg", JPG, "image/jpeg"), str, keep="image"),
    Step("download_media", lambda c, k: c.download_media(k["image"]), lambda got: got.content, JPG),
    Step("send_text", lambda c, _: c.send_text(OPENID, "您好"), done),
    Step("send_media", lambda c, k: c.send_media(OPENID, "image", k["image"]), done),
    Step("private_templates", lambda c, _: c.private_templates(), len, 2),
    Step(
        "send_template",
        lambda c, _: c.send_template(OPENID, "T-task", {name: one["value"] for name, one in DATA.items()}, None, "m-1"),
        str,
        keep="job",
    ),
    Step(
        "send_notice",
        lambda c, _: c.send_notice(OPENID, ONCE.template_id, {name: one["value"] for name, one in NOTICE.items()}),
        done,
    ),
    Step("script_ticket", lambda c, _: c.script_ticket(), lambda got: len(got[0]) > 0 < got[1], expected=True),
    Step("oauth_openid", lambda c, k: c.oauth_openid(k["code"]), lambda who: who.openid, OPENID),
]
NO_CALL = {"qr_picture_url", "oauth_url", "may"}
SHOWN_BY_US = [
    ("custom", "text", "您好"),
    ("custom", "image", ""),
    ("template", "card", "新任务提醒"),
    ("notice", "card", "事项办理提醒"),
]


@pytest.fixture
def wanted() -> list[Step]:
    return [step for step in STEPS if step.name not in NOT_MADE]


async def test_every_call_that_the_stand_in_serves(wanted: list[Step]) -> None:
    async with table(silent, **SETTINGS) as one, aiohttp.ClientSession() as http:
        people(one)
        one.platform.phone(OPENID).user.notices[ONCE.template_id] = 2  # one for wechatpy's client, one for ours
        given = {"app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY}
        ours = WeChat(Wechat.model_validate({**given, "api_origin": one.platform.origin}), http)
        made = Made()
        for client, steps in ((ours.client, wanted), (ours, OWN)):
            kept = Kept(code=await code_of(ours, http))
            for step in steps:
                await one.platform.phone(OPENID).say("在吗")  # so that a window is open for what follows
                made.note(step, await step.call(client, kept), kept)
        assert made.wrong == []
        assert (len(wanted), len(OWN), len(made.names)) == (63, 22, 85)
        assert seen(one) == SHOWN + SHOWN_BY_US


async def code_of(ours: WeChat, http: aiohttp.ClientSession) -> str:
    """The code with which a person's browser comes back."""
    address = ours.oauth_url("http://127.0.0.1/m/back", "s1").replace("#wechat_redirect", f"&sim_openid={OPENID}")
    async with http.get(address, allow_redirects=False) as response:
        return response.headers["Location"].split("code=")[1].split("&")[0]


def test_every_method_of_the_bots_client_is_called() -> None:
    methods = {name for name, _ in inspect.getmembers(WeChat, inspect.isfunction) if not name.startswith("_")}
    assert {step.name for step in OWN} | NO_CALL == methods
