"""The whole bot beside the stand-in platform, in one process, with a few people whose phones open pages."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Connection
from yarl import URL

from bot.app import Bot, running
from bot.settings import Settings
from bot.simulator import Simulator, SimulatorSettings, TemplateSpec
from handlers.turn import Turn
from storage import sealing
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Role
from tests.support.waiting import free_port
from tests.world import World

T = TypeVar("T")
APP_ID, SECRET, TOKEN, AES_KEY = (
    "wxpages000000000",
    "pages-secret",
    "pagestoken",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
)
TEMPLATE = {"template_id": "T-alarm", "fields": {"thing1": "what", "character_string2": "number", "thing3": "place"}}


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]
    cookies: list[str]
    """Set-Cookie lines."""

    @property
    def location(self) -> str:
        """Where it leads."""
        return self.headers.get("Location", "")

    @property
    def form(self) -> str:
        """The signed word of the page's forms."""
        found = re.search(r'name="form" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]

    @property
    def words(self) -> str:
        """The page without its markup."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text.partition("<body>")[2]))


@dataclass
class Browser:
    """A browser with cookies of its own that talks to the bot directly, as WeChat's would."""

    town: "Town"
    openid: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
        """One request, redirects not followed."""
        address = URL(path if "://" in path else self.town.url + path, encoded=True)
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} | (headers or {})
        async with self.town.http.request(
            method, address, headers=sent, data=form if method == "POST" else None, allow_redirects=False
        ) as answer:
            lines = answer.headers.getall("Set-Cookie", [])
            for line in lines:
                name, _, value = line.partition(";")[0].partition("=")
                if value.strip('"'):
                    self.cookies[name] = value
                else:
                    self.cookies.pop(name, None)
            body = await answer.read()
            text = body.decode() if answer.content_type.startswith("text/") else body.decode("latin-1")
            return Answer(answer.status, text, dict(answer.headers), lines)

    async def get(self, path: str, **headers: str) -> Answer:
        """Open a page, signing in where it is asked for."""
        return await self.arrive(await self.ask("GET", path, headers))

    async def arrive(self, answer: Answer) -> Answer:
        """Follow an answer to where it ends."""
        for _ in range(5):
            if answer.status not in {302, 303}:
                return answer
            answer = await self.follow(answer)
        raise AssertionError(answer.location)

    async def follow(self, answer: Answer) -> Answer:
        """Go where an answer leads; the platform knows who asks."""
        target = answer.location.partition("#")[0]
        if urlsplit(target).path == "/connect/oauth2/authorize":
            target += f"&sim_openid={self.openid}"
        return await self.ask("GET", target)

    async def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
        """Send a form, as a browser does that is on the page."""
        ours = {"Origin": self.town.url, "Sec-Fetch-Site": "same-origin"}
        return await self.ask("POST", path, ours | (headers or {}), **form)


@dataclass
class Town:
    """The running whole."""

    platform: Simulator
    bot: Bot
    world: World
    http: aiohttp.ClientSession
    url: str

    def browser(self, name: str) -> Browser:
        """A fresh browser of somebody."""
        return Browser(self, f"o-{name}")

    async def does(self, act: Callable[[Turn], T]) -> T:
        """Run `act` as a turn without a conversation, on the bot's own database threads."""

        def work(connection: Connection) -> T:
            turn = Turn(connection, self.bot.clock.now(), self.bot.policy)
            result = act(turn)
            turn.settle()
            return result

        return await self.bot.database.run(work)

    async def advance(self, seconds: float) -> None:
        """Move the clock of the bot and the stand-in."""
        async with self.http.post(f"{self.url}/demo/clock", json={"advance_seconds": seconds}) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def town(url: str, folder: Path, **platform_settings: Any) -> AsyncIterator[Town]:  # noqa: ANN401 - of SimulatorSettings
    """A county: a villager and a teacher who report, a duty person, an officer, two supervisors, a stranger."""
    upgrade(url)
    keys = folder / "tongban.keys"
    sealing.append_new_key(keys, datetime.now(UTC))
    sealing.use(sealing.read_key_file(keys))
    world = World(connect(url))
    world.now = datetime.now(UTC)
    county = world.area("青溪县", "county")  # type: ignore[arg-type]  # a level by its value
    township = world.area("石桥镇", "township", county)  # type: ignore[arg-type]
    village = world.area("柳湾村", "village", township)  # type: ignore[arg-type]
    duty = world.person("duty", Role.TOWNSHIP_CHILD_SUPERVISOR, township)
    boss = world.person("county", Role.COUNTY_SUPERVISOR, county)
    world.person("officer", Role.VILLAGE_CHILD_OFFICER, village)
    world.person("teacher", Role.MANDATED_REPORTER, township)
    world.duty(township, duty, boss)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    account = SimulatorSettings(
        app_id=APP_ID, app_secret=SECRET, token=TOKEN, encoding_aes_key=AES_KEY, bot_url=address,
        templates=(TemplateSpec("T-alarm", "alarm", tuple(TEMPLATE["fields"])),), **platform_settings,
    )  # fmt: skip
    async with Simulator(account) as platform, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        platform.bot_url = address
        for name in ("duty", "county", "officer", "teacher", "villager"):
            platform.add_phone(name, f"o-{name}")
        settings = Settings.model_validate(
            {
                "wechat": {
                    "app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY,
                    "api_origin": platform.origin, "templates": {"alarm": TEMPLATE},
                    "kind": platform_settings.get("kind", "verified-service"),
                    "notices": {
                        spec.title: {
                            "template_id": spec.template_id, "fields": {"thing1": "what"}, "long_term": spec.long_term,
                        }
                        for spec in platform_settings.get("notices", ())
                    },
                },
                "database": {"url": url}, "keys": {"file": str(keys)}, "web": {"port": port},
                "simulator": {"bot_url": address}, "demo": {"enabled": True},
            }
        )  # fmt: skip
        async with running(settings) as bot:
            yield Town(platform, bot, world, http, address)
    world.close()
