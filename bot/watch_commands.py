"""`tongban watch`: one look at the bot from outside, started every minute by a timer (docs/deploy)."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import click
import structlog

from bot import watch_state
from bot.cli import run_until_stopped, settings_of
from bot.settings import Settings, SettingsError
from bot.watch import UNITS, look
from bot.watch_telling import Teller, news_of, trial

log = structlog.get_logger()

SOMETHING_IS_WRONG = 1


@click.command()
@click.option("--test", is_flag=True, help="Send everybody a trial, and say by which ways it went out.")
@click.pass_context
def watch(context: click.Context, *, test: bool) -> None:
    """Look once whether the bot is well, and tell two people by SMS or mail when it is not."""
    settings = settings_of(context)
    if not settings.watchdog.people:
        raise SettingsError("[watchdog] people is empty: nobody would be told.")
    lines: list[str] = []

    async def body() -> None:
        async with aiohttp.ClientSession() as http:
            if test:
                lines.extend(await _try(settings, http))
            else:
                lines.extend(await _look(settings, http))

    with _alone(settings.watchdog.state):
        run_until_stopped(body())
    for line in lines:
        click.echo(line)
    if (not test and lines) or any("failed" in line for line in lines):
        context.exit(SOMETHING_IS_WRONG)


async def _try(settings: Settings, http: aiohttp.ClientSession) -> list[str]:
    teller, news = Teller(settings, http), trial(settings, datetime.now(UTC).isoformat())
    lines = []
    for way in teller.ways:
        why = await teller.tell(way, news)
        lines.append(f"{way}\tsent" if why is None else f"{way}\tfailed\t{why}")
    return lines


async def _look(settings: Settings, http: aiohttp.ClientSession) -> list[str]:
    """Look, note what follows, tell; whatever is told is noted at once, so that it is told once."""
    rules, now = settings.watchdog, datetime.now(UTC)
    state = watch_state.read(rules.state, now)
    seen = await look(settings, http, now, state.heard_at)
    teller = Teller(settings, http)
    watch_state.step(state, seen, now, rules, teller.ways)
    _keep(rules.state, state)
    lines = [_line(alarm, one) for alarm, one in state.standing.items() if not one.over]
    for alarm, one in [*state.standing.items()]:
        log.warning("watch_over" if one.over else "watch_alarm", kind=alarm, figure=one.figure, round=one.round)
        news = news_of(settings, alarm, one)
        for way in [*one.owed]:
            if way not in teller.ways or await teller.tell(way, news) is None:
                watch_state.settled(state, alarm, way)
                _keep(rules.state, state)
    return lines


def _line(alarm: str, one: watch_state.Standing) -> str:
    return f"{alarm}\t{one.figure} {UNITS.get(alarm, 'minutes')}\tsince {one.since:%Y-%m-%d %H:%M} UTC"


def _keep(path: Path, state: watch_state.State) -> None:
    """A state that cannot be kept must not keep people from being told, though they may be told again."""
    try:
        watch_state.write(path, state)
    except OSError as error:
        log.error("watch_not_kept", error=type(error).__name__)  # noqa: TRY400 - the traceback tells nothing more


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One look at a time: a second one says so and exits with 2."""
    try:
        file = state.with_name(f"{state.name}.lock").open("a", encoding="ascii")
    except OSError as error:
        log.error("watch_not_kept", error=type(error).__name__)  # noqa: TRY400 - likewise
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError("Another look is under way.") from None
        yield


COMMANDS = (watch,)
