"""SMS and calls on the phones page, with the stand-in alone and the tests' small bot."""

import pytest
from playwright.async_api import Page, expect

from tests.bot.simulator.test_gateway import ACCEPTED, ASKED, NUMBER, post
from tests.bot.simulator.tiny_bot import GATEWAY, TEMPLATE, silent, table
from tests.browser.handset import Handset

pytestmark = pytest.mark.browser
CALL: dict[str, object] = {**ASKED, "text": "青石镇有一件急事，请看微信。接下请按 1。"}


async def test_a_phone_rings_over_its_lock_screen_is_taken_and_a_key_is_pressed(desk: Page) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        one.platform.add_phone("值班员", number=NUMBER)
        one.bot.says["1"] = "好，由您处理"
        await desk.goto(one.platform.origin)
        duty = Handset(desk, "值班员")
        await expect(duty.part("number")).to_have_text(NUMBER)
        await duty.part("lock").click()
        assert await post(one, "call", CALL) == ACCEPTED
        await expect(duty.part("call-state")).to_have_text("来电…")
        await expect(duty.part("call-words")).to_be_hidden()
        await duty.part("pick-up").click()
        await expect(duty.part("call-words")).to_have_text("青石镇有一件急事，请看微信。接下请按 1。")
        await duty.part("key-1").click()
        await expect(duty.part("call-words")).to_contain_text("按了 1好，由您处理")
        await duty.part("hang-up").click()
        await expect(duty.part("call-screen")).to_be_hidden()
        assert [told["event"] for told in one.bot.told] == ["delivered", "pressed"]
        await duty.part("lockscreen").click()
        await duty.part("sms-open").click()
        await expect(duty.part("sms-words")).to_have_text(
            ["来电", "已接听", "青石镇有一件急事，请看微信。接下请按 1。", "按键 1", "好，由您处理", "通话结束"]
        )
        await expect(duty.part("messages").get_by_test_id("item")).to_have_count(0)


async def test_a_call_that_nobody_takes_is_shown_as_missed(desk: Page) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        one.platform.add_phone("值班员", number=NUMBER)
        await desk.goto(one.platform.origin)
        duty = Handset(desk, "值班员")
        assert await post(one, "call", CALL) == ACCEPTED
        await expect(duty.part("call-screen")).to_be_visible()
        await one.control("clock", {"advance_seconds": 61})
        await expect(duty.part("call-state")).to_have_text("未接")
        await expect(duty.part("call-screen")).to_be_hidden()
        await expect(duty.part("sms-open")).to_have_accessible_name("短信和电话，1 条未读")
        await duty.part("sms-open").click()
        await expect(duty.part("sms-item").last).to_contain_text("未接来电")
        await expect(duty.part("sms-open")).to_have_accessible_name("短信和电话")


async def test_an_sms_has_its_own_conversation_and_is_answered_there(desk: Page) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone("王主任", number=NUMBER)
        one.bot.says["replied"] = "好，由您处理"
        await desk.goto(one.platform.origin)
        await desk.wait_for_selector("body[data-ready]")
        officer = Handset(desk, "王主任")
        assert await post(one, "sms") == ACCEPTED
        await officer.part("banner").click()
        await expect(officer.part("sms-words")).to_have_text(["一条红色预警等您处理"])
        await officer.part("sms-input").fill("1")
        await officer.part("sms-send").click()
        await expect(officer.part("sms-words").last).to_have_text("好，由您处理")
        await officer.part("sms-close").click()
        await officer.says("在吗")
        await expect(officer.part("messages").get_by_test_id("bubble")).to_have_text(["在吗"])
        assert phone.transcript.count(" sms: ") == 3


async def test_a_locked_phone_shows_the_account_and_the_title_and_nothing_of_the_card(desk: Page) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone("王主任", number=NUMBER)
        await desk.goto(one.platform.origin)
        await desk.wait_for_selector("body[data-ready]")
        await desk.get_by_test_id("lock-all").click()
        values = ("走访 小雨", "2026-03-05 08:00", "1")
        fields = {key: {"value": value} for key, value in zip(TEMPLATE.keys, values, strict=True)}
        sent = {"touser": phone.openid, "template_id": TEMPLATE.template_id, "data": fields}
        await one.api("message/template/send", sent)
        assert await post(one, "sms") == ACCEPTED
        notes = Handset(desk, "王主任").part("lock-note")
        await expect(notes).to_have_count(2)
        await expect(notes.last).to_contain_text("童伴")
        await expect(notes.last).to_contain_text(TEMPLATE.title)
        await expect(notes.last).not_to_contain_text("小雨")
        await expect(notes.first).to_contain_text("短信")


async def test_a_number_can_be_out_of_service_and_comes_back(desk: Page) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        one.platform.add_phone("王主任", number=NUMBER)
        await desk.goto(one.platform.origin)
        officer = Handset(desk, "王主任")
        for state, said in ((f"{NUMBER} 停机", {"accepted": False, "reason": "number"}), (NUMBER, {"accepted": True})):
            await officer.part("phone-more").click()
            await officer.part("set-unreachable_number").click()
            await expect(officer.part("number")).to_have_text(state)
            assert await post(one, "sms") == (200, said)
        await expect(officer.part("sms-item")).to_have_count(1)
