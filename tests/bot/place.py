"""A folder from which the whole program can be started: settings, keys, the platform they name, a small county."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.settings import Settings, load
from bot.simulator import Simulator, SimulatorSettings
from storage import sealing
from storage.areas import AreaLevel
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Role
from tests.support.waiting import free_port
from tests.world import MONDAY_MORNING, World

APP_ID, SECRET, TOKEN = "wxapp00000000000", "app-secret", "apptoken"
GATEWAY_SECRET = "app-gateway"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def prepare(url: str, keys: Path) -> None:
    """A migrated database with a county and its supervisor, sealed with these keys."""
    sealing.use(sealing.read_key_file(keys))
    upgrade(url)
    world = World(connect(url))
    county = world.area("安平县", AreaLevel.COUNTY)
    world.person("county", Role.COUNTY_SUPERVISOR, county)
    world.close()


@dataclass
class Place:
    """Where a bot can be started: its settings, the platform, a browser."""

    config: Path
    settings: Settings
    platform: Simulator
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """The bot's address."""
        return f"http://127.0.0.1:{self.settings.web.port}"

    async def get(self, path: str) -> tuple[int, str]:
        """A page of the bot."""
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def travel(self, seconds: float) -> int:
        """POST /demo/clock; the status."""
        async with self.http.post(f"{self.url}/demo/clock", json={"advance_seconds": seconds}) as answer:
            return answer.status


@asynccontextmanager
async def place(folder: Path, url: str, *, demo: bool = True, prepared: bool = True) -> AsyncIterator[Place]:
    """A folder with settings and keys, the platform they name, and a small county in the database."""
    port = free_port()
    given = SimulatorSettings(
        app_id=APP_ID, app_secret=SECRET, token=TOKEN, encoding_aes_key=AES_KEY, bot_url=f"http://127.0.0.1:{port}",
        retry_pause=0.05, gateway_secret=GATEWAY_SECRET,
    )  # fmt: skip
    keys = folder / "tongban.keys"
    sealing.append_new_key(keys, MONDAY_MORNING)
    if prepared:
        prepare(url, keys)
    async with Simulator(given) as platform, aiohttp.ClientSession() as http:
        config = folder / "config.toml"
        config.write_text(
            f'[wechat]\napp_id = "{APP_ID}"\napp_secret = "{SECRET}"\ntoken = "{TOKEN}"\n'
            f'encoding_aes_key = "{AES_KEY}"\napi_origin = "{platform.origin}"\n'
            '[wechat.verify_files]\n"MP_verify_abc123.txt" = "abc123"\n'
            f'[database]\nurl = "{url}"\n[keys]\nfile = "{keys}"\n[web]\nport = {port}\n'
            f"[demo]\nenabled = {str(demo).lower()}\n",
            encoding="utf-8",
        )
        yield Place(config, load(config, {}), platform, http)
        await platform.quiet()
