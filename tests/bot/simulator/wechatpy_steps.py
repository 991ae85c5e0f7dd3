"""The calls of wechatpy's API classes, in the order in which they are made, and those that are not made."""

from collections.abc import Callable
from typing import Any

from tests.bot.simulator.outside import AMR, DATA, JPG, MENU, MP4, NOTICE, OPENID, OTHER, QR, TAGGED, Step, ok


def file(content: bytes, name: str, kind: str) -> tuple[str, bytes, str]:
    return name, content, kind


BOTH = [OPENID, OTHER]
PICTURE = file(JPG, "a.jpg", "image/jpeg")


def some(name: str) -> Callable[[dict[str, Any]], Any]:
    """That part of an answer."""
    return lambda answer: answer[name]


def same(answer: Any) -> Any:  # noqa: ANN401 - whatever it is
    return answer


media_id = some("media_id")


def counted(tags: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(tag["name"], tag["count"]) for tag in tags]


def default_and_more(answer: dict[str, Any]) -> tuple[str, int]:
    return title(answer["menu"]), len(answer["conditionalmenu"])


def title(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - a name
    return answer["button"][0]["name"]


MENUS = [
    Step("menu.create", lambda c, _: c.menu.create(MENU), ok),
    Step("menu.update", lambda c, _: c.menu.update(MENU), ok),
    Step("tag.create", lambda c, _: c.tag.create("教师"), some("id"), keep="tag"),
    Step("tag.get", lambda c, _: c.tag.get(), counted, [("教师", 0)]),
    Step("tag.tag_user", lambda c, k: c.tag.tag_user(k["tag"], [OPENID]), ok),
    Step("tag.get_user_tag", lambda c, _: c.tag.get_user_tag(OPENID), len, 1),
    Step("tag.get_tag_users", lambda c, k: c.tag.get_tag_users(k["tag"]), lambda a: a["data"]["openid"], [OPENID]),
    Step("tag.iter_tag_users", lambda c, k: c.tag.iter_tag_users(k["tag"]), list, [OPENID]),
    Step(
        "menu.add_conditional",
        lambda c, k: c.menu.add_conditional({**TAGGED, "matchrule": {"tag_id": k["tag"]}}),
        some("menuid"),
        keep="menu",
    ),
    Step("menu.get", lambda c, _: c.menu.get(), default_and_more, ("我的任务", 1)),
    Step("menu.try_match", lambda c, _: c.menu.try_match(OPENID), title, "教师"),
    Step("menu.get_menu_info", lambda c, _: c.menu.get_menu_info(), some("is_menu_open"), 1),
    Step("menu.del_conditional", lambda c, k: c.menu.del_conditional(k["menu"]), ok),
    Step("menu.delete", lambda c, _: c.menu.delete(), ok),
    Step("tag.untag_user", lambda c, k: c.tag.untag_user(k["tag"], OPENID), ok),
    Step("tag.update", lambda c, k: c.tag.update(k["tag"], "老师"), ok),
    Step("tag.delete", lambda c, k: c.tag.delete(k["tag"]), ok),
    Step("tag.batch_black_list", lambda c, _: c.tag.batch_black_list([OTHER]), ok),
    Step("tag.get_black_list", lambda c, _: c.tag.get_black_list(), lambda a: a["data"]["openid"], [OTHER]),
    Step("tag.batch_unblack_list", lambda c, _: c.tag.batch_unblack_list([OTHER]), ok),
]
USERS = [
    Step("user.get", lambda c, _: c.user.get(OPENID), some("subscribe"), 1),
    Step("user.get_batch", lambda c, _: c.user.get_batch([OPENID, OTHER]), len, 2),
    Step("user.get_followers", lambda c, _: c.user.get_followers(), lambda a: a["data"]["openid"], [OPENID, OTHER]),
    Step("user.iter_followers", lambda c, _: c.user.iter_followers(), list, [OPENID, OTHER]),
    Step("user.update_remark", lambda c, _: c.user.update_remark(OPENID, "田老师"), ok),
    Step("qrcode.create", lambda c, _: c.qrcode.create(QR), some("ticket"), keep="ticket"),
    Step("qrcode.show", lambda c, k: c.qrcode.show(k["ticket"]), lambda a: a.content[:4], b"\x89PNG"),
    Step("jsapi.get_ticket", lambda c, _: c.jsapi.get_ticket(), some("expires_in"), 7200),
    Step("jsapi.get_jsapi_ticket", lambda c, _: c.jsapi.get_jsapi_ticket(), len, 86),
    Step("jsapi.get_jsapi_card_ticket", lambda c, _: c.jsapi.get_jsapi_card_ticket(), len, 86),
    Step("misc.get_wechat_ips", lambda c, _: c.misc.get_wechat_ips(), same, ["127.0.0.1"]),
]
MEDIA = [
    Step("media.upload", lambda c, _: c.media.upload("image", PICTURE), media_id, keep="image"),
    Step("media.upload", lambda c, _: c.media.upload("thumb", PICTURE), media_id, keep="thumb"),
    Step(
        "media.upload",
        lambda c, _: c.media.upload("voice", file(AMR, "a.amr", "audio/amr")),
        media_id,
        keep="voice",
    ),
    Step(
        "media.upload",
        lambda c, _: c.media.upload("video", file(MP4, "a.mp4", "video/mp4")),
        media_id,
        keep="video",
    ),
    Step("media.download", lambda c, k: c.media.download(k["image"]), lambda a: a.content, JPG),
    Step("media.upload_image", lambda c, _: c.media.upload_image(PICTURE), same, keep="url"),
    Step("media.upload_mass_image", lambda c, _: c.media.upload_mass_image(PICTURE), same, keep="url"),
    Step("media.upload_articles", lambda c, k: c.media.upload_articles([k.article()]), media_id, keep="news"),
    Step(
        "media.upload_video",
        lambda c, k: c.media.upload_video(k["video"], "录像", ""),
        media_id,
        keep="mpvideo",
    ),
    Step("material.add", lambda c, _: c.material.add("image", PICTURE), media_id, keep="material"),
    Step("material.add_articles", lambda c, k: c.material.add_articles([k.article()]), media_id, keep="article"),
    Step("material.get", lambda c, k: c.material.get(k["article"]), lambda rows: rows[0]["title"], "日报"),
    Step("material.get_count", lambda c, _: c.material.get_count(), some("news_count"), 1),
    Step("material.batchget", lambda c, _: c.material.batchget("news"), some("total_count"), 1),
    Step("material.delete", lambda c, k: c.material.delete(k["article"]), ok),
]
MESSAGES = [
    Step("message.send_text", lambda c, _: c.message.send_text(OPENID, "您好，已收到"), ok),
    Step("message.send_image", lambda c, k: c.message.send_image(OPENID, k["image"]), ok),
    Step("message.send_voice", lambda c, k: c.message.send_voice(OPENID, k["voice"]), ok),
    Step("message.send_video", lambda c, k: c.message.send_video(OPENID, k["video"], "录像", "说明"), ok),
    Step(
        "message.send_music",
        lambda c, k: c.message.send_music(OPENID, "http://127.0.0.1/a.mp3", "http://127.0.0.1/a.mp3", k["thumb"], "歌"),
        ok,
    ),
    Step(
        "message.send_articles",
        lambda c, _: c.message.send_articles(
            OPENID, [{"title": "日报", "description": "", "url": "http://127.0.0.1/", "image": ""}]
        ),
        ok,
    ),
    Step("message.send_articles", lambda c, k: c.message.send_articles(OPENID, k["news"]), ok),
    Step(
        "message.send_mini_program_page",
        lambda c, k: c.message.send_mini_program_page(
            OPENID, {"title": "页", "appid": "wx1", "pagepath": "a", "thumb_media_id": k["thumb"]}
        ),
        ok,
    ),
    Step(
        "message.send_msg_menu",
        lambda c, _: c.message.send_msg_menu(OPENID, {"head_content": "好吗", "list": [{"id": "1", "content": "好"}]}),
        ok,
    ),
    Step("template.set_industry", lambda c, _: c.template.set_industry("21", "16"), ok),
    Step(
        "template.get_industry",
        lambda c, _: c.template.get_industry(),
        lambda a: a["secondary_industry"]["second_class"],
        "培训",
    ),
    Step("template.get", lambda c, _: c.template.get("52305"), same, keep="template"),
    Step("template.add", lambda c, _: c.template.add("OPENTM000001"), same, keep="added"),
    Step(
        "template.get_all_private_template",
        lambda c, _: c.template.get_all_private_template(),
        lambda a: [row["title"] for row in a["template_list"]],
        ["新任务提醒", "工单催办提醒", "待办事项提醒"],
    ),
    Step("template.del_private_template", lambda c, k: c.template.del_private_template(k["added"]), ok),
    Step(
        "message.send_template",
        lambda c, _: c.message.send_template(OPENID, "T-task", DATA, url="http://127.0.0.1/m/"),
        some("msgid"),
        keep="job",
    ),
    Step("message.send_subscribe_message", lambda c, _: c.message.send_subscribe_message(OPENID, "N-once", NOTICE), ok),
    Step(
        "message.send_mass_text",
        lambda c, _: c.message.send_mass_text([OPENID, OTHER], "全体"),
        some("msg_id"),
        keep="mass",
    ),
    Step("message.send_mass_image", lambda c, k: c.message.send_mass_image(None, k["image"], is_to_all=True), ok),
    Step("message.send_mass_voice", lambda c, k: c.message.send_mass_voice(OPENID, k["voice"], preview=True), ok),
    Step("message.send_mass_video", lambda c, k: c.message.send_mass_video(BOTH, k["mpvideo"]), ok),
    Step("message.send_mass_article", lambda c, k: c.message.send_mass_article(BOTH, k["news"]), ok),
    Step("message.get_mass", lambda c, k: c.message.get_mass(k["mass"]), some("msg_status"), "SEND_SUCCESS"),
    Step("message.delete_mass", lambda c, k: c.message.delete_mass(k["mass"]), ok),
]
TOKEN = [
    Step("fetch_access_token", lambda c, _: c.fetch_access_token(), some("expires_in"), 7200),
]
STEPS = [*MENUS, *USERS, *MEDIA, *MESSAGES]
SHOWN = [
    ("custom", "text", "您好，已收到"),
    ("custom", "image", ""),
    ("custom", "voice", ""),
    ("custom", "video", "录像"),
    ("custom", "news", "歌"),
    ("custom", "news", "日报"),
    ("custom", "news", "日报"),
    ("custom", "news", "页"),
    ("custom", "menu", "好吗"),
    ("template", "card", "新任务提醒"),
    ("notice", "card", "事项办理提醒"),
    ("mass", "text", "全体"),
    ("mass", "image", ""),
    ("mass", "voice", ""),
    ("mass", "video", ""),
    ("mass", "news", "日报"),
]
NOT_MADE = {
    "message.send_link": "belongs to mini-programs; the stand-in refuses it with 40008",
    "message.send_card": "coupons: the account has none, and the stand-in refuses them with 48001",
    "message.send_mass_card": "coupons again",
    "message.send_subscribe_template": "the old one-time message (wechat-platform.md 6.4) is not played",
    "message.get_subscribe_authorize_url": "makes an address and no call",
    "message.get_autoreply_info": "the console's own replies are not played",
    "media.get_url": "makes an address and no call",
    "qrcode.get_url": "makes an address and no call",
    "jsapi.get_jsapi_signature": "reckons and makes no call",
    "jsapi.get_jsapi_card_params": "reckons and makes no call",
    "user.get_group_id": "groups gave way to tags",
    "user.change_openid": "moving an account to another owner is not played",
    "material.update_article": "articles cannot be changed here",
    "material.update_articles": "articles cannot be changed here",
    "misc.short_url": "the platform took it away",
} | {
    f"material.{name}": "comments on articles are not played"
    for name in (
        "open_comment", "close_comment", "list_comment", "markelect_comment", "unmarkelect_comment", "delete_comment",
        "add_reply_comment", "delete_reply_comment",
    )
}  # fmt: skip
