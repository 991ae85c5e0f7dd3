"""The phones page with the stand-in alone: phones that come and go, codes and cameras, pages, faults, the log."""

import base64
import io
from pathlib import Path

import pytest
import segno
from aiohttp import web
from playwright.async_api import Page, expect

from tests.bot.simulator.test_signin import PagesBot
from tests.bot.simulator.tiny_bot import Table, silent, table
from tests.browser.handset import Handset

pytestmark = pytest.mark.browser
NOTHING = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR42mO4oWKBFTEMLQkVC6wIAPWxUAGGEYchAAAAAElFTkSuQmCC"
)
"""A picture with nothing to read on it."""


class LinkedPages(PagesBot):
    """Three pages behind sign-in: a link leads from the first to the second, a form from there to the third."""

    async def page(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/m/")
        if "session" not in request.cookies or name == "back":
            return await super().page(request)
        if request.method == "POST":
            return web.Response(status=303, headers={"Location": "/m/done"})
        links = {"case": '<a href="/m/more">on</a>', "more": '<form method="post"><button>send</button></form>'}
        body = f"<!doctype html><title>{name}</title><h1>{name}</h1>{links.get(name, '')}"
        return web.Response(text=body, content_type="text/html")


async def names(desk: Page) -> list[str]:
    """Of the phones on the wall, from the left."""
    return await desk.get_by_test_id("phone-name").all_inner_texts()


async def open_page(desk: Page, one: Table) -> None:
    await desk.goto(one.platform.origin)
    await desk.wait_for_selector("body[data-ready]")


async def make_code(one: Table, scene: str) -> dict[str, str]:
    """A scene QR code as the bot makes them: ticket and url."""
    wanted = {"action_name": "QR_STR_SCENE", "expire_seconds": 600, "action_info": {"scene": {"scene_str": scene}}}
    return {key: str(value) for key, value in (await one.api("qrcode/create", wanted)).items()}


def png(text: str) -> bytes:
    """A picture of a code, turned nowhere, as a printer's file has it."""
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="png", scale=5, border=4)
    return out.getvalue()


async def test_phones_are_added_renamed_moved_and_put_away_and_stay_so(desk: Page) -> None:
    async with table(silent) as one:
        for name in ("甲", "乙"):
            one.platform.add_phone(name)
        await open_page(desk, one)
        await desk.get_by_test_id("add-phone").click()
        await desk.get_by_test_id("add-name").fill("路人 小陈")
        await desk.get_by_test_id("add-number").fill("12345")
        await desk.get_by_test_id("add-submit").click()
        await expect(desk.get_by_test_id("toast")).to_have_text("手机号码是 1 开头的 11 位数字。")
        await desk.get_by_test_id("add-number").fill("13812345678")
        await desk.get_by_test_id("add-submit").click()
        await expect(Handset(desk, "路人 小陈").part("number")).to_have_text("13812345678")
        await Handset(desk, "甲").part("phone-name").click()
        await Handset(desk, "甲").part("ask-input").fill("甲老师")
        await Handset(desk, "甲").part("ask-submit").click()
        await expect(Handset(desk, "甲老师").element).to_be_visible()
        await Handset(desk, "路人 小陈").part("phone-more").click()
        await Handset(desk, "路人 小陈").part("move-left").click()
        await Handset(desk, "甲老师").part("hide").click()
        assert await names(desk) == ["路人 小陈", "乙"]
        await Handset(desk, "乙").part("phone-name").drag_to(Handset(desk, "路人 小陈").part("messages"))
        assert await names(desk) == ["乙", "路人 小陈"]
        await desk.reload()
        await desk.wait_for_selector("body[data-ready]")
        assert await names(desk) == ["乙", "路人 小陈"]
        await desk.get_by_test_id("add-phone").click()
        await desk.get_by_test_id("add-known").filter(has_text="甲老师").click()
        await expect(desk.get_by_test_id("phone-name")).to_have_count(3)


async def test_a_camera_reads_a_code_on_another_phones_screen(desk: Page) -> None:
    async with table(silent) as one:
        shown, camera = one.platform.add_phone("手里有码"), one.platform.add_phone("路人", following=False)
        code = await make_code(one, "invite-ABCD2345")
        await open_page(desk, one)
        holder, scanner = Handset(desk, "手里有码"), Handset(desk, "路人")
        await scanner.chooses("sheet-scan")
        await expect(scanner.part("scanner")).to_contain_text("别的手机上现在没有二维码")
        await scanner.part("scanner").get_by_role("button", name="关闭扫一扫").click()
        await holder.opens(f"{one.platform.origin}/cgi-bin/showqrcode?ticket={code['ticket']}")
        await scanner.chooses("sheet-scan", "scan-choice")
        await expect(scanner.element).to_have_attribute("data-following", "true")
        [push] = one.bot.seen
        assert "<![CDATA[qrscene_invite-ABCD2345]]>" in push.xml
        assert code["ticket"] in push.xml
        assert camera.user.qr_scene_str == "invite-ABCD2345"
        await holder.part("frame-close").click()

        await shown.send_image(png(code["url"]))
        await scanner.chooses("sheet-scan")
        await expect(scanner.part("scan-choice")).to_contain_text(code["url"])
        await scanner.part("scan-choice").click()
        await expect(scanner.part("messages")).to_contain_text("扫描二维码")
        assert "<![CDATA[SCAN]]>" in one.bot.seen[-1].xml


async def test_a_code_is_also_read_from_a_file_or_typed_in(desk: Page, tmp_path: Path) -> None:
    async with table(silent) as one:
        one.platform.add_phone("路人")
        code = await make_code(one, "invite-WXYZ6789")
        file, nothing = tmp_path / "code.png", tmp_path / "nothing.png"
        file.write_bytes(png(code["url"]))
        nothing.write_bytes(NOTHING)
        await open_page(desk, one)
        scanner = Handset(desk, "路人")
        await scanner.chooses("sheet-scan")
        for path in (nothing, file):
            async with desk.expect_file_chooser() as chooser:
                await scanner.part("scan-album").click()
            await (await chooser.value).set_files(path)
        await expect(desk.get_by_test_id("toast")).to_have_text("这张图里没有认出二维码。")
        await expect(scanner.part("messages")).to_contain_text("扫描二维码")
        for typed in (code["ticket"], code["url"], "invite-WXYZ6789", f"https://x.example/?ticket={code['ticket']}"):
            await scanner.chooses("sheet-scan")
            await scanner.part("scan-input").fill(typed)
            await scanner.part("scan-submit").click()
            await expect(scanner.part("scanner")).to_have_count(0)
        await expect(scanner.part("messages").get_by_text("扫描二维码")).to_have_count(5)
        await scanner.chooses("sheet-scan")
        await scanner.part("scan-input").fill("没有这个码")
        await scanner.part("scan-submit").click()
        await expect(desk.get_by_test_id("toast").last).to_have_text("平台没有发过这个二维码。")


async def test_two_phones_are_signed_in_as_two_people_and_go_back_and_reload(desk: Page) -> None:
    async with LinkedPages().running() as bot, table(silent) as one:
        one.platform.bot_url = bot.url
        for name in ("甲", "乙"):
            one.platform.add_phone(name)
        await open_page(desk, one)
        first, second = Handset(desk, "甲"), Handset(desk, "乙")
        for phone in (first, second):
            await phone.opens(f"{bot.url}/m/case")
            await expect(phone.part("frame").content_frame.get_by_role("heading")).to_have_text("case")
        sessions = [phone.user.cookies["session"] for phone in map(one.platform.phone, one.platform.world.state.phones)]
        assert len(set(sessions)) == 2
        page = first.part("frame").content_frame
        await page.get_by_role("link").click()
        await expect(page.get_by_role("heading")).to_have_text("more")
        await page.get_by_role("button").click()
        await expect(page.get_by_role("heading")).to_have_text("done")
        await first.part("frame-back").click()
        await expect(page.get_by_role("heading")).to_have_text("more")
        await first.part("frame-reload").click()
        await expect(page.get_by_role("heading")).to_have_text("more")
        await first.part("frame-back").click()
        await expect(page.get_by_role("heading")).to_have_text("case")
        await expect(second.part("frame").content_frame.get_by_role("heading")).to_have_text("case")
        await first.part("frame-back").click()
        await expect(first.part("frame-layer")).to_have_count(0)


async def test_faults_are_set_count_down_and_are_cleared(desk: Page) -> None:
    async with table() as one:
        one.platform.add_phone("甲")
        await open_page(desk, one)
        phone = Handset(desk, "甲")
        await desk.get_by_test_id("faults").click()
        await desk.get_by_test_id("fault-wrong_signature-more").click()
        await desk.get_by_test_id("fault-wrong_signature-more").click()
        await expect(desk.get_by_test_id("fault-wrong_signature")).to_have_text("2")
        await desk.get_by_test_id("fault-frozen_secret-on").click()
        await expect(desk.get_by_test_id("faults-on")).to_have_text("2")
        await phone.says("你好")
        await expect(phone.part("fault")).to_have_text("该公众号提供的服务出现故障，请稍后再试")
        await expect(desk.get_by_test_id("fault-wrong_signature")).to_have_text("1")
        await desk.get_by_test_id("faults-clear").click()
        await expect(desk.get_by_test_id("faults-on")).to_be_hidden()
        await desk.keyboard.press("Escape")
        await phone.says("再来")
        await expect(phone.part("messages").get_by_test_id("bubble").last).to_have_text("收到")
        assert one.platform.world.faults.show() == type(one.platform.world.faults)().show()


async def test_the_log_shows_what_went_over_the_wire_sifted_and_laid_out(desk: Page) -> None:
    async with table() as one:
        for name in ("甲", "乙"):
            one.platform.add_phone(name)
        await open_page(desk, one)
        await Handset(desk, "甲").says("第一句")
        await Handset(desk, "乙").says("第二句")
        await one.api("message/custom/send", {"touser": "o-nobody", "msgtype": "text", "text": {"content": "喂"}})
        await desk.get_by_test_id("log-open").click()
        entries = desk.get_by_test_id("log-entry").filter(visible=True)
        titles = desk.get_by_test_id("log-title").filter(visible=True)
        await expect(entries).to_have_count(4)
        await desk.get_by_test_id("log-push").click()
        await expect(titles).to_have_text(["乙：第二句", "甲：第一句"])
        await desk.get_by_test_id("log-phone").select_option(label="甲")
        await expect(entries).to_have_count(1)
        await entries.locator("summary").click()
        await expect(entries).to_contain_text("<Content>第一句</Content>")
        await expect(entries).to_contain_text("<Content>收到</Content>")
        await expect(entries).to_contain_text("<Encrypt>")
        await desk.get_by_test_id("log-phone").select_option(label="所有手机")
        await desk.get_by_test_id("log-bad").click()
        await expect(titles).to_have_text(["POST /cgi-bin/message/custom/send → 40003 o-nobody"])
        await desk.get_by_test_id("log-all").click()
        await desk.get_by_test_id("log-words").fill("第二句")
        await expect(entries).to_have_count(1)
