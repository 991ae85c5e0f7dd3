"""The case page in a real browser, at a phone's width, inside a phone of the stand-in: every act by tap and form."""

import base64
import os
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from sqlalchemy import select

from handlers import pairs
from handlers.turn import Turn
from storage import contacts, sealing, tasks
from storage.children import Child, Side
from storage.people import Person
from storage.visits import Visit
from tests.support.databases import SqliteDatabases
from tests.support.media import tone
from tests.support.pages import Town, town

pytestmark = pytest.mark.browser
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGO4oWKBFTEMLQkVC6wIAPWxUAGGEYchAAAAAElFTkSuQmCC"
)


@pytest_asyncio.fixture
async def county(sqlite_databases: SqliteDatabases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in; a villager has reported with a picture, a voice and a pin."""
    async with town(sqlite_databases.fresh(), tmp_path) as made:
        phone = made.platform.phone("o-villager")
        await phone.say("柳湾村有个娃身上青一块紫一块的，问他不说话")
        await phone.send_image(PICTURE)
        await phone.send_voice(tone(1), "amr")
        await phone.send_location(26.1234, 110.5678, "柳湾村小卖部")
        await made.advance(60)
        yield made


def address(county: Town, who: str, path: str) -> str:
    """A page as the browser inside that person's phone opens it."""
    index = county.platform.phone(f"o-{who}").user.index
    return f"http://phone-{index}.localhost:{county.platform.port}{path}"


async def shot(page: Page, name: str) -> None:
    """A picture of the whole page to look at, where a folder for it is named."""
    if folder := os.environ.get("TONGBAN_TEST_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def plays(sound: Locator) -> float:
    """The seconds of a sound that this browser can play; 0 when it cannot."""
    return float(
        await sound.evaluate(
            """one => new Promise(done => {
                one.oncanplaythrough = () => done(one.duration); one.onerror = () => done(0);
                one.preload = "auto"; one.load();
            })"""
        )
    )


async def fits(page: Page) -> bool:
    """Whether nothing sticks out on the side."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def test_a_case_is_looked_at_claimed_and_worked_on_by_taps_and_forms(county: Town, page: Page) -> None:
    await page.goto(address(county, "duty", "/m/case/1"))
    await expect(page.get_by_text("青一块紫一块")).to_be_visible()
    await expect(page.get_by_text("经度 110.5678")).to_be_visible()
    assert 0.9 < await plays(page.locator("audio[controls]")) < 1.2
    assert await fits(page)
    await shot(page, "case-unclaimed")

    assert await page.locator("img[src^='/m/media/']").count() == 0
    blurred = page.locator(".veiled img")
    assert await blurred.evaluate("one => one.complete && one.naturalWidth > 0 && one.naturalWidth <= 24")
    await page.get_by_text("照片已遮住").tap()
    picture = page.get_by_alt_text("报告人发的照片")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("one => one.complete && one.naturalWidth > 0")
    await shot(page, "case-picture")

    await page.get_by_role("button", name="我接了").tap()
    await expect(page.get_by_role("status")).to_contain_text("您已接下，个案")
    await expect(page.get_by_role("button", name="我接了")).to_have_count(0)

    await page.get_by_text("记一步", exact=True).tap()
    await page.get_by_label("做了什么").select_option(label="见到孩子")
    await page.get_by_label("说明（可不填）").fill("在小卖部见到，没有新伤")
    await shot(page, "case-step")
    await page.locator("form[action$='/step']").get_by_role("button", name="记下").tap()
    await expect(page.get_by_role("status")).to_contain_text("已记：见到孩子")
    await expect(page.get_by_text("在小卖部见到，没有新伤")).to_be_visible()

    await page.get_by_text("派儿童主任", exact=True).tap()
    await page.get_by_label("派给谁").select_option(label="officer 石桥镇柳湾村")
    await page.get_by_role("button", name="派出").tap()
    await expect(page.get_by_text("duty 接手，派给 officer")).to_be_visible()

    await page.get_by_text("定级", exact=True).first.tap()
    await page.get_by_label("红色").check()
    await page.get_by_label("理由").first.fill("有新伤")
    await page.get_by_role("button", name="定级").tap()
    await expect(page.locator(".tag_red")).to_have_text("红色")

    await page.get_by_text("告诉报告人", exact=True).tap()
    await page.get_by_label("说给报告人的话").fill("谢谢您，已经有人去看")
    await page.get_by_role("button", name="发出").tap()
    await expect(page.get_by_text("谢谢您，已经有人去看")).to_be_visible()
    assert await fits(page)
    await shot(page, "case-open")

    await page.get_by_text("结案", exact=True).first.tap()
    await page.get_by_label("为什么可以结案").fill("孩子已由外婆带")
    await page.get_by_role("button", name="结案").tap()
    await expect(page.get_by_text("在等第二个人")).to_be_visible()
    await page.goto(address(county, "county", "/m/case/1"))
    await shot(page, "case-second-person")
    await page.get_by_role("button", name="同意", exact=True).tap()
    await expect(page.locator(".tag", has_text="已结案")).to_be_visible()
    await county.bot.worker.run_all()
    assert any("谢谢您，已经有人去看" in item.text for item in county.platform.phone("o-villager").screen)


async def test_the_list_of_tasks_leads_to_the_case(county: Town, page: Page) -> None:
    await page.goto(address(county, "duty", "/m/tasks"))
    assert await fits(page)
    await shot(page, "tasks")
    await page.locator("a.task").first.tap()
    await expect(page.get_by_text("青一块紫一块")).to_be_visible()


async def test_a_digest_page_fits_a_phone_and_a_stranger_reads_how_to_bind(county: Town, page: Page) -> None:
    await page.goto(address(county, "county", f"/m/digest/{county.bot.clock.now():%Y-%m-%d}"))
    await expect(page.get_by_text("青溪县日报")).to_be_visible()
    assert await fits(page)
    await shot(page, "digest")
    await page.goto(address(county, "villager", "/m/tasks"))
    await expect(page.get_by_text("绑定码")).to_be_visible()
    assert await fits(page)
    await shot(page, "not-bound")


async def test_a_page_and_its_forms_work_inside_the_frame_of_the_phones_page(county: Town, desk: Page) -> None:
    await desk.goto(f"{county.platform.origin}/static/strings.json")
    await desk.set_content(f'<iframe src="{address(county, "duty", "/m/case/1")}" width="390" height="800"></iframe>')
    frame = desk.frame_locator("iframe")
    await frame.get_by_role("button", name="我接了").click()
    await expect(frame.get_by_role("status")).to_contain_text("您已接下，个案")


def add_child(turn: Turn) -> int:
    """A child whom the officer follows; the visit task of their side."""
    known = contacts.known(turn.connection, "o-officer")
    assert known
    officer = turn.session.get_one(Person, known[1])
    child = Child(
        number="T1", name="王小宝", name_index=sealing.ring().index("name", "王小宝"), sex="male",
        born=date(2017, 5, 1), area_id=officer.area_id, level="blue", level_since=turn.now, on_file_since=turn.now,
    )  # fmt: skip
    turn.session.add(child)
    turn.session.flush()
    pairs.pair(turn, child, officer, Side.CADRE)
    [task] = tasks.live_of_person(turn.session, officer.id)
    return task.id


async def test_a_visit_is_recorded_by_one_form(county: Town, page: Page) -> None:
    task = await county.does(add_child)
    await page.goto(address(county, "officer", "/m/tasks"))
    await page.locator(f"a[href='/m/visit/{task}']").tap()
    await expect(page.get_by_role("heading")).to_contain_text("记走访")
    assert await fits(page)
    await page.get_by_label("没见到", exact=True).check()
    await expect(page.get_by_label("没见到的原因")).to_be_visible()
    await page.get_by_label("见到孩子").check()
    await expect(page.get_by_label("没见到的原因")).to_be_hidden()
    await page.get_by_role("group", name="监护").get_by_label("正常", exact=True).check()
    mind = page.get_by_role("group", name="身心")
    await mind.get_by_label("有点担心").check()
    await mind.get_by_label("是什么情况").fill("夜里睡不好")
    await shot(page, "visit")
    await page.get_by_role("button", name="记下").tap()
    await expect(page.get_by_role("status")).to_contain_text("记好了")
    [visit] = await county.does(lambda turn: list(turn.session.scalars(select(Visit))))
    assert (visit.kind, visit.guardianship, visit.notes) == ("seen", "fine", {"body_and_mind": "夜里睡不好"})
