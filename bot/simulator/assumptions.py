"""What the platform's manual leaves open and this stand-in decided: as switches, and printed when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.simulator.settings import SimulatorSettings

MB = 1024 * 1024


@dataclass(frozen=True)
class Assumed:
    """One switch for each thing that no source of ours proves and that can be played both ways.

    Left alone, it is the stricter reading; for the two allowances it is the one that our notes on the platform chose.
    """

    fresh_signatures: bool = True
    """Each delivery of a message is signed and sealed anew."""
    midnight_hours_east: float = 8.0
    """Where it is midnight when the daily counters start again."""
    ip_refusal: int = 40164
    """What an address outside the white list is told: 40164, or 61004 as the newer guide has it."""
    ip_checked_everywhere: bool = False
    """Whether calls with a valid token are checked against the white list too."""
    client_msg_id_life: float = 600.0
    """Seconds in which a client_msg_id repeated for the same person sends nothing."""
    menu_life: float | None = None
    """Seconds in which an item of a menu message (or a bizmsgmenu link) can be tapped; None: for ever."""
    allowances_apart: bool = True
    """Whether the five in 48 h and the three in one minute are spent apart; else a message counts against both."""
    short_allowance_first: bool = True
    """Which of the two is spent first while they are apart."""
    allowances_add_up: bool = False
    """Whether a new act adds to what is left of its allowance; else it sets it to the full number."""
    escapes_stand: bool = True
    r"""Whether a \uXXXX escape in a request body stays these six characters, and is refused in a menu."""
    largest_image: int = 2 * MB
    """Bytes of an uploaded picture: the manual says 10 MB in one place and 2 MB in another."""
    thumb_answer: str = "media_id"
    """The name of the id in the answer to an uploaded thumb; older manuals say thumb_media_id."""
    qr_life: int = 30
    """Seconds of a temporary QR code that names none: 30 or 60."""
    notices_add_up: bool = False
    """Whether saying yes twice to a one-time notice allows two messages."""
    missing_qr_status: int = 404
    """The HTTP status of the picture of an unknown ticket."""


def _retries(settings: SimulatorSettings) -> list[str]:
    pause = (
        "when the patience of the attempt is over"
        if settings.retry_pause is None
        else f"{settings.retry_pause} s later"
    )
    again = "are delivered again" if settings.retry_bad_answers else "are not delivered again"
    signed = "are signed and sealed anew" if settings.assumed.fresh_signatures else "are the same bytes"
    threshold = settings.mark_fail_threshold
    stop = f"After {threshold} failures in five minutes pushes stop" if threshold else "Failures never stop pushes"
    return [
        f"A message is delivered {settings.retries} times at most; the next delivery starts {pause}.",
        f"Deliveries of one message {signed}; MsgId, CreateTime and the text inside stay the same.",
        f"Answers that are not HTTP 200 or not a valid reply show the fault notice and {again}.",
        f"{stop}; what was lost meanwhile is not pushed later, and pushes that are wrong on purpose do not count.",
    ]


def _allowances(assumed: Assumed) -> list[str]:
    first = "one-minute" if assumed.short_allowance_first else "48 h"
    spent = f"The {first} allowance is spent first" if assumed.allowances_apart else "A message counts against both"
    again = "adds to what is left of" if assumed.allowances_add_up else "sets"
    full = "" if assumed.allowances_add_up else " to the full number"
    life = "never expires" if assumed.menu_life is None else f"expires after {assumed.menu_life:g} s"
    return [
        "A message opens 5 customer-service messages for 48 h; a click, follow or scan opens 3 for one minute.",
        f"{spent}; a new act {again} its allowance{full}.",
        f"Tapping a customer-service menu item or a bizmsgmenu link counts as a click; such an item {life}.",
    ]


def assumptions(settings: SimulatorSettings) -> list[str]:
    """One English sentence each."""
    assumed = settings.assumed
    everywhere = "Every call is" if assumed.ip_checked_everywhere else "Only fetching a token is"
    escapes = "shown as it stands, and a menu with one is refused with 40033" if assumed.escapes_stand else "read"
    add_up = "add up" if assumed.notices_add_up else "do not add up"
    return [
        *_retries(settings),
        "A refused or broken connection counts as no answer.",
        "Pushes and replies are XML; the JSON format of the console is not played.",
        *_allowances(assumed),
        "Characters are counted as Unicode code points, the text limit of 2048 in bytes of UTF-8.",
        f"A \\u escape in a request body is {escapes}.",
        "A passive reply and a message sent at the same moment are shown as they come.",
        f"Daily counters start again at midnight {assumed.midnight_hours_east:g} h east of Greenwich.",
        f"Within {assumed.client_msg_id_life:g} s a client_msg_id repeated for the same user sends nothing more.",
        f"{everywhere} checked against the IP white list, which answers {assumed.ip_refusal}.",
        "A template field that the template does not have is refused with 47003; short_thing takes 20 characters.",
        f"Pictures up to {assumed.largest_image / MB:g} MB may be uploaded; voice up to 2 MB and 60 s.",
        f"The answer to an uploaded thumb names its id {assumed.thumb_answer}.",
        f"A temporary QR code that names no life has {assumed.qr_life} s; one that asks for over 30 days is refused.",
        f"The picture of an unknown ticket answers HTTP {assumed.missing_qr_status}.",
        "Sign-in on another domain than the public one stops with redirect_uri 10003 on the authorize page.",
        f"One-time opt-ins to the same notice {add_up}; sending a notice tells no msgid, its event does.",
        "A person who had four mass messages in a calendar month is left out of FilterCount.",
        "Without clientmsgid a mass message is known by the digest of whom and what.",
        "A number that nobody has is accepted by the gateway and reported as failed; so is a call to an engaged phone.",
    ]
