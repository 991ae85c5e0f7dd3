"""A small county on the real program: the stand-in platform here, the bot as processes that can be killed."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import aiohttp
from sqlalchemy import Engine, func, select

from bot.clock import Clock
from bot.settings import Mode
from bot.simulator import Simulator, SimulatorSettings, TemplateSpec
from bot.simulator.state import ScreenItem
from storage import sealing
from storage.areas import Area
from storage.database import connect
from storage.inbox import Inbox, InboxState
from storage.migrate import upgrade
from storage.people import Role
from tests.crash.program import Program
from tests.support.waiting import eventually, free_port
from tests.world import World

APP_ID, SECRET, TOKEN, AES_KEY = (
    "wxcrash000000000",
    "crash-secret",
    "crashtoken",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
)
PURPOSES = {
    "alarm": {"thing1": "what", "character_string2": "number", "thing3": "place"},
    "task": {"thing1": "what", "number2": "count"},
    "digest": {"thing1": "what", "thing2": "when"},
    "notice": {"thing1": "what"},
}
GATEWAY_SECRET = "crash-gateway"
NUMBERS = {"county": "13800000001", "duty": "13800000002", "second": "13800000003", "officer": "13800000004"}
READY_WITHIN = 60.0
"""Seconds."""
OK = 200
MSG_ID = re.compile(r"<MsgId>\D*(\d+)")


@dataclass
class Town:
    """The running whole."""

    platform: Simulator
    url: str
    folder: Path
    port: int
    http: aiohttp.ClientSession
    engine: Engine
    reader: Engine
    """Reads beside the bot without ever holding the write lock."""
    world: World
    """The same database, for what tests put there before the bot runs."""
    areas: dict[str, Area]
    """`county`, `township`, `village`."""
    environ: dict[str, str] = field(default_factory=dict)
    """Settings of the bot besides its file."""
    processes: list[Program] = field(default_factory=list)
    kills: int = 0
    _reviving: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def bot(self) -> Program:
        """The bot that runs now."""
        return self.processes[-1]

    def with_gateway(self) -> None:
        """From the next start on the bot sends SMS and calls through the stand-in's gateway."""
        origin = self.platform.origin
        self.environ |= {
            "TONGBAN__GATEWAY__SMS_URL": f"{origin}/gateway/sms", "TONGBAN__GATEWAY__SECRET": GATEWAY_SECRET,
            "TONGBAN__GATEWAY__CALL_URL": f"{origin}/gateway/call",
        }  # fmt: skip

    async def start(self, fault: str = "") -> None:
        """Start the bot, to be stopped at `fault` when one is given."""
        self.processes.append(self._program("run", fault=fault, log=self.folder / "bot.log"))
        await eventually(self._is_ready, READY_WITHIN)

    async def command(self, *words: str, fault: str = "") -> tuple[int, str]:
        """Run a command beside the bot: its exit code and what it printed."""
        log = self.folder / f"{uuid4().hex}.out"
        process = self._program(*words, fault=fault, log=log)
        await process.wait()
        return process.returncode or 0, log.read_text(encoding="utf-8")

    def _program(
        self, *words: str, fault: str, log: Path, environ: Mapping[str, str] = MappingProxyType({})
    ) -> Program:
        environment = os.environ | {"TONGBAN_FAULT": fault} | self.environ | dict(environ)
        return Program(["--config", str(self.folder / "config.toml"), *words], environment, log)

    async def _is_ready(self) -> bool:
        if self.bot.returncode == -signal.SIGKILL:
            return True  # killed at a fault point before it was ready
        if self.bot.returncode is not None:
            raise RuntimeError((self.folder / "bot.log").read_text(encoding="utf-8")[-3000:])
        try:
            async with self.http.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """Kill -9."""
        if self.bot.returncode is None:
            self.bot.kill()
        await self.bot.wait()
        self.kills += 1

    async def revive(self, fault: str = "") -> bool:
        """Start it again if it is dead; whether it was."""
        async with self._reviving:  # a test and `keep_alive` may both see it die
            if self.bot.returncode is None:
                return False
            self.kills += 1
            await self.start(fault)
            return True

    async def advance(self, seconds: float) -> None:
        """Move the clock; again after a kill, since the rest of the way is still to go."""
        until = self.platform.world.clock.now() + seconds
        while (left := until - self.platform.world.clock.now()) > 0:
            await self.revive()
            asked = self.bot
            try:
                async with self.http.post(
                    f"http://127.0.0.1:{self.port}/demo/clock", json={"advance_seconds": left}
                ) as answer:
                    await answer.read()
                    assert answer.status == 200, await answer.text()
            except aiohttp.ClientError:
                await asked.wait()

    async def keep_alive(self) -> None:
        """Start it again whenever it dies, until cancelled."""
        while True:
            await self.bot.wait()
            await self.revive()

    async def check(self) -> str:
        """What `tongban check` finds; empty is good."""
        return (await self.command("check", "--deep"))[1]

    def said(self, openid: str) -> list[str]:
        """What the account said on a phone, without what differs from run to run."""
        return [words for item in self.screen(openid) if (words := plain(_words_of(item)))]

    def screen(self, openid: str) -> list[ScreenItem]:
        """What the account put on a phone."""
        return [item for item in self.platform.phone(openid).screen if item.side == "account"]

    def messages(self) -> list[dict[str, Any]]:
        """What the inbox holds of people's own messages, opened; oldest first."""
        with self.reader.connect() as connection:
            rows = connection.execute(select(Inbox.message).order_by(Inbox.id)).scalars()
            return [row for row in rows if row["kind"] not in {"event", "page"}]

    def newest(self, table: type) -> int:
        """The greatest id of a table; on PostgreSQL a transaction that was lost leaves a gap before it."""
        with self.reader.connect() as connection:
            return int(connection.execute(select(func.max(table.__table__.c.id))).scalar_one())  # type: ignore[attr-defined]

    def undone(self) -> int:
        """Messages and events whose turn was not done; one that says what became of a push may wait some seconds."""
        return self.count(Inbox) - self.count(Inbox, state=InboxState.DONE)

    def answered(self) -> set[str]:
        """The MsgIds of the pushes for which the platform has got an answer."""
        pushes = [one for one in self.platform.world.log.after(0) if one["kind"] == "push" and one["status"] == OK]
        return {found[1] for one in pushes if (found := MSG_ID.search(str(one["xml"])))}

    def faults(self) -> int:
        """How often somebody read that the account is out of order."""
        phones = self.platform.world.state.phones.values()
        return sum(item.kind == "fault" for phone in phones for item in phone.screen)

    def count(self, table: type, **where: object) -> int:
        """Rows of a table."""
        query = select(func.count()).select_from(table.__table__)  # type: ignore[attr-defined]
        for name, value in where.items():
            query = query.where(getattr(table, name) == value)
        with self.reader.connect() as connection:
            return int(connection.execute(query).scalar_one())


@asynccontextmanager
async def town(
    url: str,
    folder: Path,
    *,
    retries: int = 60,
    retry_pause: float | None = 0.5,
    mode: Mode = "safe",
    previous_key: str | None = None,
    begins: datetime | None = None,
    overlap: bool = False,
) -> AsyncIterator[Town]:
    """A county with a duty person, a stand-in, supervisors and an officer; the bot is not started yet.

    The platform delivers `retries` times, `retry_pause` seconds apart; as it really is with 3 and None. With `overlap`
    it delivers a person's next message before the last one is answered. Every clock
    stands at `begins`, or where it really does.
    """
    upgrade(url)
    keys = folder / "tongban.keys"
    sealing.append_new_key(keys, datetime.now(UTC))
    sealing.use(sealing.read_key_file(keys))
    engine = connect(url)
    world = World(engine)
    world.now = begins or datetime.now(UTC)
    if begins is not None:
        world.run(lambda connection: Clock().move(connection, begins))
    county = world.area("安平县", "county")  # type: ignore[arg-type]  # a level by its value
    township = world.area("青山镇", "township", county)  # type: ignore[arg-type]
    village = world.area("柳河村", "village", township)  # type: ignore[arg-type]
    boss = world.person("county", Role.COUNTY_SUPERVISOR, county, phone=NUMBERS["county"])
    duty = world.person("duty", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone=NUMBERS["duty"])
    second = world.person("second", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone=NUMBERS["second"])
    world.person("officer", Role.VILLAGE_CHILD_OFFICER, village, phone=NUMBERS["officer"])
    world.duty(township, duty, second)
    world.duty(county, boss, duty)
    areas = {"county": county, "township": township, "village": village}
    port = free_port()
    settings = SimulatorSettings(
        app_id=APP_ID, app_secret=SECRET, token=TOKEN, encoding_aes_key=AES_KEY, mode=mode,
        previous_encoding_aes_key=previous_key,
        bot_url=f"http://127.0.0.1:{port}", port=0, retries=retries, retry_pause=retry_pause,
        gateway_secret=GATEWAY_SECRET, overlap=overlap,
        templates=tuple(TemplateSpec(f"T-{name}", name, tuple(fields)) for name, fields in PURPOSES.items()),
    )  # fmt: skip
    async with Simulator(settings) as platform, aiohttp.ClientSession() as http:
        if begins is not None:
            platform.world.clock.move_to(begins.timestamp())
        for name in ("county", "duty", "second", "officer"):
            platform.add_phone(name, f"o-{name}", number=NUMBERS[name])
        account = f'mode = "{mode}"\n' + (f'previous_aes_key = "{previous_key}"\n' if previous_key else "")
        _write_config(folder / "config.toml", url, keys, port, platform.origin, account)
        running = Town(platform, url, folder, port, http, engine, connect(url, read_only=True), world, areas)
        try:
            yield running
        finally:
            for process in running.processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            running.reader.dispose()
            engine.dispose()


def _write_config(path: Path, url: str, keys: Path, port: int, origin: str, account: str) -> None:
    templates = "".join(
        f'[wechat.templates.{name}]\ntemplate_id = "T-{name}"\n[wechat.templates.{name}.fields]\n'
        + "".join(f'{field} = "{value}"\n' for field, value in fields.items())
        for name, fields in PURPOSES.items()
    )
    path.write_text(
        f'[wechat]\napp_id = "{APP_ID}"\napp_secret = "{SECRET}"\ntoken = "{TOKEN}"\nencoding_aes_key = "{AES_KEY}"\n'
        f'api_origin = "{origin}"\n{account}{templates}[database]\nurl = "{url}"\n[keys]\nfile = "{keys}"\n'
        f'[web]\nport = {port}\n[simulator]\nbot_url = "http://127.0.0.1:{port}"\n[demo]\nenabled = true\n',
        encoding="utf-8",
    )


def _words_of(item: ScreenItem) -> str:
    return "\n".join([item.text, *(str(one["value"]) for one in item.fields)])


def plain(words: str) -> str:
    """Words without what differs from run to run: receipts, report and case numbers, times, links, shown numbers."""
    words = re.sub(r"\d{4} \d{4} \d{4}", "RECEIPT", words)
    words = re.sub(r"http\S+", "LINK", words)
    words = re.sub(r"\bR\d+\b", "REPORT", re.sub(r"G\d{4}-\d{4}", "CASE", words))
    return re.sub(r"(?<=我接了 )\d+", "N", re.sub(r"\d{1,2}:\d{2}", "TIME", words))
