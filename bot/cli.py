"""What the command files share: settings with one clear sentence, a turn on the database, running until stopped."""

import asyncio
import getpass
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from bot import faults, logs
from bot.account import policy_of
from bot.clock import Clock
from bot.settings import Settings, SettingsError, load
from bot.syslog import address
from handlers import routes
from handlers.turn import NotSetUp, Refused, Turn
from storage import audit, county, sealing
from storage.database import connect
from storage.version import is_current

T = TypeVar("T")
WRONG_USE = 2
PAUSE = 0.12
"""Seconds."""
_REFUSALS = {
    "common/not_yours": "There is no such thing, or it is not this command's to change.",
}
"""What a chat user reads in Chinese, in an operator's words."""


class Tongban(click.Group):
    """Turns wrong settings, a wrong key or a refusal into one sentence and exit code 2."""

    def invoke(self, context: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command."""
        try:
            return super().invoke(context)
        except (SettingsError, sealing.SealError) as error:
            sentence = str(error)
        except NotSetUp:
            sentence = "There is no county in the database yet: the first list must be imported for real, not dry."
        except Refused as refusal:
            sentence = _REFUSALS.get(refusal.name, f"This is refused: {refusal.name}.")
        click.echo(f"tongban: {sentence}", err=True)
        return context.exit(WRONG_USE)


def settings_of(context: click.Context) -> Settings:
    """The settings of the file named on the command line; logging is set up with them."""
    settings = load(context.find_root().obj, os.environ)
    syslog = address(settings.log.syslog) if settings.log.syslog else None
    logs.set_up(settings.log.level, settings.log.format, syslog=syslog)
    return settings


def use_keys(settings: Settings) -> None:
    """Read the key file; SettingsError with one sentence when it cannot be used."""
    try:
        sealing.use(sealing.read_key_file(settings.keys.file))
    except sealing.SealError as error:
        raise SettingsError(f"{error}.") from error


def in_turns(settings: Settings, acts: Callable[[Callable[[Callable[[Turn], T]], T]], Any], act_name: str) -> Any:  # noqa: ANN401 - what `acts` gives
    """Run `acts(run)`, where `run(act)` runs `act(turn)` in a transaction of its own, and audit the command once."""
    use_keys(settings)
    engine = connect(settings.database.url)
    clock = Clock()
    try:
        with engine.begin() as connection:
            if not is_current(connection):
                raise SettingsError("The database is not set up for this version: run `tongban migrate`.")
            clock.load(connection)
            version = county.policy_version(connection, settings.policy.as_json(), clock.now())
            audit.add(connection, at=clock.now(), act=act_name, subject="command", os_user=getpass.getuser())
        policy = replace(policy_of(settings), version=version)

        def run(act: Callable[[Turn], T]) -> T:
            with engine.begin() as connection:
                turn = Turn(connection, clock.now(), policy, kinds=routes.TASKS)
                result = act(turn)
                turn.settle()
            faults.reach("batch_committed")
            let_others_write(engine)
            return result

        return acts(run)
    finally:
        engine.dispose()


def audit_if_there(settings: Settings, act_name: str, also: Callable[[Connection], None] = lambda _: None) -> bool:
    """Audit a command that may run where the county's database is not, and do `also` there; whether it was there."""
    url = make_url(settings.database.url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return False
    engine = connect(settings.database.url)
    clock = Clock()
    try:
        with engine.begin() as connection:
            if not is_current(connection):
                return False
            clock.load(connection)
            audit.add(connection, at=clock.now(), act=act_name, subject="command", os_user=getpass.getuser())
            also(connection)
    except DBAPIError:
        return False
    finally:
        engine.dispose()
    return True


def let_others_write(engine: Engine) -> None:
    """Between two batches: SQLite's waiting writers ask only every tenth of a second, and a bot may be running."""
    if engine.dialect.name == "sqlite":
        time.sleep(PAUSE)


def in_turn(settings: Settings, act: Callable[[Turn], T], act_name: str) -> T:
    """Run `act(turn)` once."""
    result: T = in_turns(settings, lambda run: run(act), act_name)
    return result


def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGINT or SIGTERM; the first one stops gracefully."""

    async def body() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise

    asyncio.run(body())
