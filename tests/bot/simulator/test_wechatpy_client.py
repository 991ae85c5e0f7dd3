"""A client that nobody here wrote: wechatpy's own, blocking, unchanged but for the address."""

import asyncio
import io
from collections.abc import Callable
from typing import TypeVar

import pytest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatClientException
from wechatpy.session.memorystorage import MemoryStorage

from tests.bot.simulator.tiny_bot import APP_ID, SECRET, Table, silent, table

T = TypeVar("T")
REAL = "https://api.weixin.qq.com"
JPG = b"\xff\xd8\xff\xe0" + b"picture" * 20
MENU = {"button": [{"type": "click", "name": "我的任务", "key": "tasks"}]}


class ToStandIn(HTTPAdapter):
    """Carries what is meant for the real platform to the stand-in."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def send(self, request: PreparedRequest, *args: object, **options: object) -> Response:
        request.url = str(request.url).replace(REAL, self.origin, 1)
        return super().send(request, *args, **options)  # type: ignore[arg-type]  # handed on as they came


def client_of(one: Table) -> WeChatClient:
    client = WeChatClient(APP_ID, SECRET, session=MemoryStorage(), auto_retry=False)
    client._http.mount(REAL, ToStandIn(one.platform.origin))
    return client


async def blocking(work: Callable[[], T]) -> T:
    """Run a blocking call beside the loop that serves it."""
    return await asyncio.to_thread(work)


async def test_token_menu_tag_user_and_qr_calls() -> None:
    async with table(silent, followers=2) as one:
        client = client_of(one)

        def calls() -> list[object]:
            client.menu.create(MENU)
            tag = client.tag.create("教师")["id"]
            client.tag.tag_user(tag, ["o-sim-00001"])
            rule = {"button": [{"type": "click", "name": "教师", "key": "t"}], "matchrule": {"tag_id": tag}}
            menuid = client.menu.add_conditional(rule)["menuid"]
            seen = [
                client.menu.get()["menu"]["button"][0]["name"],
                client.menu.try_match("o-sim-00001")["button"][0]["name"],
                client.menu.try_match("o-sim-00002")["button"][0]["name"],
                client.tag.get_user_tag("o-sim-00001"),
                list(client.user.iter_followers()),
                client.user.get("o-sim-00002")["subscribe"],
                client.user.get_batch(["o-sim-00001"])[0]["tagid_list"] == [tag],
                client.user.update_remark("o-sim-00001", "田老师")["errcode"],
                client.menu.get_menu_info()["is_menu_open"],
            ]
            client.menu.del_conditional(menuid)
            client.tag.untag_user(tag, ["o-sim-00001"])
            client.tag.update(tag, "老师")
            client.tag.delete(tag)
            client.menu.delete()
            qr = client.qrcode.create(
                {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "x"}}}
            )
            return [*seen, qr["expire_seconds"], qr["url"].startswith("http://weixin.qq.com/q/")]

        assert await blocking(calls) == [
            "我的任务",
            "教师",
            "我的任务",
            [100],
            ["o-sim-00001", "o-sim-00002"],
            1,
            True,
            0,
            1,
            60,
            True,
        ]


async def test_message_and_media_calls() -> None:
    async with table(silent, followers=1) as one:
        client, phone = client_of(one), one.platform.phone("o-sim-00001")
        await phone.say("在吗")

        def calls() -> bytes:
            media_id = client.media.upload("image", io.BytesIO(JPG))["media_id"]
            client.message.send_text(phone.openid, "您好，已收到")
            client.message.send_image(phone.openid, media_id)
            client.message.send_articles(
                phone.openid, [{"title": "日报", "description": "", "url": "http://127.0.0.1/", "image": ""}]
            )
            data = {"thing1": {"value": "走访"}, "time2": {"value": "07:30"}, "number3": {"value": "3"}}
            client.message.send_template(phone.openid, "T-task", data, url="http://127.0.0.1/m/")
            client.template.get_all_private_template()
            content: bytes = client.media.download(media_id).content
            return content

        assert await blocking(calls) == JPG
        assert [(item.kind, item.text or item.title) for item in phone.screen[1:]] == [
            ("text", "您好，已收到"),
            ("image", ""),
            ("news", "日报"),
            ("card", "新任务提醒"),
        ]


async def test_refusals_arrive_as_wechatpys_exception_with_the_code() -> None:
    async with table(silent, followers=1) as one:
        client = client_of(one)
        for work, code in [
            (lambda: client.message.send_text("o-sim-00001", "x"), 45015),
            (lambda: client.menu.try_match("o-sim-00001"), 46003),
            (lambda: client.user.get("o-nobody"), 40003),
            (lambda: client.media.upload("image", io.BytesIO(b"text")), 40005),
        ]:
            with pytest.raises(WeChatClientException) as refused:
                await blocking(work)
            assert refused.value.errcode == code


async def test_a_ticket_for_pages_is_the_same_for_two_hours() -> None:
    async with table(silent) as one:
        client = client_of(one)
        first, second = await blocking(client.jsapi.get_ticket), await blocking(client.jsapi.get_ticket)
        assert first["ticket"] == second["ticket"]
        one.platform.world.clock.advance(7201)
        client = client_of(one)
        assert (await blocking(client.jsapi.get_ticket))["ticket"] != first["ticket"]
