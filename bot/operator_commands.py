"""`tongban check`, `replay`, `understand` and `menu`: what an operator does besides running it."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain

import aiohttp
import click

from bot import logs, turns
from bot.account import Right, may
from bot.account_check import Mark, check_account
from bot.cli import in_turn, in_turns, run_until_stopped, settings_of
from bot.clock import Clock
from bot.menus import DEFAULT, UnfitMenu, push_menus
from bot.settings import Settings
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers import check as checks
from handlers import deep as deeper
from handlers.turn import Turn
from handlers.understanding import as_json, understand
from storage import inbox
from storage.deep import reading

FOUND_SOMETHING = 1


@click.command()
@click.option("--deep", is_flag=True, help="Verify the whole database as well; may take minutes, the bot goes on.")
@click.option("--wechat", is_flag=True, help="Look at the account's own side instead: what is there, what is missing.")
@click.pass_context
def check(context: click.Context, *, deep: bool, wechat: bool) -> None:
    """List every open matter for which nobody must act, and what was lost on the way; empty is good."""
    if wechat:
        _check_wechat(context)
        return
    settings = settings_of(context)
    found = False
    shallow = in_turn(settings, checks.findings, "check deep" if deep else "check")
    for one in chain(shallow, _deeply(settings) if deep else ()):
        click.echo(f"{one.kind}\t{one.subject} {one.id}\t{one.sentence}")
        found = True
    if found:
        context.exit(FOUND_SOMETHING)


def _deeply(settings: Settings) -> Iterator[checks.Finding]:
    """On connections that only read, beside a running bot."""
    engine, clock = reading(settings.database.url), Clock()
    try:
        with engine.connect() as connection:
            clock.load(connection)
        yield from deeper.findings(engine, clock.now(), settings.policy)
    finally:
        engine.dispose()


def _check_wechat(context: click.Context) -> None:
    settings, lines = settings_of(context), []
    logs.set_up("error", settings.log.format)  # the lines say it in words that a clerk can act on

    async def look() -> None:
        async with aiohttp.ClientSession() as http:
            lines.extend(await check_account(settings, http))

    run_until_stopped(look())
    if not lines:
        raise click.ClickException("Stopped before everything was looked at: nothing is known of the account.")
    for line in lines:
        click.echo(str(line))
    if any(line.mark is Mark.MISSING for line in lines):
        context.exit(FOUND_SOMETHING)


@click.command()
@click.argument("number", type=int, required=False)
@click.pass_context
def replay(context: click.Context, number: int | None) -> None:
    """Run the turns of parked messages again: one by its number, or all."""

    def all_of_them(run: Callable[[Callable[[Turn], int]], int]) -> int:
        run(lambda turn: inbox.unpark(turn.connection, number, turn.now))
        ran = total = run(lambda turn: turns.run_kept(turn.connection, turn.now, turn.policy))
        while ran:
            ran = run(lambda turn: turns.run_kept(turn.connection, turn.now, turn.policy))
            total += ran
        return total

    click.echo(f"Ran {in_turns(settings_of(context), all_of_them, 'replay')} messages again.")


@click.command("understand")
def understand_command() -> None:
    """Read messages, one a line (`text` or `role<TAB>text`), and say what the rules make of each."""
    for line in sys.stdin:
        role, tab, said = line.rstrip("\n").partition("\t")
        read = understand(said if tab else role, role if tab else None)
        click.echo(json.dumps(as_json(read), ensure_ascii=False))


@click.group()
def menu() -> None:
    """The account's menus."""


@menu.command()
@click.pass_context
def push(context: click.Context) -> None:
    """Give every role its menu; only what differs from the account's menus is pushed."""
    settings = settings_of(context)
    if not may(settings.wechat.kind, Right.MENUS):
        click.echo("This kind of account has no menus: people write the words instead.")
        return

    async def send() -> None:
        async with aiohttp.ClientSession() as http:
            try:
                done = await push_menus(WeChat(settings.wechat, http))
            except (OutcomeUnknown, UnfitMenu, WeChatRefused) as error:
                raise click.ClickException(f"{error}; what was done before stays, and can be pushed again.") from None
        for role, what in done:
            click.echo(f"{'everybody' if role == DEFAULT else role}\t{what}")
        if not done:
            click.echo("The menus are as they should be: nothing was pushed.")

    run_until_stopped(send())


COMMANDS = (check, replay, understand_command, menu)
