"""`tongban`: the command line. Exit codes: 0 done, 1 failed while running, 2 wrong use or settings."""

import asyncio
import gc
import os
import sys
from pathlib import Path

import click

from bot import faults
from bot.app import running
from bot.cli import Tongban, run_until_stopped, settings_of


class Everything(Tongban):
    """`run` stays in memory for good, so what only the others need (lists, sheets, the stand-in) waits for them."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """One command."""
        if name not in self.commands:
            self._add_others()
        return super().get_command(context, name)

    def list_commands(self, context: click.Context) -> list[str]:
        """Every command's name."""
        self._add_others()
        return super().list_commands(context)

    def _add_others(self) -> None:
        from bot import (  # noqa: PLC0415 - see above
            backup_commands,
            demo_commands,
            import_commands,
            key_commands,
            operator_commands,
            people_commands,
            watch_commands,
        )

        for module in (
            backup_commands, demo_commands, import_commands, key_commands, operator_commands, people_commands,
            watch_commands,
        ):  # fmt: skip
            for command in module.COMMANDS:
                self.add_command(command)


@click.group(cls=Everything)
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
            gc.collect()
            gc.freeze()  # else a full collection looks at 180,000 objects that stay, and every answer waits for it
            await asyncio.Event().wait()

    run_until_stopped(serve())


@main.command()
@click.pass_context
def migrate(context: click.Context) -> None:
    """Create or upgrade the database's tables."""
    from storage.migrate import upgrade  # noqa: PLC0415 - alembic, for which `run` has no use

    upgrade(settings_of(context).database.url)
    click.echo("The database is up to date.")


if __name__ == "__main__":
    sys.exit(main())
