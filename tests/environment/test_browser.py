"""The browser of the tests shows what a phone would show."""

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import listen
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser


async def test_chinese_words_are_shown_and_can_be_read_back(page: Page) -> None:
    await page.set_content("<p>孩子现在安全吗?</p>")
    assert await page.locator("p").inner_text() == "孩子现在安全吗?"


async def test_each_character_has_its_own_shape(page: Page) -> None:
    # Without a font every character is the same empty box.
    shapes = set()
    for character in "童伴村":
        await page.set_content(f'<p style="font: 40px sans-serif; width: 48px">{character}</p>')
        shapes.add(await page.locator("p").screenshot())
    assert len(shapes) == 3


async def test_a_failing_script_is_heard(browser: Browser) -> None:
    context = await browser.new_context()
    complaints = listen(context)
    page = await context.new_page()
    await page.set_content("<script>console.error('odd'); setTimeout(() => { throw new Error('broken') })</script>")
    await eventually(lambda: complaints == ["odd", "broken"])
    await context.close()
