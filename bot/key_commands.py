"""`tongban keys`: the file without which the database cannot be read."""

from datetime import UTC, datetime

import click

from bot.cli import in_turn, let_others_write, settings_of, use_keys
from bot.settings import SettingsError
from storage import rotation, sealing
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


COMMANDS = (keys,)
