"""`tongban import people|children FILE`: a list is taken over 50 rows at a time; faulty rows come back with reasons."""

from pathlib import Path

import click

from bot.cli import in_turns, settings_of
from bot.importing import NotAList, read, write_faulty
from handlers import import_rows, imports
from handlers.import_rows import Kind, Listed
from handlers.imports import Outcome


class WrongFile(click.ClickException):
    """A file that is no list: wrong use."""

    exit_code = 2


@click.group(name="import")
def import_() -> None:
    """Take over the offices' lists (xlsx, xls, csv). Nothing is ever deleted; the same list twice changes nothing."""


def _command(kind: Kind, about: str) -> click.Command:
    @click.command(name=kind, help=about)
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Only say what would happen.")
    @click.option("--faulty", type=click.Path(dir_okay=False, path_type=Path), help="Write faulty rows here (xlsx).")
    @click.option("--create-areas", is_flag=True, help="Make places and units that the county does not have yet.")
    @click.option("--county", help="Name of the county, for the very first list.")
    @click.pass_context
    def run(
        context: click.Context, file: Path, *, dry_run: bool, faulty: Path | None, create_areas: bool,
        county: str | None,
    ) -> None:  # fmt: skip
        settings = settings_of(context)
        try:
            listed = import_rows.listed(kind, read(file))
        except NotAList as error:
            raise WrongFile(f"{file.name}: {error}.") from None
        if listed is None:
            raise WrongFile(f"{file.name}: none of the first ten rows of any sheet names the columns.")

        def acts(run: "imports.Run") -> Outcome:
            if county and not dry_run:
                run(lambda turn: imports.set_up(turn, county))
            return imports.all_of(run, kind, listed, create=create_areas, dry=dry_run)

        outcome: Outcome = in_turns(settings, acts, f"import {kind}")
        _report(outcome, listed, faulty, dry=dry_run)

    return run


def _report(outcome: Outcome, listed: Listed, faulty: Path | None, *, dry: bool) -> None:
    click.echo(
        f"{'Dry run: ' if dry else ''}{outcome.new} new, {outcome.changed} changed, {outcome.same} unchanged, "
        f"{len(outcome.faulty)} faulty, {outcome.gone} no longer listed (kept)."
    )
    if not outcome.faulty:
        return
    if faulty is not None:
        write_faulty(faulty, listed, outcome.faulty)
        click.echo(f"The faulty rows with their reasons are in {faulty}: correct them there and import that file.")
    else:
        click.echo("Name a file with --faulty to get the faulty rows with their reasons.")


import_.add_command(_command("people", "People with their roles, units, stand-ins and duty."))
import_.add_command(_command("children", "Children on file with their guardians, schools and pairs."))
COMMANDS = (import_,)
