"""The composition root: every long-lived object is built here, given to the others, and closed in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import aiohttp
import structlog
from aiohttp import web
from sqlalchemy import Connection

from bot import account, metrics
from bot.alone import alone_on
from bot.channels import Channel, Offer, templates_of
from bot.cli import use_keys
from bot.clock import Clock
from bot.codec import Codec
from bot.copier import Copier
from bot.engine import Database, Lane, open_database
from bot.fetcher import Fetcher
from bot.gateway import Gateway
from bot.gateway_events import GatewayEvents
from bot.health import Health
from bot.heartbeat import EVERY as BEAT_EVERY
from bot.heartbeat import Heartbeat
from bot.menus import Tagger
from bot.pages import Pages
from bot.recordings import Recordings
from bot.renditions import Renderer
from bot.sender import Sender
from bot.settings import Settings, SettingsError
from bot.syslog import AuditTail, address
from bot.timetravel import TimeTravel
from bot.webhook import BODY_LIMIT, Webhook
from bot.wechat import WeChat
from bot.worker import Worker
from handlers import digest, routes
from handlers.policy import Policy
from handlers.turn import Turn
from storage import county, media, outbox, pause, renditions, sealing
from storage.database import is_sqlite
from storage.version import is_current

log = structlog.get_logger()

BACKLOG = 4096
"""Connections that may wait to be taken up. With aiohttp's own 128, of 3,000 that come at once (a burst of an account's
followers) the system drops most, and who was dropped twice comes too late for the platform's five seconds."""
CLOCK_EVERY, AUDIT_EVERY, PAUSE_EVERY, TAGS_EVERY, PROBE_EVERY, KEYS_EVERY = 1, 2, 3, 10, 60, 60
RECORDINGS_EVERY, KEEP_HOUSE_EVERY, DRILL_EVERY = 300, 300, 600
"""Seconds."""


@dataclass
class Bot:
    """A running bot."""

    settings: Settings
    database: Database
    clock: Clock
    policy: Policy
    wechat: WeChat
    worker: Worker
    port: int


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Bot]:
    """Start everything; on leaving, finish the turns that are under way and close."""
    async with AsyncExitStack() as stack:
        stack.enter_context(alone_on(settings.database.url))
        use_keys(settings)
        database = open_database(settings.database.url)
        stack.callback(database.close)
        clock = Clock()
        version = await database.run(partial(_begin, clock=clock, rules=settings.policy.as_json()), Lane.BULK)
        policy = replace(account.policy_of(settings), version=version)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        wechat, gateway = WeChat(settings.wechat, http), Gateway(settings.gateway, http)
        sender = Sender(
            database, wechat, clock, _offer(settings, policy), templates_of(settings.wechat),
            settings.web.public_origin, gateway=gateway, per_second=settings.wechat.sends_per_second,
        )  # fmt: skip
        worker = Worker(
            database, sender, Fetcher(database, wechat, clock, policy), Renderer(database, clock), clock, policy
        )
        await _begin_paused(database, worker)
        heartbeat = Heartbeat(database, clock, policy)
        await heartbeat.beat()  # before anything late is done
        worker.every(BEAT_EVERY, heartbeat.beat)
        await _keep_house(database, clock, policy)
        worker.every(PAUSE_EVERY, partial(_look_at_pause, database, worker))
        worker.every(KEYS_EVERY, _reread_keys)
        worker.every(TAGS_EVERY, worker.unless_paused(Tagger(database, wechat, clock).drain))
        recordings = Recordings(database, wechat, clock, settings.voice.folder)
        worker.every(RECORDINGS_EVERY, worker.unless_paused(recordings.drain), at_once=True)
        _tell_audit(stack, settings, database, worker)
        health = Health(database, clock, wechat, worker)
        worker.every(PROBE_EVERY, health.keep_token, at_once=True)
        worker.every(KEEP_HOUSE_EVERY, partial(_keep_house, database, clock, policy))
        _copy_on(settings, database, clock, worker)
        webhook = Webhook(Codec(settings.wechat), database, clock, policy, worker.wake)
        stack.push_async_callback(webhook.close)
        app = web.Application(client_max_size=BODY_LIMIT)
        app.add_routes(webhook.routes())
        app.add_routes(Pages(settings, database, clock, policy, wechat, worker.wake).routes())
        if settings.gateway.secret is not None:
            secret = settings.gateway.secret.get_secret_value()
            app.add_routes(GatewayEvents(secret, database, clock, policy, worker.wake).routes())
        app.add_routes(health.routes())
        app.add_routes(_verify_files(settings))
        if settings.demo.enabled:
            worker.every(CLOCK_EVERY, partial(_share_clock, database, clock))
            app.add_routes(TimeTravel(database, clock, worker, http, settings.wechat.api_origin).routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=10)
        await runner.setup()
        worker.start()
        stack.push_async_callback(worker.stop)
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, settings.web.host, settings.web.port, backlog=BACKLOG).start()
        log.info("started", port=settings.web.port, policy=policy.version)
        yield Bot(settings, database, clock, policy, wechat, worker, settings.web.port)
        log.info("stopping")


def _tell_audit(stack: AsyncExitStack, settings: Settings, database: Database, worker: Worker) -> None:
    """Where the county keeps a log of the system's, the audit goes there too."""
    if settings.log.syslog is not None:
        tail = stack.enter_context(AuditTail(database, address(settings.log.syslog)))
        worker.every(AUDIT_EVERY, tail.drain)


def _offer(settings: Settings, policy: Policy) -> Offer:
    """What this account and its gateway can send."""
    wechat = settings.wechat
    limits = {Channel(name): most for name, most in wechat.daily_limits.items()}
    return Offer(policy, frozenset(wechat.templates), limits)


def _begin(connection: Connection, clock: Clock, rules: str) -> int:
    """The schema must be current; take over the moved clock, and give the version of the rules."""
    if not is_current(connection):
        raise SettingsError("The database is not set up for this version: run `tongban migrate`.")
    clock.load(connection)
    if is_sqlite(connection):  # one process per file: nobody else holds a lease
        outbox.release(connection, clock.now())
        media.release(connection, clock.now())
        renditions.release(connection, clock.now())
    return county.policy_version(connection, rules, clock.now())


async def _look_at_pause(database: Database, worker: Worker) -> None:
    """A restored system sends nothing until an operator releases it; that may be while it runs, never the other way."""
    if worker.paused and await database.read(pause.current) is None:
        worker.paused = False
        metrics.paused.set(0)
        log.warning("released")
        worker.wake()


def _copy_on(settings: Settings, database: Database, clock: Clock, worker: Worker) -> None:
    """Copies on the second path, where there is one."""
    if settings.backup.folder is None:
        log.warning("no_copies")
        return
    copier = Copier(database, settings, clock)
    worker.every(60 * settings.backup.every_minutes, copier.copy, at_once=True)
    worker.every(DRILL_EVERY, copier.drill)
    worker.every(PROBE_EVERY, copier.tell_age, at_once=True)


async def _begin_paused(database: Database, worker: Worker) -> None:
    paused = await database.read(pause.current)
    worker.paused = paused is not None
    metrics.paused.set(int(worker.paused))
    if paused is not None:
        log.warning("paused", copied=paused.copied.isoformat())


async def _reread_keys() -> None:
    """A key that was added meanwhile seals from now on."""
    sealing.ring().reread()


async def _share_clock(database: Database, clock: Clock) -> None:
    """Another process may have moved it."""
    await database.read(clock.load)


async def _keep_house(database: Database, clock: Clock, policy: Policy) -> None:
    """Whoever became a supervisor gets a daily digest."""

    def work(connection: Connection) -> None:
        turn = Turn(connection, clock.now(), policy, kinds=routes.TASKS)
        digest.ensure_digests(turn)
        turn.settle()

    await database.run(work, Lane.BULK)


def _verify_files(settings: Settings) -> list[web.RouteDef]:
    """The files by which the platform checks who owns the domain."""

    def serve(name: str, content: str) -> web.RouteDef:
        async def show(_request: web.Request) -> web.Response:
            return web.Response(text=content)

        return web.get(f"/{name}", show)

    return [serve(name, content) for name, content in settings.wechat.verify_files.items()]
