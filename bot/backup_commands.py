"""`tongban backup`, `restore` and `release`: a sealed copy, an empty database made of one, and its first word."""

import getpass
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from bot import faults
from bot.alone import alone_on
from bot.cli import in_turn, settings_of, use_keys
from bot.copies import FULL, LATER, copies_in, name_of
from bot.settings import SettingsError
from handlers import releasing
from storage import backup as backups
from storage import restore as restores
from storage.database import connect
from storage.frames import Damaged
from storage.pause import Waiting

LINES = 200
"""Lines of what would be sent that are shown; what is more is counted."""


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def backup(context: click.Context, target: Path) -> None:
    """Copy the whole database, sealed, to a file or into a folder, while the bot runs. It never holds the keys."""
    settings = settings_of(context)
    made = datetime.now(UTC)
    path = target / name_of(made) if target.is_dir() else target
    if path.exists():
        raise click.UsageError(f"{path} is there already: a copy is never written over another file.")
    in_turn(settings, lambda _turn: None, "backup")
    engine = connect(settings.database.url, read_only=True)
    try:
        copied = backups.write(engine, path, made, closing=partial(faults.reach, "copy_before_name"))
    except OSError as error:
        raise click.ClickException(f"{path} could not be written: {error.strerror}.") from None
    finally:
        engine.dispose()
    click.echo(f"{sum(copied.rows.values())} rows of {len(copied.rows)} tables, {_size(copied.bytes)}, are in {path}.")
    click.echo("Keep the key file apart from it: without the keys nobody can read it, with them anybody can.")


@click.command()
@click.argument("copy", type=click.Path(exists=True, path_type=Path))
@click.option("--to", "url", help="URL of an empty database; left out, the one in the settings.")
@click.pass_context
def restore(context: click.Context, copy: Path, url: str | None) -> None:
    """Make an empty database into what a copy holds (of a folder the newest). It is paused until `tongban release`."""
    settings = settings_of(context)
    use_keys(settings)
    path = newest_in(copy) if copy.is_dir() else copy
    url = url or settings.database.url
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise click.UsageError("--to should begin with sqlite:/// or postgresql+psycopg://.")
    with alone_on(url):
        try:
            committing = partial(faults.reach, "restore_before_commit")
            restored = restores.restore(path, url, datetime.now(UTC), getpass.getuser(), committing)
        except restores.NotEmpty:
            raise SettingsError(
                "There is something in that database: a copy is restored into an empty one only."
            ) from None
        except Damaged as error:
            raise click.ClickException(f"{path.name} cannot be restored: {error}. Nothing was kept.") from None
    rows = restored.rows
    click.echo(
        f"{sum(rows.values())} rows of {len(rows)} tables, as they were at {restored.made:%Y-%m-%d %H:%M:%S} UTC."
    )
    click.echo("The system is paused: it receives and answers, but sends nothing until `tongban release`.")


@click.command()
@click.option("--late", is_flag=True, help="Send everything that waits, and do what is due, late.")
@click.option("--pass-over", is_flag=True, help="Do not send what waited in the copy; reminders come tomorrow.")
@click.pass_context
def release(context: click.Context, *, late: bool, pass_over: bool) -> None:
    """Show what a restored system would send, and with --late or --pass-over let it go on."""
    if late and pass_over:
        raise click.UsageError("Choose one: --late or --pass-over.")
    settings = settings_of(context)
    if not late and not pass_over:
        _show(in_turn(settings, releasing.waiting, "release show"))
        return
    act = "release late" if late else "release pass over"
    passed = in_turn(settings, lambda turn: releasing.release(turn, pass_over=pass_over), act)
    if passed is None:
        click.echo("The system is not paused: there is nothing to release.")
    else:
        click.echo(f"Released. {passed} passed over; everything else that is due is sent and done now, marked late.")


def newest_in(folder: Path) -> Path:
    """The newest copy in a folder."""
    copies = copies_in(folder)
    if not copies:
        raise click.UsageError(f"There is no copy in {folder} (a name ends with {FULL} or {LATER}).")
    return copies[-1].path


def _show(waiting: list[Waiting] | None) -> None:
    if waiting is None:
        click.echo("The system is not paused.")
        return
    counts = Counter((item.table, item.kind, item.passable) for item in waiting)
    for (table, kind, passable), count in sorted(counts.items()):
        click.echo(f"{table}\t{kind}\t{count}\t{'can be passed over' if passable else 'goes on in any case'}")
    for item in waiting[:LINES]:
        click.echo(f"{item.table} {item.id}\t{item.kind}\tsince {item.since:%Y-%m-%d %H:%M} UTC")
    if len(waiting) > LINES:
        click.echo(f"and {len(waiting) - LINES} more")
    click.echo("Paused. `tongban release --late` sends all of it, `tongban release --pass-over` not what waited.")


def _size(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB"


COMMANDS = (backup, restore, release)
