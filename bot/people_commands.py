"""`tongban people`: add somebody, invite them to bind their WeChat, list who is here, let somebody leave."""

from datetime import datetime, timedelta

import aiohttp
import click

from bot.account import Right, may
from bot.cli import in_turn, run_until_stopped, settings_of
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers import absences, binding, leaving, roster
from handlers.turn import Refused, Turn
from storage import absences as rows
from storage.people import Role

_LONGEST_QR = timedelta(days=30)
"""The platform's limit for a scene QR code."""
_DAY = click.DateTime(["%Y-%m-%d"])
_UNKNOWN = "There is no such person on the list, or there are several: use the telephone number."
_BUSY = -1
"""The next one may well be made; after anything else no more are asked for."""


@click.group()
def people() -> None:
    """Everybody on the county's list, and their binding to WeChat."""


@people.command()
@click.argument("name")
@click.argument("phone")
@click.argument("role", type=click.Choice([str(role) for role in Role if role != Role.CITIZEN]))
@click.option("--township", default="", help="Where; left out, the county.")
@click.option("--village", default="", help="For a village child officer.")
@click.option("--unit", default="", help="School, station or office.")
@click.pass_context
def add(context: click.Context, name: str, phone: str, role: str, *, township: str, village: str, unit: str) -> None:
    """Add one person, or change what is known of them."""

    def act(turn: Turn) -> roster.Added:
        return roster.add(turn, name=name, phone=phone, role=role, township=township, village=village, unit=unit)

    added: roster.Added = in_turn(settings_of(context), act, "people add")
    if added.reason:
        raise click.UsageError(added.reason)
    click.echo(added.what)


@people.command()
@click.argument("who", required=False)
@click.option("--all", "everybody", is_flag=True, help="Everybody with a role who is not bound yet.")
@click.option("--qr", is_flag=True, help="Also make a scene QR code for each at the platform.")
@click.pass_context
def invite(context: click.Context, who: str | None, *, everybody: bool, qr: bool) -> None:
    """Make one-time codes; earlier codes of the same people lapse. Hand each code to its person only."""
    if everybody == bool(who):
        raise click.UsageError("Name one person (or telephone number), or say --all.")
    settings = settings_of(context)
    invited: list[roster.Invited] = in_turn(settings, lambda turn: roster.invite(turn, who), "people invite")
    if not invited and who:
        raise click.UsageError(_UNKNOWN)
    if qr and not may(settings.wechat.kind, Right.QR):
        click.echo("This kind of account has no scene QR codes: here are the codes alone.", err=True)
        qr = False
    seconds = int(min(timedelta(days=settings.policy.invite_days), _LONGEST_QR).total_seconds())

    left = list(invited)

    async def show() -> None:
        async with aiohttp.ClientSession() as http:
            wechat, wanted = WeChat(settings.wechat, http), qr
            while left:
                ticket = ""
                try:
                    ticket = await wechat.create_qr(f"{binding.SCENE}{left[0].code}", seconds) if wanted else ""
                except (OutcomeUnknown, WeChatRefused) as error:
                    click.echo(f"{error}: the code binds without its QR code, too.", err=True)
                    wanted = isinstance(error, WeChatRefused) and error.code == _BUSY
                _show(left.pop(0), wechat.qr_picture_url(ticket) if ticket else "")

    try:
        run_until_stopped(show())
    finally:
        for one in left:  # stopped: the earlier codes have lapsed, and these stand nowhere else
            _show(one, "")


def _show(one: roster.Invited, picture: str) -> None:
    click.echo("\t".join(filter(None, (one.place, one.name, one.code, picture))))


@people.command("list")
@click.pass_context
def list_people(context: click.Context) -> None:
    """Who is here: place, name, roles, whether WeChat is bound, and any leave."""
    for one in in_turn(settings_of(context), roster.entries, "people list"):
        bound = "bound" if one.bound else "not bound"
        click.echo("\t".join(filter(None, (one.place, one.name, ", ".join(one.roles), bound, one.away))))


@people.command()
@click.argument("who")
@click.pass_context
def unbind(context: click.Context, who: str) -> None:
    """A phone is lost: its binding and all sign-ins end at once; a new code binds the next phone."""

    def act(turn: Turn) -> bool:
        person = roster.find(turn, who)
        if person is not None:
            binding.unbind(turn, person)
        return person is not None

    if not in_turn(settings_of(context), act, "people unbind"):
        raise click.UsageError(_UNKNOWN)
    click.echo("Done: the binding and all sign-ins have ended.")


@people.command()
@click.argument("who")
@click.option("--from", "since", type=_DAY, required=True, help="The first day, as 2026-12-01.")
@click.option("--to", "until", type=_DAY, required=True, help="The last day.")
@click.option("--stand-in", help="Who acts meanwhile; left out, the stand-in, else whom a supervisor names.")
@click.pass_context
def away(context: click.Context, who: str, since: datetime, until: datetime, stand_in: str | None) -> None:
    """Somebody is on leave for some days: another has their work, which comes back afterwards."""

    def act(turn: Turn) -> str:
        person, acting = roster.find(turn, who), roster.find(turn, stand_in) if stand_in else None
        if person is None or (stand_in and acting is None):
            return _UNKNOWN
        absence = absences.announce(turn, person, since.date(), until.date())
        if acting is not None:
            absences.name(turn, absence, acting)
        found = absences.deputy(turn, absence, person)
        click.echo(f"Kept: {found.name if found else 'a supervisor is asked who'} acts meanwhile.")
        return ""

    try:
        problem = in_turn(settings_of(context), act, "people away")
    except Refused:
        raise click.UsageError("The last day must not be before the first or before today, nor 180 days off.") from None
    if problem:
        raise click.UsageError(problem)


@people.command()
@click.argument("who")
@click.pass_context
def back(context: click.Context, who: str) -> None:
    """Somebody's leave is over: what was not begun meanwhile is theirs again."""

    def act(turn: Turn) -> str:
        person = roster.find(turn, who)
        absence = rows.open_of(turn.session, person.id) if person else None
        if absence is not None:
            absences.back(turn, absence)
        return "" if absence else "There is no leave of such a person." if person else _UNKNOWN

    if problem := in_turn(settings_of(context), act, "people back"):
        raise click.UsageError(problem)
    click.echo("Done: what was not begun meanwhile is theirs again.")


@people.command()
@click.argument("who")
@click.option("--to", help="Who takes over; left out, the stand-in.")
@click.pass_context
def leave(context: click.Context, who: str, to: str | None) -> None:
    """End somebody's service: what they hold goes to the successor first, then roles, binding and sign-ins end."""

    def act(turn: Turn) -> str:
        person = roster.find(turn, who)
        successor = roster.find(turn, to) if to else (leaving.stand_in_of(turn, person) if person else None)
        if person is None or (to and successor is None):
            return _UNKNOWN
        leaving.leave(turn, person, successor)
        return ""

    try:
        problem = in_turn(settings_of(context), act, "people leave")
    except Refused:
        raise click.ClickException(
            "Open work would be left to nobody: name a successor with --to who has bound WeChat and can be reached."
        ) from None
    if problem:
        raise click.UsageError(problem)
    click.echo("Done: everything was handed over, the binding and all sign-ins have ended.")


COMMANDS = (people,)
