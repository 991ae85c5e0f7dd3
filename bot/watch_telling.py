"""How the watchdog reaches people: the county's gateway and a mail server, never WeChat."""

import asyncio
import hashlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

import aiohttp
import structlog

from bot.channels import Channel
from bot.gateway import Gateway, Words
from bot.settings import Settings
from bot.settings_watch import Mail
from bot.watch import UNITS
from bot.watch_state import Standing
from bot.wechat_errors import OutcomeUnknown, WeChatRefused
from messages import label, render

log = structlog.get_logger()

MAIL_PATIENCE = 20
"""Seconds for each step of a mail."""
MAIL = "mail"
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (OutcomeUnknown, "the gateway does not answer"),
    (WeChatRefused, "the gateway refuses it"),
    (ssl.SSLError, "the mail server does not speak TLS here: look at port and security"),
    (smtplib.SMTPNotSupportedError, "the mail server offers no STARTTLS, or no login: look at port and security"),
    (smtplib.SMTPAuthenticationError, "the mail server does not take user and password"),
    (smtplib.SMTPServerDisconnected, "the mail server hangs up: look at port and security"),
    (smtplib.SMTPException, "the mail server refuses the mail"),
    (Exception, "the mail server does not answer"),
)
"""The first that fits."""


@dataclass(frozen=True)
class News:
    """What is told: the same event has the same id in every try, by whatever way."""

    code: str
    """`ticks`, `ticks over` or `test`, for the subject of a mail."""
    event: str
    text: str


def news_of(settings: Settings, alarm: str, one: Standing) -> News:
    """An alarm, its repetition, or its all-clear."""
    values = {"host": _place(settings), "what": label("watchdog", alarm)}
    event = f"{alarm} {one.since.isoformat()} {'over' if one.over else one.round}"
    if one.over:
        return News(f"{alarm} over", event, render("watchdog/over", **values))
    unit = label("watchdog_unit", UNITS.get(alarm, "minutes"))
    text = render("watchdog/alarm", **values, figure=one.figure, unit=unit, times=one.round)
    return News(alarm, event, text)


def trial(settings: Settings, moment: str) -> News:
    """What `tongban watch --test` sends."""
    return News("test", f"test {moment}", render("watchdog/trial", host=_place(settings)))


def _place(settings: Settings) -> str:
    return urlsplit(settings.web.public_origin).hostname or ""


class Teller:
    """Tells people; a way is `channel position`, such as `sms 1`, so that it names nobody."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self._settings, self._gateway = settings, Gateway(settings.gateway, http)
        by_phone = Channel.SMS if settings.gateway.sms_url else Channel.CALL
        self._ways: dict[str, str] = {}
        for position, person in enumerate(settings.watchdog.people, 1):
            if person.phone:
                self._ways[f"{by_phone} {position}"] = person.phone
            if person.mail:
                self._ways[f"{MAIL} {position}"] = person.mail

    @property
    def ways(self) -> list[str]:
        """Every way that there is."""
        return list(self._ways)

    async def tell(self, way: str, news: News) -> str | None:
        """Tell somebody; None, or why it did not go out. One that may have is tried again under the same id."""
        channel = way.split(maxsplit=1)[0]
        number = hashlib.sha256(f"{socket.gethostname()} {way} {news.event}".encode()).hexdigest()[:24]
        try:
            if channel == MAIL:
                await asyncio.to_thread(_mail, self._settings.watchdog.mail, self._ways[way], number, news)
            else:
                words = Words(f"watch-{number}", self._ways[way], "watchdog", news.text, "", {"what": news.code})
                await self._gateway.ask(Channel(channel), words)
        except (OutcomeUnknown, WeChatRefused, smtplib.SMTPException, OSError) as error:
            why, kind = reason(error), type(error).__name__
            log.error("watch_not_told", channel=channel, kind=news.code, error=kind, why=why)  # noqa: TRY400
            return why
        return None


def reason(error: Exception) -> str:
    """Why somebody could not be told, for an operator: never what a server said, which may name them."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is not accepted: {error.verify_message}"
    return next(why for kind, why in _REASONS if isinstance(error, kind))


def _mail(server: Mail, to: str, number: str, news: News) -> None:
    """Send one mail; raises SMTPException or OSError."""
    message = EmailMessage()
    message["From"], message["To"] = server.sender, to
    message["Subject"] = f"Tongban: {news.code}"
    message["Message-ID"] = f"<{number}@{(server.sender or '').rpartition('@')[2]}>"
    message.set_content(f"{news.text}\n\n{news.code}: docs/operations.md\n")
    host, context = server.host or "", ssl.create_default_context()
    if server.security == "tls":
        line: smtplib.SMTP = smtplib.SMTP_SSL(host, server.port, timeout=MAIL_PATIENCE, context=context)
    else:
        line = smtplib.SMTP(host, server.port, timeout=MAIL_PATIENCE)
    with line:
        if server.security == "starttls":
            line.starttls(context=context)
        if server.user is not None and server.password is not None:
            line.login(server.user, server.password.get_secret_value())
        line.send_message(message)
