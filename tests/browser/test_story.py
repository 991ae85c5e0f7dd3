"""The county's day, played by hand on the phones page: from a frightened sentence to the morning digest.

Leaves the README's screenshots in docs/pictures when TONGBAN_PICTURES is set to that folder, else in the test's folder.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Demo
from tests.browser.handset import PATIENCE, Handset

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_the_whole_story_is_played_on_the_phones(desk: Page, demo: Demo, pictures: Path) -> None:
    await desk.set_viewport_size({"width": 1366, "height": 768})
    await desk.goto(demo.address)
    await desk.wait_for_selector("body[data-ready]")
    teacher, officer, duty, county = (Handset(desk, name) for name in ("老师", "儿童主任", "值班员", "县级督导员"))

    await teacher.says("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头")
    await teacher.reads(re.compile("^先打 110"))
    for phone in (duty, county):
        await expect(phone.part("pick-up")).to_be_visible(timeout=PATIENCE)
    await desk.screenshot(path=str(pictures / "alarm.png"), animations="disabled")
    await duty.takes_the_call("1")
    await county.takes_the_call("1")
    await duty.part("sms-open").click()
    await expect(duty.part("sms")).to_contain_text("已记下：您接了")
    await duty.part("sms-close").click()
    await county.part("sms-open").click()
    await expect(county.part("sms")).to_contain_text("接下")
    await county.part("sms-close").click()
    await teacher.reads("有人在办")

    await teacher.says("在堂屋里 跟他奶奶在一起")
    await teacher.reads("110报警")
    await teacher.taps("打过了")
    await teacher.reads("回您哪个电话")
    await teacher.says("会不会知道是我")
    await teacher.reads("不会")
    await teacher.says("13812345678")
    await teacher.reads(re.compile(r"回执号 \d{4} \d{4} \d{4}"))

    await duty.reads("红色警报")
    case = await duty.opens_card()
    await expect(case.get_by_text("他爸提起菜刀在堂屋门口")).to_be_visible(timeout=PATIENCE)
    await desk.screenshot(path=str(pictures / "case.png"))
    await case.get_by_text("记一步", exact=True).click()
    await case.get_by_label("做了什么").select_option(label="见到孩子")
    await case.locator("form[action$='/step']").get_by_role("button", name="记下").click()
    await expect(case.get_by_role("status")).to_contain_text("已记：见到孩子", timeout=PATIENCE)
    await duty.part("frame-close").click()
    await county.says("我接了")
    await county.reads("接下")

    await officer.says("我的任务")
    await officer.reads("走访")
    await officer.says("记录 1")
    await officer.taps("见到孩子")
    await officer.says("全部正常")
    await officer.reads(re.compile("记好|已记|记下"))
    await desk.screenshot(path=str(pictures / "phones.png"))

    await desk.get_by_test_id("advance-morning").click()
    await county.reads("日报")
    await expect(desk.get_by_test_id("advance-morning")).to_be_enabled(timeout=PATIENCE)
    await county.says("日报")
    await county.reads("失管率")
    await desk.screenshot(path=str(pictures / "digest.png"))
