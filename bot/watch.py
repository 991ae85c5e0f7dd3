"""What `tongban watch` sees: it asks the bot from outside and looks at the disk, so that a dead bot is seen too.

Nothing here needs the keys or the database, which may be what is broken.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import structlog
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from bot.copies import FULL, LATER
from bot.settings import Settings
from handlers.workdays import working_time

log = structlog.get_logger()

PATIENCE = aiohttp.ClientTimeout(total=15)
"""The bot itself waits five seconds for its database."""
MOST = 4 * 1024 * 1024
"""Bytes of metrics that are read."""
COPIES = frozenset({FULL, LATER})
"""How the name of a whole copy ends (docs/backup.md)."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what it listens on, asked from here
_LATE = {
    "token": ("token_minutes", ("tongban_token_failing_seconds",)),
    "outbox": ("outbox_minutes", ("tongban_outbox_overdue_seconds", "tongban_alarm_oldest_seconds")),
    "due": ("due_minutes", ("tongban_due_overdue_seconds",)),
}
"""Alarm → the setting with its minutes, and the gauges of which the larger one counts."""
OF_THE_BOT = frozenset({"database", "ticks", "callbacks", "parked", "drill", *_LATE})
"""Alarms that only a bot that answers can tell anything about."""
UNITS = {"disk": "percent", "parked": "messages"}
"""Alarm → what its figure counts; all others count minutes."""


@dataclass
class Look:
    """What one look found."""

    heard_at: datetime
    """When the platform was heard last, as far as anybody knows."""
    found: dict[str, int] = field(default_factory=dict)
    """Alarm → its figure: whole minutes, percent, or a number."""
    unknown: set[str] = field(default_factory=set)
    """Alarms of which nothing can be said now."""


async def look(settings: Settings, http: aiohttp.ClientSession, now: datetime, heard_at: datetime) -> Look:
    """Look at everything once; `heard_at`: when the platform was heard last, or first waited for."""
    seen = Look(heard_at)
    gauges = await _gauges(settings, http)
    if gauges is None:
        seen.found["not_answering"] = 0
        seen.unknown |= OF_THE_BOT
    else:
        _judge(settings, gauges, now, seen)
    _look_at_disks(settings, seen)
    _look_at_copies(settings, now, seen)
    return seen


def address(settings: Settings) -> str:
    """Where the bot answers, seen from this machine."""
    host = _ANYWHERE.get(settings.web.host, settings.web.host)
    return settings.watchdog.url or f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"


async def _gauges(settings: Settings, http: aiohttp.ClientSession) -> dict[str, float] | None:
    """Everything without labels of the bot's metrics; None when it does not answer with any."""
    try:
        async with http.get(f"{address(settings)}/metrics", timeout=PATIENCE) as answer:
            text = (await answer.content.read(MOST)).decode()
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    found = {one.name: float(one.value) for one in samples if not one.labels}
    return found if "tongban_tick_age_seconds" in found else None


def _judge(settings: Settings, gauges: dict[str, float], now: datetime, seen: Look) -> None:
    rules = settings.watchdog
    _late(seen, "ticks", gauges["tongban_tick_age_seconds"], rules.tick_minutes)
    if "ticks" in seen.found:
        seen.unknown.add("database")  # the write is tried by a tick
    else:
        _late(seen, "database", gauges.get("tongban_write_age_seconds", math.nan), rules.database_minutes)
    if gauges.get("tongban_paused"):  # restored and not released: what waits is to wait
        seen.unknown |= {"outbox", "due"}
    for alarm, (setting, names) in _LATE.items():
        if alarm in seen.unknown:
            continue
        _late(seen, alarm, max(gauges.get(name, math.nan) for name in names), getattr(rules, setting))
    if gauges.get("tongban_drill_failed") == 1:
        seen.found["drill"] = int(gauges.get("tongban_drill_age_seconds", 0) // 60)
    parked = gauges.get("tongban_parked", math.nan)
    if math.isnan(parked):
        seen.unknown.add("parked")
    elif 0 < rules.parked_messages <= parked:
        seen.found["parked"] = int(parked)
    if rules.database_minutes and "database" not in seen.unknown and math.isnan(parked):
        seen.found.setdefault("database", 0)
    heard = gauges.get("tongban_push_age_seconds", math.inf)
    if math.isfinite(heard):
        seen.heard_at = max(seen.heard_at, now - timedelta(seconds=heard))
    _look_for_callbacks(settings, now, seen)


def _late(seen: Look, alarm: str, seconds: float, minutes: float) -> None:
    if math.isnan(seconds):
        seen.unknown.add(alarm)
    elif minutes and seconds > minutes * 60:
        seen.found[alarm] = int(seconds // 60) if math.isfinite(seconds) else 0


def _look_for_callbacks(settings: Settings, now: datetime, seen: Look) -> None:
    """Silence counts in working hours; outside them it neither begins nor ends."""
    rules, policy = settings.watchdog, settings.policy
    hours = rules.working_from, rules.working_until
    if not working_time(policy, now - timedelta(seconds=1), now, hours):
        seen.unknown.add("callbacks")
    else:
        silent = working_time(policy, seen.heard_at, now, hours)
        _late(seen, "callbacks", silent.total_seconds(), rules.callback_minutes)


def _look_at_disks(settings: Settings, seen: Look) -> None:
    """The fullest disk, as `df` counts: what only root may use does not count as free."""
    most = settings.watchdog.disk_percent
    fullest = 0.0
    for folder in _folders(settings):
        try:
            usage = shutil.disk_usage(folder)
        except OSError as error:
            log.warning("folder_not_seen", error=type(error).__name__)
            fullest = 100.0
        else:
            fullest = max(fullest, 100 * usage.used / max(usage.used + usage.free, 1))
    if most and fullest > most:
        seen.found["disk"] = int(fullest)


def _folders(settings: Settings) -> Iterator[Path]:
    yield from settings.watchdog.folders
    url = make_url(settings.database.url)
    if url.get_backend_name() == "sqlite" and url.database:
        yield Path(url.database).absolute().parent
    if settings.backup.folder is not None:
        yield settings.backup.folder


def _look_at_copies(settings: Settings, now: datetime, seen: Look) -> None:
    """The newest copy that is whole; the folder's disk may be away, which is as bad."""
    folder, minutes = settings.backup.folder, settings.watchdog.copy_minutes
    if folder is None or not minutes:
        return
    try:
        times = [one.stat().st_mtime for one in folder.iterdir() if one.suffix in COPIES]
    except OSError:
        times = []
    _late(seen, "copy", now.timestamp() - max(times, default=-math.inf), minutes + settings.backup.every_minutes)
