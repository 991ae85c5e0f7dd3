"""`tongban backup`, `restore` and `release`: a sealed copy, an empty database made of one, and its first word."""

import getpass
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import structlog
from sqlalchemy.exc import DBAPIError

from bot import faults
from bot.alone import alone_on
from bot.cli import audit_if_there, in_turn, settings_of, use_keys
from bot.copies import FULL, LATER, copies_in, name_of
from bot.key_commands import keys_of_sheets
from bot.settings import Settings, SettingsError
from handlers import releasing
from storage import backup as backups
from storage import copied, drill, sealing
from storage import restore as restores
from storage.database import connect
from storage.frames import Damaged
from storage.pause import Waiting
from storage.shares import NEEDED

log = structlog.get_logger()

LINES = 200
"""Lines of what would be sent that are shown; what is more is counted."""


@click.command()
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.pass_context
def backup(context: click.Context, target: Path | None) -> None:
    """Copy the whole database, sealed, to a file or into a folder, while the bot runs. It never holds the keys."""
    settings = settings_of(context)
    target = target or _folder_of(settings)
    made = datetime.now(UTC)
    path = target / name_of(made) if target.is_dir() else target
    if path.exists():
        raise click.UsageError(f"{path} is there already: a copy is never written over another file.")
    in_turn(settings, lambda _turn: None, "backup")
    engine = connect(settings.database.url, read_only=True)
    try:
        made_of = backups.write(engine, path, made, closing=partial(faults.reach, "copy_before_name"))
    except OSError as error:
        raise click.ClickException(f"{path} could not be written: {error.strerror}.") from None
    finally:
        engine.dispose()
    click.echo(
        f"{sum(made_of.rows.values())} rows of {len(made_of.rows)} tables, {_size(made_of.bytes)}, are in {path}."
    )
    click.echo("Keep the key file apart from it: without the keys nobody can read it, with them anybody can.")


@click.command()
@click.argument("copy", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--to", "url", help="URL of an empty database; left out, the one in the settings.")
@click.option("--drill", "is_drill", is_flag=True, help="Only try it: restore into a database that is removed again.")
@click.option(
    "--sheet", "sheets", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --drill: an escrow sheet that was typed in; twice, in place of the key file.",
)  # fmt: skip
@click.pass_context
def restore(
    context: click.Context, copy: Path | None, url: str | None, *, is_drill: bool, sheets: tuple[Path, ...]
) -> None:
    """Make an empty database into what a copy holds (of a folder the newest). It is paused until `tongban release`."""
    if sheets and (not is_drill or len(sheets) != NEEDED):
        raise click.UsageError("--sheet belongs to --drill, and two sheets are needed.")
    settings = settings_of(context)
    copy = copy or _folder_of(settings)
    path = newest_in(copy) if copy.is_dir() else copy
    if is_drill:
        _drill(settings, path, url, sheets)
        return
    use_keys(settings)
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
        except (DBAPIError, OSError) as error:
            kind = type(error).__name__
            raise click.ClickException(
                f"The database cannot be written ({kind}): is there room? Nothing was kept."
            ) from None
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


def _drill(settings: Settings, path: Path, url: str | None, sheets: tuple[Path, ...]) -> None:
    """Try whether the copy, and the sheets where they are given, would save the county; what came of it is noted."""
    now = datetime.now(UTC)
    held, why = None, ""
    try:
        ring = sealing.KeyRing(keys_of_sheets(*sheets)) if sheets else sealing.read_key_file(settings.keys.file)
        held = drill.hold(path, ring, now, getpass.getuser(), url)
    except (drill.Failed, sealing.SealError) as error:
        why = str(error)
        log.error("drill_failed", error=why)  # noqa: TRY400 - its text holds nothing of the copy
    drilled = copied.Drilled(now, passed=held is not None)
    audit_if_there(settings, "restore drill", partial(copied.note_drill, drill=drilled))
    if held is None:
        raise click.ClickException(f"The drill failed: {path.name}: {why}.")
    keys = "two escrow sheets" if sheets else "the key file"
    click.echo(
        f"The drill passed: {held.rows} rows as of {held.made:%Y-%m-%d %H:%M:%S} UTC came back, as many as were noted "
        f"in {path.name}; {held.opened} sealed values were opened with {keys}."
    )


def _folder_of(settings: Settings) -> Path:
    if settings.backup.folder is None:
        raise click.UsageError("Name a file or a folder, or set [backup] folder.")
    return settings.backup.folder


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
