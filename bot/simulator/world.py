"""The one object the parts of the platform share."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bot.simulator import crypto
from bot.simulator.changes import Changes
from bot.simulator.clock import Clock
from bot.simulator.faults import Faults
from bot.simulator.keeping import Keeper
from bot.simulator.log import Log
from bot.simulator.push import Delivery
from bot.simulator.settings import Kind, Mode, SimulatorSettings, TemplateSpec
from bot.simulator.state import Media, Phone, ScreenItem

STATIC = Path(__file__).with_name("static")
STRINGS: dict[str, str] = json.loads((STATIC / "strings.json").read_text(encoding="utf-8"))
MEDIA_LIFE = 3 * 24 * 3600


class NumberTakenError(ValueError):
    """Two phones cannot ring under one number."""


@dataclass
class Account:
    """The account as the console would show it; everything here can be changed while running."""

    app_id: str
    app_secret: str
    token: str
    aes_key: str
    previous_aes_key: str | None
    mode: Mode
    kind: Kind
    original_id: str
    bot_url: str
    public_origin: str
    ip_white_list: tuple[str, ...]
    oauth_domain: str | None
    gateway_secret: str | None
    daily_limits: dict[str, int] = field(default_factory=dict)
    templates: dict[str, TemplateSpec] = field(default_factory=dict)
    notices: dict[str, TemplateSpec] = field(default_factory=dict)


class World:
    """Account, memory, clock, log and faults of one running stand-in."""

    pusher: Delivery
    origin: str = ""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Read the state file if there is one and make the followers that should exist."""
        self.settings = settings
        self.account = Account(
            app_id=settings.app_id,
            app_secret=settings.app_secret,
            token=settings.token,
            aes_key=settings.encoding_aes_key,
            previous_aes_key=settings.previous_encoding_aes_key,
            mode=Mode(settings.mode),
            kind=Kind(settings.kind),
            original_id=settings.original_id,
            bot_url=settings.bot_url.rstrip("/"),
            public_origin=(settings.public_origin or settings.bot_url).rstrip("/"),
            ip_white_list=settings.ip_white_list,
            oauth_domain=settings.oauth_domain,
            gateway_secret=settings.gateway_secret,
            daily_limits=dict(settings.daily_limits),
            templates={one.template_id: one for one in settings.templates},
            notices={one.template_id: one for one in settings.notices},
        )
        crypto.key_of(settings.encoding_aes_key)
        self.keeper = Keeper(settings.state_file)
        self.state = self.keeper.load()
        self.clock = Clock(self.state.clock_offset, settings.assumed.midnight_hours_east)
        self.changes = Changes()
        self.log = Log(self.clock, self.changes)
        self.faults = Faults()
        self.this_minute: dict[str, tuple[int, int]] = {}
        """What has a quota by the minute → which minute it is, and the calls in it."""
        self.pages: dict[str, list[str]] = {}
        """Openid → the pages open in that phone's browser, the newest last."""
        self._make_followers()

    def _make_followers(self) -> None:
        for index in range(1, self.settings.followers + 1):
            openid = f"o-sim-{index:05d}"
            if openid not in self.state.phones:
                self.add_phone(openid, "", following=True)

    def reset(self) -> None:
        """Forget everything but the account: state, media, log and faults."""
        for media_id in list(self.state.media):
            self.keeper.drop(media_id)
        self.state = type(self.state)()
        self.clock.offset = 0.0
        self.faults = Faults()
        self.log.clear()
        self._make_followers()
        self.changes.bump()

    def save(self) -> None:
        """Write the state file, if there is one."""
        self.state.clock_offset = self.clock.offset
        self.state.forget_before(self.clock.now())
        self.keeper.save(self.state)

    def templates(self) -> dict[str, TemplateSpec]:
        """The message templates the account may send: the console's, and what was added and deleted by calls."""
        every = self.account.templates | self.state.made_templates
        return {key: one for key, one in every.items() if key not in self.state.dropped}

    def notices(self) -> dict[str, TemplateSpec]:
        """The same for subscription notices."""
        every = self.account.notices | self.state.made_notices
        return {key: one for key, one in every.items() if key not in self.state.dropped}

    def with_number(self, number: str) -> Phone | None:
        """The phone that rings under this number."""
        return next((phone for phone in self.state.phones.values() if number and phone.number == number), None)

    def give_number(self, phone: Phone, number: str) -> None:
        """Give a phone its number, or none; raises NumberTakenError."""
        holder = self.with_number(number)
        if holder is not None and holder is not phone:
            raise NumberTakenError(f"another phone has the number {number}")
        phone.number = number

    def add_phone(self, openid: str | None, name: str, number: str = "", *, following: bool) -> Phone:
        """A new user; without an openid the next free one is made. Raises NumberTakenError."""
        index = max((phone.index for phone in self.state.phones.values()), default=0) + 1
        phone = Phone(openid or f"o-sim-{index:05d}", index, name, following)
        self.give_number(phone, number)
        if following:
            phone.subscribe_time = self.clock.stamp()
        self.state.phones[phone.openid] = phone
        self.changes.bump()
        return phone

    def show(self, phone: Phone, side: str, kind: str, text: str, **parts: object) -> ScreenItem:
        """Put an item on a phone's screen."""
        n = phone.screen[-1].n + 1 if phone.screen else 1
        item = ScreenItem(n, self.clock.now(), side, kind, text, **cast("dict[str, str]", parts))  # type: ignore[arg-type]  # parts are ScreenItem's own optional fields
        phone.screen.append(item)
        self.changes.bump()
        return item

    def alarm(self, openid: str, reason: str, sample: str) -> None:
        """What the platform would send to the owner's alarm group."""
        self.state.alarms += 1
        self.log.add("alarm", openid=openid, reason=reason, sample=sample[:500])

    def next_msgid(self) -> int:
        """A 64-bit message id that no earlier run gave either (the last one again under the fault same_msgid)."""
        if self.faults.take("same_msgid"):
            return self.state.last_msgid
        self.state.last_msgid = max(self.state.last_msgid + 1, 22_000_000_000_000_000 + int(time.time() * 1_000_000))
        return self.state.last_msgid

    def keep_media(self, kind: str, data: bytes, content_type: str, filename: str, *, permanent: bool = False) -> Media:
        """Keep a medium, temporary unless said, and give it an id."""
        media = Media(secrets.token_urlsafe(48), kind, content_type, filename, len(data), self.clock.now(), permanent)
        self.state.media[media.media_id] = media
        self.keeper.put(media.media_id, data)
        return media

    def live_media(self, media_id: str) -> Media | None:
        """The medium, if it exists and is younger than three days or permanent."""
        media = self.state.media.get(media_id)
        if media is None or (not media.permanent and self.clock.now() - media.created >= MEDIA_LIFE):
            return None
        return media
