"""`[watchdog]`: who is told by SMS or mail when the bot itself is not well, and from when on (docs/operations.md)."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bot.addresses import is_loopback, origin
from bot.settings_section import Section

LEAST = 2
"""People: one alone may be ill or asleep (mission.md, capability 25)."""
Minutes = Annotated[float, Field(ge=0)]
"""0: it is not watched."""
Address = Annotated[str, Field(pattern=r"^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$")]

Number = Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]


class Told(Section):
    """Somebody who is told."""

    name: Annotated[str, Field(min_length=1, repr=False)]
    phone: Annotated[Number | None, Field(repr=False)] = None
    mail: Annotated[Address | None, Field(repr=False)] = None

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if self.phone is None and self.mail is None:
            raise ValueError("phone or mail is missing")
        return self


class Mail(Section):
    """The server that takes our mails."""

    secrets = frozenset({"password"})

    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 465
    security: Literal["tls", "starttls", "none"] = "tls"
    user: str | None = None
    password: SecretStr | None = None
    sender: Address | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host is not None and self.sender is None:
            raise ValueError("sender is missing: the address that the mails come from")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.password is not None and self.security == "none" and not is_loopback(self.host or ""):
            raise ValueError('security = "none" would send the password unencrypted')
        return self


class Watchdog(Section):
    """What `tongban watch` looks at, and whom it tells."""

    people: tuple[Told, ...] = ()
    mail: Mail = Mail()
    url: Annotated[str, AfterValidator(origin)] | None = None
    """Where the bot answers; by default the address that it listens on."""
    state: Path = Path("tongban.watch.json")
    folders: tuple[Path, ...] = (Path("/"),)
    """Besides those of the database and of its copies."""
    repeat_minutes: Annotated[float, Field(gt=0)] = 60
    calm_minutes: Minutes = 5
    working_from: time = time(8, 30)
    working_until: time = time(17, 30)
    down_minutes: Minutes = 3
    database_minutes: Minutes = 5
    tick_minutes: Minutes = 10
    token_minutes: Minutes = 10
    callback_minutes: Minutes = 120
    outbox_minutes: Minutes = 15
    due_minutes: Minutes = 15
    copy_minutes: Minutes = 30
    """On top of `[backup] every_minutes`."""
    disk_percent: Annotated[float, Field(ge=0, le=100)] = 85
    parked_messages: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if 0 < len(self.people) < LEAST:
            raise ValueError("people: name two at least, so that one may be ill or asleep")
        if self.mail.host is None and any(one.mail for one in self.people):
            raise ValueError("mail.host is missing: somebody is to be told by mail")
        if self.working_from >= self.working_until:
            raise ValueError("working_from should be earlier than working_until")
        return self
