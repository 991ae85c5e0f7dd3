"""The bot's moving parts (door, sender, fetcher, worker, moved clock) and the stand-in platform in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import Connection, Engine, select

from bot.account import channels, notices_of
from bot.channels import Channel, Offer, templates_of
from bot.clock import Clock
from bot.codec import Codec
from bot.engine import Database, Lane, open_database
from bot.fetcher import Fetcher
from bot.gateway import Gateway
from bot.gateway_events import GatewayEvents
from bot.renditions import Renderer
from bot.sender import Sender
from bot.settings import Gateway as GatewaySettings
from bot.settings import Kind, Wechat
from bot.simulator import Simulator, SimulatorSettings, TemplateSpec
from bot.simulator.handles import PhoneHandle
from bot.timetravel import TimeTravel
from bot.webhook import BODY_LIMIT, Webhook
from bot.wechat import WeChat
from bot.worker import Worker
from handlers import routes
from handlers.policy import Policy, Way
from handlers.turn import Card, Turn
from storage import contacts, outbox
from storage.areas import AreaLevel
from storage.database import connect
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Role
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.support.waiting import eventually
from tests.world import World

APP_ID, SECRET, TOKEN, AES_KEY = (
    "wxrig00000000000",
    "rig-secret",
    "rigtoken",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
)
GATEWAY_SECRET = "rig-gateway"
FIELDS = {
    "alarm": {"thing1": "what", "character_string2": "number", "thing3": "place"},
    "task": {"thing1": "what", "number2": "count"},
    "digest": {"thing1": "what", "thing2": "when"},
    "notice": {"thing1": "what"},
}
CARD = Card("task", {"what": "有2件事要办", "count": "2"}, "/m/tasks")
AT_ANY_HOUR = Policy(version=1, prompts_from=time.min, prompts_until=time.max)
"""These tests run when they run, by the real clock, also at night."""
T = TypeVar("T")


@dataclass
class Rig:
    """Everything, and what a test asks of it."""

    platform: Simulator
    database: Database
    engine: Engine
    clock: Clock
    policy: Policy
    wechat: WeChat
    sender: Sender
    fetcher: Fetcher
    worker: Worker
    webhook: Webhook
    http: aiohttp.ClientSession
    url: str
    account: Wechat
    database_url: str

    def phone(self, name: str) -> PhoneHandle:
        """A follower's phone."""
        return self.platform.add_phone(name, f"o-{name}")

    async def turn(self, act: Callable[[Turn], T]) -> T:
        """Run `act` as a turn without a conversation."""

        def work(connection: Connection) -> T:
            turn = Turn(connection, self.clock.now(), self.policy, kinds=routes.TASKS)
            result = act(turn)
            turn.settle()
            return result

        return await self.database.run(work, Lane.DUE)

    async def contact(self, phone: PhoneHandle) -> int:
        """The contact of a phone, made if the bot never heard of it."""
        return await self.turn(
            lambda turn: contacts.hear(turn.connection, phone.openid, turn.now, is_there=False).contact_id
        )

    async def push(
        self, phone: PhoneHandle, kind: OutboxKind, text: str, card: Card | None = CARD, *, wait: float = 0
    ) -> int:
        """Leave a message for a phone, as a handler does; its row."""
        contact_id = await self.contact(phone)
        content: dict[str, Any] = {"text": text}
        if card:
            content["card"] = {"purpose": card.purpose, "values": dict(card.values), "path": card.path}

        def add(turn: Turn) -> int:
            return outbox.add(
                turn.connection, contact_id=contact_id, kind=kind, state=OutboxState.QUEUED, content=content,
                now=turn.now, next_at=turn.now + timedelta(seconds=wait),
            )()  # fmt: skip

        return await self.turn(add)

    def rows(self, table: type[Any] = Outbox) -> list[Any]:
        """Every row of a table, oldest first."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(table.__table__).order_by(*table.__table__.primary_key)))

    def row(self, number: int) -> Any:  # noqa: ANN401 - a row
        """One outbox row."""
        return next(row for row in self.rows() if row.id == number)

    def states(self) -> list[str]:
        """How it went with every outbox row that is no answer to a message."""
        return [self.state(row.id) for row in self.rows() if row.inbox_id is None]

    def state(self, number: int) -> str:
        """How it went with one row; whether the platform has told already that a card was delivered does not matter."""
        state: str = self.row(number).state
        return OutboxState.ACCEPTED if state == OutboxState.DELIVERED else state

    def calls(self, path: str = "message/") -> list[int]:
        """What the platform answered each call below a path with."""
        return [
            int(str(entry["errcode"] or 0))
            for entry in self.platform.world.log.after(0)
            if entry["kind"] == "call" and path in str(entry["path"])
        ]

    def fault(self, path: str, kind: str = "errcode", **more: object) -> None:
        """The platform misbehaves at the next calls of a path."""
        fault: dict[str, Any] = {"path": f"/cgi-bin/{path}", "kind": kind, **more}
        self.platform.world.faults.change({"api": [fault]}, self.platform.world.clock.now())

    async def pass_(self, **time: float) -> None:
        """Let time pass for both; nothing runs meanwhile, and what was answered is marked first."""
        with suppress(AssertionError):  # some tests leave an answer unmarked on purpose
            await eventually(lambda: all(row.state != OutboxState.PASSIVE for row in self.rows()), 0.5)
        seconds = timedelta(**time).total_seconds()
        self.platform.world.clock.advance(seconds)
        until = self.clock.now() + timedelta(seconds=seconds)
        await self.database.run(lambda connection: self.clock.move(connection, until), Lane.BULK)

    async def told_of_deliveries(self) -> None:
        """Let the platform tell what became of cards, and the bot read it."""
        await self.platform.quiet()
        await self.pass_(seconds=6)
        await self.worker.kept.once()
        await self.worker.due.once()

    async def handed(self) -> None:
        """Wait until every answer that was written is known to be."""
        await eventually(lambda: all(row.state != OutboxState.PASSIVE for row in self.rows()))

    async def travel(self, body: object) -> tuple[int, dict[str, str]]:
        """POST /demo/clock."""
        async with self.http.post(f"{self.url}/demo/clock", json=body) as answer:
            return answer.status, await answer.json()

    def texts(self, phone: PhoneHandle) -> list[str]:
        """What an account said on a phone: words, or a card's fields."""
        return [
            item.text or " ".join(str(field["value"]) for field in item.fields)
            for item in phone.screen
            if item.side == "account"
        ]


@asynccontextmanager
async def rig(
    url: str,
    *,
    policy: Policy | None = None,
    fields: Mapping[str, Mapping[str, str]] = FIELDS,
    telephone: bool = False,
    kind: Kind = "verified-service",
    limits: Mapping[str, int] | None = None,
    notices: Mapping[str, bool] | None = None,
) -> AsyncIterator[Rig]:
    """All of it on the database at `url`, which is made if it is empty.

    `telephone`: with a gateway for SMS and calls; `limits`: messages of a channel in a day; `notices`: purposes with a
    subscription notice, and whether it is a long-term one.
    """
    policy = policy or AT_ANY_HOUR
    settings = SimulatorSettings(
        app_id=APP_ID, app_secret=SECRET, token=TOKEN, encoding_aes_key=AES_KEY, retry_pause=0.05,
        finish_delay=0, kind=kind, gateway_secret=GATEWAY_SECRET if telephone else None,
        templates=tuple(TemplateSpec(f"T-{name}", name, tuple(keys)) for name, keys in fields.items()),
        notices=tuple(
            TemplateSpec(f"N-{name}", name, tuple(FIELDS[name]), long_term=long)
            for name, long in (notices or {}).items()
        ),
    )  # fmt: skip
    async with Simulator(settings) as platform, aiohttp.ClientSession() as http:
        account = Wechat.model_validate(
            {
                "app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY,
                "api_origin": platform.origin, "kind": kind,
                **({"daily_limits": dict(limits)} if limits else {}),
                "templates": {
                    name: {"template_id": f"T-{name}", "fields": dict(keys)} for name, keys in fields.items()
                },
                "notices": {
                    name: {"template_id": f"N-{name}", "fields": FIELDS[name], "long_term": long}
                    for name, long in (notices or {}).items()
                },
            }
        )  # fmt: skip
        database, clock = open_database(url), Clock()
        await database.run(clock.load)
        wechat = WeChat(account, http)
        urls = {"sms_url": f"{platform.origin}/gateway/sms", "call_url": f"{platform.origin}/gateway/call"}
        told = GatewaySettings.model_validate({"secret": GATEWAY_SECRET, **urls} if telephone else {})
        telephones: tuple[Way, ...] = ("sms", "call") if telephone else ()
        policy = replace(policy, ways=frozenset((*channels(account.kind), *telephones)), notices=notices_of(account))
        limits_of = {Channel(name): most for name, most in account.daily_limits.items()}
        offer, gateway = Offer(policy, frozenset(account.templates), limits_of), Gateway(told, http)
        carried = templates_of(account)
        sender = Sender(database, wechat, clock, offer, carried, "http://bot.example", gateway=gateway)
        fetcher = Fetcher(database, wechat, clock, policy)
        worker = Worker(database, sender, fetcher, Renderer(database, clock), clock, policy)
        webhook = Webhook(Codec(account), database, clock, policy, lambda: None)
        app = web.Application(client_max_size=BODY_LIMIT)
        app.add_routes([*webhook.routes(), *TimeTravel(database, clock, worker, http, platform.origin).routes()])
        app.add_routes(GatewayEvents(GATEWAY_SECRET, database, clock, policy, lambda: None).routes())
        server = TestServer(app)
        await server.start_server()
        door = str(server.make_url("")).rstrip("/")
        platform.bot_url = door
        engine = connect(url)
        yield Rig(
            platform, database, engine, clock, policy, wechat, sender, fetcher, worker, webhook, http, door, account,
            url,
        )  # fmt: skip
        await platform.quiet()
        await webhook.close()
        await server.close()
        await asyncio.get_running_loop().run_in_executor(None, database.close)
        engine.dispose()


def small_county(url: str) -> None:
    """Tables, three areas, and the people of a ladder."""
    make_tables(url)
    world = World.on(url)
    county = world.area("安平县", AreaLevel.COUNTY)
    township = world.area("青山镇", AreaLevel.TOWNSHIP, county)
    boss = world.person("county", Role.COUNTY_SUPERVISOR, county)
    duty = world.person("duty", Role.TOWNSHIP_CHILD_SUPERVISOR, township)
    second = world.person("second", Role.TOWNSHIP_CHILD_SUPERVISOR, township)
    world.duty(township, duty, second)
    world.duty(county, boss, duty)
    world.close()


def prepared(databases: Databases) -> str:
    """A copy of the small county."""
    return databases.copy(small_county)
