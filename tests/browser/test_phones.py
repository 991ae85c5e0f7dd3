"""The phones page from end to end, with a whole demonstration behind it: everything a guest would try, once.

Leaves its screenshots where test_story.py does.
"""

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Demo
from tests.browser.handset import PATIENCE, Handset

CAPTION_SAYS = "words => document.querySelector('[data-testid=caption]').textContent.includes(words)"
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]


async def add_phone(desk: Page, name: str, number: str) -> Handset:
    await desk.get_by_test_id("add-phone").click()
    await desk.get_by_test_id("add-name").fill(name)
    await desk.get_by_test_id("add-number").fill(number)
    await desk.get_by_test_id("add-submit").click()
    phone = Handset(desk, name)
    await expect(phone.part("number")).to_have_text(number)
    return phone


async def invite(demo: Demo, name: str, number: str, role: str) -> str:
    """The address of the picture with the code that binds a new person."""
    await demo.run("people", "add", name, number, role)
    return (await demo.run("people", "invite", number, "--qr")).strip().split("\t")[-1]


async def test_everything_on_the_page_is_used_once(desk: Page, demo: Demo, pictures: Path) -> None:
    await desk.set_viewport_size({"width": 1366, "height": 768})
    await desk.goto(demo.address)
    await desk.wait_for_selector("body[data-ready]")
    for name in ("儿童主任", "村民大娘", "县级督导员"):
        await Handset(desk, name).part("hide").click()
    helper = await add_phone(desk, "民政小刘", "13900000011")
    auditor = await add_phone(desk, "审计老秦", "13900000012")
    await two_are_bound(demo, helper, auditor)
    await faults_hurt_nobody(desk, helper)
    await desk.get_by_test_id("lock-all").click()
    await an_alarm_rings_and_is_taken(desk, pictures)
    await a_menu_button_a_voice_and_leaving(helper, auditor)
    await a_picture_a_place_and_time(desk, pictures / "locked.png")
    await what_went_over_the_wire(desk)


async def two_are_bound(demo: Demo, helper: Handset, auditor: Handset) -> None:
    """One phone shows the other's code to its camera; the second code is pasted."""
    shown, pasted = await asyncio.gather(
        invite(demo, "秦明", "13900000012", "auditor"), invite(demo, "刘新", "13900000011", "agency_liaison")
    )
    await helper.opens(shown)
    await auditor.chooses("sheet-scan")
    await expect(auditor.part("scan-choice")).to_contain_text("民政小刘的屏幕")
    await auditor.part("scan-choice").click()
    await auditor.reads("绑定好了，您是审计员")
    await helper.part("frame-close").click()
    await helper.chooses("sheet-scan")
    await helper.part("scan-input").fill(pasted)
    await helper.part("scan-submit").click()
    await helper.reads("绑定好了，您是部门联络员")


async def faults_hurt_nobody(desk: Page, helper: Handset) -> None:
    """A message that comes three times is answered once; a push with a wrong signature is not answered at all."""
    await desk.get_by_test_id("faults").click()
    await desk.get_by_test_id("fault-preset-1").click()
    await expect(desk.get_by_test_id("faults-waiting")).to_contain_text("各来 3 份")
    before = await helper.part("bubble").count()
    await helper.says("帮助")
    await expect(desk.get_by_test_id("faults-on")).to_be_hidden()
    await expect(helper.part("bubble")).to_have_count(before + 2)
    await desk.get_by_test_id("faults").click()
    await desk.get_by_test_id("fault-wrong_signature-more").click()
    await expect(desk.get_by_test_id("faults-on")).to_have_text("1")
    await helper.says("我的任务")
    await expect(helper.part("fault")).to_have_count(1)
    await expect(helper.part("bubble")).to_have_count(before + 3)
    await desk.get_by_test_id("faults-clear").click()
    await desk.keyboard.press("Escape")


async def an_alarm_rings_and_is_taken(desk: Page, pictures: Path) -> None:
    """It rings over locked phones and on one that was put away, names nobody, and is taken by pressing 1."""
    teacher, duty, county = (Handset(desk, name) for name in ("老师", "值班员", "县级督导员"))
    await teacher.part("lockscreen").click()
    await teacher.says("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头")
    await teacher.reads(re.compile("^先打 110"))
    await expect(county.part("pick-up")).to_be_visible(timeout=PATIENCE)
    await duty.takes_the_call("1")
    await expect(duty.part("lock-note").first).to_be_visible(timeout=PATIENCE)
    await expect(duty.part("lock-note").filter(has_text=re.compile("菜刀|娃儿|爸"))).to_have_count(0)
    await desk.screenshot(path=str(pictures / "locked.png"), animations="disabled")
    await county.part("hang-up").click()
    await teacher.reads("有人在办")

    await duty.part("lockscreen").click()
    case = await duty.opens_card()
    await expect(case.get_by_text("他爸提起菜刀在堂屋门口")).to_be_visible(timeout=PATIENCE)
    await duty.part("frame-reload").click()
    await expect(case.get_by_text(re.compile(r"G\d{4}-\d{4}")).first).to_be_visible(timeout=PATIENCE)
    await duty.part("frame-back").click()
    await expect(duty.part("frame-layer")).to_have_count(0)


async def a_menu_button_a_voice_and_leaving(helper: Handset, auditor: Handset) -> None:
    """By now the account has given both new people their role's tag, and with it its menu."""
    await helper.part("lockscreen").click()
    await helper.part("menu-toggle").click()
    await helper.part("menu-button").filter(has_text="我的任务").click(timeout=PATIENCE)
    await expect(helper.part("bubble").last).to_have_text("您现在没有待办。")
    await helper.part("keyboard-toggle").click()
    await helper.part("more").click()
    await helper.part("voice-sample").click()
    await expect(helper.part("voice")).to_be_visible()
    await helper.reads("您的话已记下，一定有人看")

    await auditor.part("lockscreen").click()
    await expect(auditor.part("role")).to_have_text("审计", timeout=PATIENCE)
    before = await auditor.part("bubble").count()
    await auditor.chooses("unfollow")
    await expect(auditor.element).to_have_attribute("data-following", "false")
    await expect(auditor.part("role")).to_be_hidden()
    await auditor.part("follow").click()
    await expect(auditor.part("bubble")).to_have_count(before + 1)
    await expect(auditor.part("bubble").last).to_contain_text("想报告，直接说发生了什么")


async def a_picture_a_place_and_time(desk: Page, picture: Path) -> None:
    """A picture from a file, a pin, and the clock moved to a day and hour."""
    teacher = Handset(desk, "老师")
    async with desk.expect_file_chooser() as chooser:
        await teacher.part("more").click()
        await teacher.part("photo-file").click()
    await (await chooser.value).set_files(picture)
    await teacher.part("image").click()
    await expect(teacher.part("picture")).to_be_visible()
    await desk.keyboard.press("Escape")
    await teacher.part("more").click()
    await teacher.part("location").click()
    await teacher.part("place-0").click()
    await expect(teacher.part("pin")).to_be_visible()
    await desk.get_by_test_id("advance-to-open").click()
    now = datetime.fromisoformat(await desk.get_by_test_id("advance-to-field").input_value())
    then = now + timedelta(hours=3)
    await desk.get_by_test_id("advance-to-field").fill(f"{then:%Y-%m-%dT%H:%M}")
    await desk.get_by_test_id("advance-to-submit").click()
    await expect(desk.get_by_test_id("clock")).to_contain_text(f"{then:%H:%M}", timeout=PATIENCE)


async def what_went_over_the_wire(desk: Page) -> None:
    """The push as it was before it was sealed, and the chat as the person saw it."""
    teacher = Handset(desk, "老师")
    await desk.get_by_test_id("log-open").click()
    await desk.get_by_test_id("log-phone").select_option(label="老师")
    await desk.get_by_test_id("log-push").click()
    await desk.get_by_test_id("log-words").fill("菜刀")
    first = desk.get_by_test_id("log-entry").filter(visible=True).first
    await first.locator("summary").click()
    await expect(first).to_contain_text("<Content>快来人 他爸提起菜刀在堂屋门口 娃儿还在里头</Content>")
    await desk.get_by_test_id("panel-close").click()
    async with desk.expect_download() as download:
        await teacher.part("transcript").click()
    transcript = words_in(Path(await (await download.value).path()))
    assert "me text: 快来人 他爸提起菜刀在堂屋门口 娃儿还在里头\n" in transcript
    assert "account text: 您上次说的事，已有人在办。\n" in transcript


def words_in(file: Path) -> str:
    return file.read_text(encoding="utf-8")


async def test_the_story_plays_itself_with_captions_and_can_be_stopped(desk: Page, demo: Demo, pictures: Path) -> None:
    await desk.set_viewport_size({"width": 1366, "height": 768})
    await desk.goto(demo.address)
    await desk.wait_for_selector("body[data-ready]")
    await desk.get_by_test_id("story-play").click()
    await expect(desk.get_by_test_id("caption")).to_contain_text("老师吓坏了")
    await expect(desk.get_by_test_id("caption-en")).to_be_hidden()
    await desk.get_by_test_id("gloss-toggle").click()
    await expect(desk.get_by_test_id("caption-en")).to_contain_text("A frightened teacher")
    await desk.get_by_test_id("story-stop").click()
    await expect(desk.get_by_test_id("captions")).to_be_hidden()
    await expect(Handset(desk, "老师").part("bubble")).to_have_count(0)

    await desk.get_by_test_id("story-play").click()
    for _ in range(2):
        await desk.get_by_test_id("play-speed").click()
    await desk.wait_for_function(CAPTION_SAYS, arg="值班员听了", timeout=PATIENCE)  # it looks at every frame
    await desk.screenshot(path=str(pictures / "story.png"))
    await expect(desk.get_by_test_id("caption")).to_contain_text("故事到这里", timeout=4 * PATIENCE)
    await expect(Handset(desk, "县级督导员").part("messages")).to_contain_text("失管率")
    await expect(Handset(desk, "老师").part("gloss").filter(has_text="Call 110")).not_to_have_count(0)
