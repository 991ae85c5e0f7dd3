"""Where people agree to subscription notices: the link they are sent, the page, its signature, and the tap itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sqlalchemy import select

from bot.jssdk import signature
from bot.simulator import TemplateSpec
from handlers import binding
from handlers.turn import Turn
from storage import contacts, optins
from storage.people import Person
from tests.support.databases import SqliteDatabases
from tests.support.pages import Town, town
from tests.support.waiting import eventually

NOTICES = (TemplateSpec("N-task", "task", ("thing1",)), TemplateSpec("N-alarm", "alarm", ("thing1",), long_term=True))


@pytest_asyncio.fixture
async def county(sqlite_databases: SqliteDatabases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in, with a one-time and a long-term notice."""
    async with town(sqlite_databases.fresh(), tmp_path, notices=NOTICES) as made:
        yield made


def code_of(name: str, turn: Turn) -> str:
    """A fresh code for somebody."""
    person = next(one for one in turn.session.scalars(select(Person)) if one.name == name)
    code = binding.invite(turn, person)
    turn.session.flush()
    return code


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"),
        ("http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"),
    ],
)
def test_a_page_is_signed_as_in_the_platform_s_own_examples(url: str, signed: str) -> None:
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    assert signature(ticket, "Wm3WZYTPz0wzccnW", 1414587457, url) == signed


async def test_whoever_is_bound_reads_where_to_agree_and_finds_it_again_by_a_word(county: Town) -> None:
    phone = county.platform.phone("o-villager")
    code = await county.does(lambda turn: code_of("officer", turn))
    await phone.say(f"绑定 {code}")
    await eventually(lambda: any("/m/notices" in (item.text or "") for item in phone.screen))
    told = next(item.text for item in phone.screen if "/m/notices" in (item.text or ""))
    assert told.startswith("同意订阅通知")
    before = len(phone.screen)
    await phone.say("订阅通知")
    await eventually(lambda: any("/m/notices" in (item.text or "") for item in phone.screen[before:]))
    answered = await county.platform.phone("o-teacher").say("订阅通知")
    assert "马上发给您" in answered[-1].text
    assert "这里没有可以订阅的通知" in (await county.platform.add_phone("x", "o-stranger").say("订阅通知"))[-1].text


async def test_without_a_ticket_the_page_says_so_and_others_may_load_no_script(county: Town) -> None:
    browser = county.browser("duty")
    fault = {"path": "/cgi-bin/ticket/getticket", "kind": "errcode", "errcode": -1, "times": 1}
    county.platform.world.faults.change({"api": [fault]}, 0)
    without = await browser.get("/m/notices")
    assert "微信现在没有回应" in without.words
    assert "<script" not in without.text
    asked = await browser.get("/m/notices")
    assert 'template="N-task"' in asked.text
    assert f"script-src 'self' {county.platform.origin}" in asked.headers["Content-Security-Policy"]
    assert "script-src" not in (await browser.get("/m/tasks")).headers["Content-Security-Policy"]
    tickets = [one for one in county.platform.world.log.after(0) if "getticket" in str(one.get("path"))]
    await browser.get("/m/notices")
    assert len([one for one in county.platform.world.log.after(0) if "getticket" in str(one.get("path"))]) == len(
        tickets
    )


@pytest.mark.browser
async def test_a_tap_and_a_yes_on_the_page_are_kept_and_the_list_of_tasks_leads_there(county: Town, page: Page) -> None:
    index = county.platform.phone("o-duty").user.index
    host = f"http://phone-{index}.localhost:{county.platform.port}"
    await page.goto(f"{host}/m/tasks")
    await page.get_by_text("订阅通知，急事才不会漏掉").click()
    row = page.locator(".task", has_text="有事要办")
    await expect(row).to_contain_text("同意一次，收一条")
    await row.get_by_role("button", name="同意").click()
    await page.get_by_role("button", name="允许").click()
    await expect(page.locator(".task", has_text="有事要办")).to_contain_text("已同意，可收一条")
    await page.locator(".task", has_text="有急事要接").get_by_role("button", name="同意").click()
    await page.get_by_role("button", name="取消").click()
    await expect(page.locator(".task", has_text="有急事要接")).to_contain_text("同意一次，长期有效")
    contact = await county.does(lambda turn: people_contact(turn, "o-duty"))
    assert await county.does(lambda turn: optins.open_of(turn.connection, contact)) == {"N-task"}


def people_contact(turn: Turn, openid: str) -> int:
    """The contact of an openid."""
    found = contacts.known(turn.connection, openid)
    assert found is not None
    return found[0]
