"""`tongban`: the command line. Exit codes: 0 done, 1 failed while running, 2 wrong use or settings."""

import asyncio
import os
import sys
from pathlib import Path

import click

from bot import (
    backup_commands,
    demo_commands,
    faults,
    import_commands,
    key_commands,
    operator_commands,
    people_commands,
    watch_commands,
)
from bot.app import running
from bot.cli import Tongban, run_until_stopped, settings_of
from storage.migrate import upgrade


@click.group(cls=Tongban)
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="Default: TONGBAN_CONFIG or config.toml."
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """The WeChat bot of a county's child-protection work."""
    context.obj = config
    os.umask(0o077)  # whatever a command writes is for the bot's own user alone
    faults.arm(os.environ)


@main.command()
@click.pass_context
def run(context: click.Context) -> None:
    """Serve the official account."""
    settings = settings_of(context)

    async def serve() -> None:
        async with running(settings):
            await asyncio.Event().wait()

    run_until_stopped(serve())


@main.command()
@click.pass_context
def migrate(context: click.Context) -> None:
    """Create or upgrade the database's tables."""
    upgrade(settings_of(context).database.url)
    click.echo("The database is up to date.")


for _command in (
    *backup_commands.COMMANDS,
    *demo_commands.COMMANDS,
    *import_commands.COMMANDS,
    *key_commands.COMMANDS,
    *operator_commands.COMMANDS,
    *people_commands.COMMANDS,
    *watch_commands.COMMANDS,
):
    main.add_command(_command)

if __name__ == "__main__":
    sys.exit(main())
