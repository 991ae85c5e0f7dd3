"""The county's rules as data: levels, intervals, ladders, windows, holidays, phone numbers.

Every value is a county setting (`[policy]` in config.toml) with a careful default. A change makes a new
version in the database, and records keep the version they were made under.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, time
from functools import cached_property
from typing import Literal

Way = Literal["custom", "subscribe", "template", "sms", "call"]
"""How a message reaches somebody: three of WeChat's (`subscribe`: a subscription notice), two by telephone."""
WECHAT: frozenset[Way] = frozenset({"custom", "subscribe", "template"})


@dataclass(frozen=True)
class Notice:
    """A subscription notice of the account."""

    template_id: str
    long_term: bool
    """Whether one yes allows any number of messages, rather than one."""


@dataclass(frozen=True)
class Level:
    """What one risk level asks for; the defaults are the proposal of domain.md 2.5."""

    first_contact_hours: int
    visit_every_days: int
    first_month_every_days: int
    to_township_after_days: int
    to_county_after_days: int
    holiday_days: int = 0
    """So many days off in a row ask for a visit before and one after them; 0: none does."""


def _levels() -> dict[str, Level]:
    return {
        "red": Level(24, 7, 3, 0, 0),
        "yellow": Level(72, 14, 14, 3, 7),
        "blue": Level(168, 30, 30, 7, 14),
        "green": Level(720, 91, 91, 14, 28, holiday_days=5),
    }


@dataclass(frozen=True)
class Numbers:
    """Telephone numbers shown to people (domain.md 1.10); local ones are the county's to fill in."""

    police: str = "110"
    ambulance: str = "120"
    county_duty: str = "12345"
    psychological: str = "12356"
    procuratorate: str = "12309"
    last_rung: tuple[str, ...] = ("110", "12345")
    """What everybody on the ladder is told to ring when nobody has answered."""

    def is_emergency(self, text: str | None) -> bool:
        """Whether somebody typed nothing but a number that they should have dialled."""
        return (text or "").strip() in {self.police, self.ambulance}


@dataclass(frozen=True)
class Policy:
    """All rules of one county; the field names are the keys of `[policy]`."""

    version: int = 0
    """Set from the database when the process starts; 0 means not recorded yet."""
    ways: frozenset[Way] = frozenset({"custom", "template"})
    """Set when the process starts: what the account and the gateway can do. No rule, so it has no version."""
    notices: Mapping[str, Notice] = field(default_factory=dict)
    """Likewise: the account's notices by purpose, if people can agree to any."""

    # Alarms.
    alarm_ladder_minutes: tuple[int, ...] = (0, 30, 60, 90)
    """Minutes after the report at which the next rung is alarmed (mission.md capability 2)."""
    red_county_at_once: bool = True
    unclaimed_after_minutes: int = 30
    numbers: Numbers = field(default_factory=Numbers)

    # Reporting.
    report_quiet_minutes: int = 10
    """Silence after which a draft with anything readable in it becomes an alarm (design 4)."""
    report_open_hours: int = 12
    """An open report older than this asks once whether it is the same child."""
    burst_seconds: int = 20
    """Messages closer together than this get one reply."""
    police_receipt_minutes: int = 10
    """How long after a report the bot asks for the police receipt, then again every 24 hours, three times."""
    receipt_tries_per_hour: int = 10
    media_largest_mb: int = 20
    """Megabytes of a picture, voice or film; a larger one is refused. More than 20 is never fetched at all."""

    # One-to-one visits.
    levels: dict[str, Level] = field(default_factory=_levels)
    first_month_days: int = 30
    retry_visit_days: int = 3
    overdue_to_standin_days: int = 1
    """Of a green or blue child's visit; a red or yellow one goes there after `silence_hours`."""
    silence_hours: int = 48
    """A red or yellow task moves on from whoever was asked and did nothing for so long (mission.md capability 10)."""
    most_children: int = 60
    """Children one person may follow or hold visits of; domain.md 3.3 has 5 to 60 for a village. 0: no limit."""
    most_cases: int = 25
    """Open cases of one person; professional guidance after domain.md 3.3. 0: no limit."""
    child_line: str = "surname"
    """How a child reads inside a requested reply: `surname` (group, surname, age) or `number` only."""

    # When people are prompted, in local time.
    prompts_from: time = time(8, 0)
    prompts_until: time = time(20, 0)
    pushes_per_hour: int = 3
    """So many pushes in an hour, then what is to be done waits and is merged (mission.md capability 3); 0: no limit."""
    digest_at: time = time(7, 30)
    quiet_digest: bool = False
    """Whether a quiet day still sends its one line."""
    holidays: tuple[date, ...] = ()
    """Days off the county adds to the national calendar."""
    workdays: tuple[date, ...] = ()
    """Make-up workdays the county adds to the national calendar."""

    # Sending.
    channels: tuple[Way, ...] = ("custom", "subscribe", "template", "sms", "call")
    """In this order a way to a person is looked for; what is left out is never used."""
    sms_purposes: tuple[str, ...] = ("alarm", "task")
    """Purposes of `[wechat.templates]` that may go out by SMS where WeChat does not reach somebody."""
    call_purposes: tuple[str, ...] = ("alarm",)
    """Likewise by an automatic call."""
    red_by_telephone: bool = True
    """Whether a red alarm goes out by SMS and call together with WeChat: accepted there is not seen."""

    system_silent_minutes: int = 10
    """After so long without a sign of life the supervisors hear that the system was silent; 0: never."""

    # Conversation.
    shown_number_days: int = 7
    question_fresh_minutes: int = 60
    flow_wait_minutes: int = 30
    """How long a prompt waits for a running flow to end."""

    # People.
    invite_days: int = 30
    bind_tries: int = 5
    bind_block_minutes: int = 60

    # Floods.
    messages_per_minute: int = 60
    """Of one sender, before their turns are taken slowly; more than anybody types or picks as pictures. 0: no limit."""

    # Failed turns.
    retry_minutes: tuple[int, ...] = (1, 5, 30, 120)
    """Waits before each new try of a turn that failed; after the last it is parked."""

    def level(self, code: str) -> Level:
        """The rules of a level; an unknown code counts as the strictest."""
        return self.levels.get(code) or self.levels["red"]

    def by_telephone(self, purpose: str) -> tuple[Way, ...]:
        """The ways by telephone that there are for a purpose, in the county's order."""
        allowed = {"sms": self.sms_purposes, "call": self.call_purposes}
        return tuple(way for way in self.channels if way in self.ways and purpose in allowed.get(way, ()))

    def by_wechat(self) -> tuple[Way, ...]:
        """The ways inside WeChat that there are, in the county's order."""
        return tuple(way for way in self.channels if way in self.ways and way in WECHAT)

    @cached_property
    def only_answers(self) -> bool:
        """Whether a reply is all the bot may say to whoever writes: nothing can follow it."""
        return "custom" not in self.by_wechat()

    @property
    def fetches(self) -> bool:
        """Whether pictures and voices that people send can be fetched: a verified account's right, as `custom` is."""
        return "custom" in self.ways

    def as_json(self) -> str:
        """One canonical text of the rules without their version, for comparing and keeping."""
        rules = asdict(self)
        del rules["version"], rules["ways"], rules["notices"]
        return json.dumps(rules, default=str, sort_keys=True, ensure_ascii=False)
