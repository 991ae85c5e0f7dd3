"""One phone of the phones page, as a person at the laptop uses it."""

import re

from playwright.async_api import FrameLocator, Locator, Page, expect

PATIENCE = 90_000
"""Milliseconds for anything to appear."""


class Handset:
    """The phone with this name."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.element = page.locator(f'[data-name="{name}"]')

    def part(self, testid: str) -> Locator:
        """A part by its test id."""
        return self.element.get_by_test_id(testid)

    async def says(self, words: str) -> None:
        """Type and send, as a person does."""
        if not await self.part("input").is_visible():
            await self.part("keyboard-toggle").click()
        await self.part("input").fill(words)
        await self.part("input").press("Enter")

    async def reads(self, words: str | re.Pattern[str]) -> None:
        """Wait until a message holds these words."""
        await expect(self.part("messages").get_by_test_id("item").filter(has_text=words).last).to_be_visible(
            timeout=PATIENCE
        )

    async def taps(self, words: str) -> None:
        """Tap the newest link with these words."""
        await self.part("messages").get_by_test_id("tap-link").filter(has_text=words).last.click()

    async def opens_card(self) -> FrameLocator:
        """Open the newest card in the phone's browser."""
        await self.part("card-open").last.click()
        return self.part("frame").content_frame

    async def chooses(self, *testids: str) -> None:
        """Open the account's menu and choose from the sheets that follow."""
        await self.part("account-menu").click()
        for testid in testids:
            await self.part(testid).click()

    async def opens(self, address: str) -> None:
        """Go to an address in the phone's browser."""
        await self.chooses("sheet-open")
        await self.part("ask-input").fill(address)
        await self.part("ask-submit").click()

    async def takes_the_call(self, key: str) -> None:
        """Pick up, press a key, listen to what is said to it, and hang up."""
        await self.part("pick-up").click(timeout=PATIENCE)
        words = self.part("call-words").locator("p")
        await expect(words).to_have_count(1)
        await self.part(f"key-{key}").click()
        await expect(words).to_have_count(3, timeout=PATIENCE)
        await self.part("hang-up").click()
        await expect(self.part("call-screen")).to_be_hidden()
