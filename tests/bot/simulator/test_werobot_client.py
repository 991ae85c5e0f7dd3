"""Another client that nobody here wrote: WeRoBot's, blocking, unchanged but for the address."""

import asyncio
import inspect
import io
import json
from typing import Any

import pytest
from werobot.client import Client, ClientException
from werobot.config import Config

from tests.bot.simulator.outside import (
    AMR,
    DATA,
    JPG,
    MENU,
    MP4,
    OPENID,
    OTHER,
    QR,
    SETTINGS,
    TAGGED,
    Kept,
    Made,
    Step,
    ok,
    people,
    seen,
    to_stand_in,
)
from tests.bot.simulator.tiny_bot import APP_ID, SECRET, silent, table
from tests.bot.simulator.wechatpy_steps import media_id, some, title

BOTH = [OPENID, OTHER]
STEPS = [
    Step("grant_token", lambda c, _: c.grant_token(), some("expires_in"), 7200),
    Step("get_access_token", lambda c, _: c.get_access_token(), str, keep="token"),
    Step("get_ip_list", lambda c, _: c.get_ip_list(), some("ip_list"), ["127.0.0.1"]),
    Step("create_menu", lambda c, _: c.create_menu(MENU), ok),
    Step("get_menu", lambda c, _: c.get_menu(), lambda a: title(a["menu"]), "我的任务"),
    Step("create_tag", lambda c, _: c.create_tag("教师"), lambda a: a["tag"]["id"], keep="tag"),
    Step("get_tags", lambda c, _: c.get_tags(), lambda a: a["tags"][0]["name"], "教师"),
    Step("tag_users", lambda c, k: c.tag_users(k["tag"], [OPENID]), ok),
    Step("get_tags_by_user", lambda c, _: c.get_tags_by_user(OPENID), lambda a: len(a["tagid_list"]), 1),
    Step("get_users_by_tag", lambda c, k: c.get_users_by_tag(k["tag"]), lambda a: a["data"]["openid"], [OPENID]),
    Step(
        "create_custom_menu",
        lambda c, k: c.create_custom_menu(TAGGED["button"], {"tag_id": k["tag"]}),
        some("menuid"),
        keep="menu",
    ),
    Step("match_custom_menu", lambda c, _: c.match_custom_menu(OPENID), title, "教师"),
    Step("get_custom_menu_config", lambda c, _: c.get_custom_menu_config(), some("is_menu_open"), 1),
    Step("delete_custom_menu", lambda c, k: c.delete_custom_menu(k["menu"]), ok),
    Step("delete_menu", lambda c, _: c.delete_menu(), ok),
    Step("untag_users", lambda c, k: c.untag_users(k["tag"], [OPENID]), ok),
    Step("update_tag", lambda c, k: c.update_tag(k["tag"], "老师"), ok),
    Step("delete_tag", lambda c, k: c.delete_tag(k["tag"]), ok),
    Step("get_user_info", lambda c, _: c.get_user_info(OPENID), some("subscribe"), 1),
    Step("get_users_info", lambda c, _: c.get_users_info(BOTH), lambda a: len(a["user_info_list"]), 2),
    Step("get_followers", lambda c, _: c.get_followers(), lambda a: a["data"]["openid"], BOTH),
    Step("remark_user", lambda c, _: c.remark_user(OPENID, "田老师"), ok),
    Step("create_qrcode", lambda c, _: c.create_qrcode(QR), some("ticket"), keep="ticket"),
    Step("show_qrcode", lambda c, k: c.show_qrcode(k["ticket"]), lambda a: a.content[:4], b"\x89PNG"),
    Step("upload_media", lambda c, _: c.upload_media("image", io.BytesIO(JPG)), media_id, keep="image"),
    Step("upload_media", lambda c, _: c.upload_media("thumb", io.BytesIO(JPG)), media_id, keep="thumb"),
    Step("upload_media", lambda c, _: c.upload_media("voice", io.BytesIO(AMR)), media_id, keep="voice"),
    Step("upload_media", lambda c, _: c.upload_media("video", io.BytesIO(MP4)), media_id, keep="video"),
    Step("download_media", lambda c, k: c.download_media(k["image"]), lambda a: a.content, JPG),
    Step("upload_news_picture", lambda c, _: c.upload_news_picture(io.BytesIO(JPG)), some("url"), keep="url"),
    Step("upload_news", lambda c, k: c.upload_news([k.article()]), media_id, keep="one"),
    Step("add_news", lambda c, k: c.add_news([k.article()]), media_id, keep="news"),
    Step(
        "upload_permanent_media",
        lambda c, _: c.upload_permanent_media("image", io.BytesIO(JPG)),
        media_id,
        keep="picture",
    ),
    Step(
        "upload_permanent_video",
        lambda c, _: c.upload_permanent_video("录像", "说明", io.BytesIO(MP4)),
        lambda a: a.json()["media_id"],
        keep="film",
    ),
    Step("download_permanent_media", lambda c, k: c.download_permanent_media(k["picture"]), lambda a: a.content, JPG),
    Step("get_media_count", lambda c, _: c.get_media_count(), lambda a: (a["news_count"], a["video_count"]), (1, 1)),
    Step("get_media_list", lambda c, _: c.get_media_list("news", 0, 20), some("total_count"), 1),
    Step("send_text_message", lambda c, _: c.send_text_message(OPENID, "您好，已收到"), ok),
    Step("send_image_message", lambda c, k: c.send_image_message(OPENID, k["image"]), ok),
    Step("send_voice_message", lambda c, k: c.send_voice_message(OPENID, k["voice"]), ok),
    Step("send_video_message", lambda c, k: c.send_video_message(OPENID, k["video"], "录像", "说明"), ok),
    Step(
        "send_music_message",
        lambda c, k: c.send_music_message(OPENID, "http://127.0.0.1/", "http://127.0.0.1/", k["thumb"], "歌"),
        ok,
    ),
    Step(
        "send_article_message",
        lambda c, _: c.send_article_message(
            OPENID, [{"title": "日报", "description": "", "url": "http://127.0.0.1/", "picurl": ""}]
        ),
        ok,
    ),
    Step("send_news_message", lambda c, k: c.send_news_message(OPENID, k["news"]), ok),
    Step(
        "send_miniprogrampage_message",
        lambda c, k: c.send_miniprogrampage_message(OPENID, "页", "wx1", "a", k["thumb"]),
        ok,
    ),
    Step("delete_permanent_media", lambda c, k: c.delete_permanent_media(k["news"]), ok),
    Step(
        "send_template_message", lambda c, _: c.send_template_message(OPENID, "T-task", DATA), some("msgid"), keep="job"
    ),
    Step("send_mass_msg", lambda c, _: c.send_mass_msg("text", "全体", BOTH), some("msg_id"), keep="mass"),
    Step("send_mass_msg", lambda c, k: c.send_mass_msg("mpnews", k["one"], client_msg_id="day-7"), ok),
    Step("send_mass_preview_to_user", lambda c, _: c.send_mass_preview_to_user("text", "先看看", OPENID), ok),
    Step("get_mass_msg_status", lambda c, k: c.get_mass_msg_status(k["mass"]), some("msg_status"), "SEND_SUCCESS"),
    Step("delete_mass_msg", lambda c, k: c.delete_mass_msg(k["mass"]), ok),
]
SHOWN = [
    ("custom", "text", "您好，已收到"),
    ("custom", "image", ""),
    ("custom", "voice", ""),
    ("custom", "video", "录像"),
    ("custom", "news", "歌"),
    ("custom", "news", "日报"),
    ("custom", "news", "日报"),
    ("custom", "news", "页"),
    ("template", "card", "新任务提醒"),
    ("mass", "text", "全体"),
    ("mass", "news", "日报"),
    ("mass", "text", "先看看"),
]
NOT_MADE = {
    **dict.fromkeys(("get", "post", "request"), "what the others are made with"),
    **dict.fromkeys(
        (
            "add_custom_service_account", "update_custom_service_account", "delete_custom_service_account",
            "upload_custom_service_account_avatar", "get_custom_service_account_list",
            "get_online_custom_service_account_list",
        ),
        "the desk of human agents is not played",
    ),
    **dict.fromkeys(
        (
            "create_group", "get_groups", "get_group_by_id", "update_group", "move_user", "move_users", "delete_group",
        ),
        "groups gave way to tags",
    ),
    "update_news": "articles cannot be changed here",
    **dict.fromkeys(("get_mass_msg_speed", "set_mass_msg_speed"), "mass messages have no speed here"),
}  # fmt: skip


def client() -> Client:
    return Client(Config(APP_ID=APP_ID, APP_SECRET=SECRET))


async def test_every_call_that_the_stand_in_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table(silent, **SETTINGS) as one:
        to_stand_in(monkeypatch, one.platform.origin)
        people(one)
        theirs, kept, made = client(), Kept(), Made()
        for step in STEPS:
            await one.platform.phone(OPENID).say("在吗")  # so that a window is open for what follows
            await asyncio.to_thread(made.make, step, theirs, kept)
        assert made.wrong == []
        assert len(made.names) == len(STEPS) == 52
        assert seen(one) == SHOWN


def test_every_method_is_called_or_left_out_for_a_reason() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    called = {step.name for step in STEPS}
    assert called & NOT_MADE.keys() == set()
    assert called | NOT_MADE.keys() == methods


async def test_refusals_arrive_as_werobots_exception_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table(silent, followers=1) as one:
        to_stand_in(monkeypatch, one.platform.origin)
        theirs = client()
        calls: list[tuple[str, tuple[Any, ...], int]] = [
            ("send_text_message", ("o-sim-00001", "x"), 45015),
            ("match_custom_menu", ("o-sim-00001",), 46003),
            ("get_groups", (), 40066),
            ("get_user_info", ("o-nobody",), 40003),
        ]
        for name, given, code in calls:
            with pytest.raises(ClientException, match=f"^{code}: "):
                await asyncio.to_thread(getattr(theirs, name), *given)
        gone = await asyncio.to_thread(theirs.download_media, "nothing")
        assert json.loads(gone.content)["errcode"] == 40007
