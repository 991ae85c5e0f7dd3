"""The phone's browser as the phones page shows it: a frame of another host inside the page."""

import pytest
from playwright.async_api import Browser

from tests.bot.simulator.test_signin import PagesBot
from tests.bot.simulator.tiny_bot import silent, table

pytestmark = pytest.mark.browser


async def test_two_frames_on_one_page_stay_signed_in_as_two_people(browser: Browser) -> None:
    async with PagesBot().running() as bot, table(silent) as one:
        one.platform.bot_url = bot.url
        phones = [one.platform.add_phone(), one.platform.add_phone()]
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{one.platform.origin}/static/strings.json")
        host = f"localhost:{one.platform.port}"
        await page.set_content("".join(f'<iframe src="http://phone-{n}.{host}/m/case"></iframe>' for n in (1, 2)))
        for n in (0, 1):
            frame = page.frame_locator("iframe").nth(n)
            await frame.get_by_text("the case").wait_for()
        sessions = {phone.user.cookies["session"] for phone in phones}
        assert len(sessions) == 2
        signed_in = {code.openid for code in one.platform.world.state.codes.values()}
        assert signed_in == {phone.openid for phone in phones}
        await context.close()
