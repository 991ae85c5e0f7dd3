"""`tongban keys`: the file without which the database cannot be read."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from bot.cli import audit_if_there, in_turn, let_others_write, settings_of, use_keys
from bot.settings import SettingsError
from storage import escrow, rotation, sealing, shares
from storage.database import connect


@click.group()
def keys() -> None:
    """Make, list and rotate the keys of sealed columns."""


@keys.command()
@click.pass_context
def new(context: click.Context) -> None:
    """Make the key file, or add a key that seals from now on (then run `keys rotate`)."""
    settings = settings_of(context)
    try:
        number = sealing.append_new_key(settings.keys.file, datetime.now(UTC), settings.keys.cipher)
    except OSError as error:
        raise SettingsError(f"The key file {settings.keys.file} cannot be written: {error.strerror}.") from error
    audit_if_there(settings, "keys new")
    click.echo(f"Key {number} is in {settings.keys.file}. Keep a copy apart from the backups.")


@keys.command("list")
@click.pass_context
def list_keys(context: click.Context) -> None:
    """The keys by number, date and cipher; never the secrets."""
    settings = settings_of(context)
    try:
        ring = sealing.read_key_file(settings.keys.file)
    except sealing.SealError as error:
        raise SettingsError(f"{error}.") from error
    audit_if_there(settings, "keys list")
    for key in sorted(ring.keys.values(), key=lambda one: one.id):
        click.echo(f"{key.id}  {key.made}  {key.cipher}{'  seals' if key is ring.newest else ''}")


@keys.command()
@click.pass_context
def rotate(context: click.Context) -> None:
    """Seal everything anew with the newest key, 50 rows at a time; may be stopped and run again."""
    settings = settings_of(context)
    use_keys(settings)
    in_turn(settings, lambda _turn: None, "keys rotate")
    engine = connect(settings.database.url)
    try:
        total = 0
        for count in rotation.rotate(engine):
            total += count
            let_others_write(engine)
    finally:
        engine.dispose()
    click.echo(f"Sealed {total} values anew. Old keys but the first may go once no backup needs them.")


@keys.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def export(context: click.Context, folder: Path) -> None:
    """Write three escrow sheets to print, of which any two give back the keys; then destroy the files."""
    settings = settings_of(context)
    use_keys(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = [folder / f"sheet-{number}.txt" for number in shares.SHARES]
    if there := next((name for name in names if name.exists()), None):
        raise click.UsageError(f"{there} is there already: print it and destroy it, or name another folder.")
    in_turn(settings, lambda _turn: None, "keys export")
    held = list(sealing.ring().keys.values())
    today = datetime.now(UTC)
    for name, sheet in zip(names, escrow.sheets_of(held), strict=True):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_page(sheet, held, today))
    click.echo(
        f"Three sheets are in {folder}. Print them, give them to three people, then destroy the files (shred -u)."
    )


@keys.command()
@click.argument("sheets", nargs=2, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to", "path", type=click.Path(dir_okay=False, path_type=Path), help="Default: the file in the settings."
)
@click.pass_context
def recover(context: click.Context, sheets: tuple[Path, Path], path: Path | None) -> None:
    """Make a new key file of two escrow sheets that were typed in; a mistyped line is named."""
    settings = settings_of(context)
    path = path or settings.keys.file
    held = keys_of_sheets(*sheets)
    try:
        sealing.write_new_key_file(path, held)
    except FileExistsError:
        raise click.UsageError(
            f"{path} is there already, and may hold newer keys: name another file with --to."
        ) from None
    audit_if_there(settings, "keys recover")
    click.echo(f"Keys {_numbers(held)} are in {path}. `tongban people list` shows whether they belong to the database.")


def keys_of_sheets(one: Path, two: Path) -> list[sealing.Key]:
    """The keys on two sheets; SealError names the sheet and line that cannot be used."""
    read = [escrow.Sheet.read(path.read_text(encoding="utf-8", errors="replace").splitlines()) for path in (one, two)]
    return escrow.keys_of(*read)


def _numbers(held: Iterable[sealing.Key]) -> str:
    return ", ".join(str(key.id) for key in held)


def _page(sheet: escrow.Sheet, held: Iterable[sealing.Key], day: datetime) -> str:
    lines = "\n\n".join(sheet.lines())
    return _PAGE.format(number=sheet.number, day=day, keys=_numbers(held), lines=lines)


_PAGE = """\
TONGBAN: ESCROW SHEET {number} OF 3                                  {day:%Y-%m-%d}, keys {keys}

Any two of the three sheets open everything that is sealed: names, numbers, reports. One alone
opens nothing. Keep it in a sealed envelope, away from the other two, from the key file and from
every copy of the database. Whoever opens the envelope writes the day and the reason on it.

To use it, type from SHEET to END into a text file, and the same from a second sheet; then
    tongban keys recover FILE FILE
Small letters and spaces do not matter; O is read as 0, I and L as 1. A mistyped line is named.


{lines}
"""
COMMANDS = (keys,)
