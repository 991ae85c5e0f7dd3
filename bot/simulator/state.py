"""Everything the platform remembers; plain records that can be written to a file and read back."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.simulator.jsons import Json
from bot.simulator.settings import TemplateSpec

KEPT_AFTER = 24 * 3600
REFRESHABLE = 30 * 24 * 3600


@dataclass
class Window:
    """An allowance of customer-service messages and the instant it ends."""

    remaining: int
    expires: float


@dataclass
class ScreenItem:
    """One thing a person sees in the chat; `at` in virtual seconds."""

    n: int
    at: float
    side: str
    kind: str
    text: str
    source: str = ""
    url: str = ""
    title: str = ""
    media_id: str = ""
    fields: list[Json] = field(default_factory=list)
    items: list[Json] = field(default_factory=list)


@dataclass
class Ring:
    """A call on a phone, ringing until somebody picks up; it ends by itself at `ends`."""

    id: str
    text: str
    keys: str
    since: float
    ends: float
    picked_up: bool = False


@dataclass
class Phone:
    """One user of WeChat, seen from this account, and what they hold: the same phone takes SMS and calls."""

    openid: str
    index: int
    name: str = ""
    following: bool = False
    subscribe_time: int = 0
    subscribe_scene: str = "ADD_SCENE_SEARCH"
    qr_scene: int = 0
    qr_scene_str: str = ""
    remark: str = ""
    tags: list[int] = field(default_factory=list)
    long: Window | None = None
    short: Window | None = None
    last_act: float = 0.0
    typing_until: float = 0.0
    blocks_templates: bool = False
    snapshot: bool = False
    screen: list[ScreenItem] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    number: str = ""
    unreachable_number: bool = False
    ring: Ring | None = None
    last_sms: str = ""
    refuses_messages: bool = False
    blacklisted: bool = False
    notices: dict[str, int] = field(default_factory=dict)
    long_notices: list[str] = field(default_factory=list)
    masses: dict[str, int] = field(default_factory=dict)


@dataclass
class Media:
    """A file the platform keeps for three days, or for good; `kind` is image, voice, video, thumb, news or mpvideo."""

    media_id: str
    kind: str
    content_type: str
    filename: str
    size: int
    created: float
    permanent: bool = False


@dataclass
class Qr:
    """A QR code with a scene; expires 0 means never."""

    ticket: str
    url: str
    scene: str
    scene_id: int
    expires: float


@dataclass
class Token:
    """An access token of one of the two spaces; `dies` before `expires` when a newer one took over."""

    value: str
    expires: float
    dies: float | None = None


@dataclass
class Space:
    """The tokens of one space, newest last, and when it was last refreshed by force."""

    tokens: list[Token] = field(default_factory=list)
    last_forced: float = 0.0


@dataclass
class OauthCode:
    """A sign-in code; `used` after its one exchange."""

    openid: str
    scope: str
    expires: float
    used: bool = False


@dataclass
class OauthToken:
    """A web token, which has nothing to do with the access token of the API."""

    openid: str
    scope: str
    expires: float
    refresh_token: str


@dataclass
class SentOnce:
    """What a client_msg_id was answered, and when."""

    at: float
    msgid: int


@dataclass
class Mass:
    """A mass message: the digest or clientmsgid by which it is known, and when it was last asked for."""

    msg_id: int
    key: str
    at: float
    asked: float
    status: str = "SEND_SUCCESS"


@dataclass
class State:
    """The whole memory of the platform except media bytes, log and faults."""

    clock_offset: float = 0.0
    phones: dict[str, Phone] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    qr: dict[str, Qr] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    next_tag: int = 100
    menu: Json | None = None
    conditional_menus: list[Json] = field(default_factory=list)
    next_menu: int = 400000001
    plain_tokens: Space = field(default_factory=Space)
    stable_tokens: Space = field(default_factory=Space)
    codes: dict[str, OauthCode] = field(default_factory=dict)
    web_tokens: dict[str, OauthToken] = field(default_factory=dict)
    tickets: dict[str, Token] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    sent_once: dict[str, SentOnce] = field(default_factory=dict)
    last_msgid: int = 0
    alarms: int = 0
    made_templates: dict[str, TemplateSpec] = field(default_factory=dict)
    made_notices: dict[str, TemplateSpec] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    industries: list[str] = field(default_factory=list)
    masses: dict[int, Mass] = field(default_factory=dict)
    next_mass: int = 1_000_000_000
    gateway_jobs: dict[str, float] = field(default_factory=dict)

    def forget_before(self, now: float) -> None:
        """Drop what nobody can ask for any more, so that the file does not grow for ever."""
        self.codes = {key: one for key, one in self.codes.items() if one.expires > now - KEPT_AFTER}
        self.web_tokens = {key: one for key, one in self.web_tokens.items() if one.expires > now - REFRESHABLE}
        self.sent_once = {key: one for key, one in self.sent_once.items() if one.at > now - KEPT_AFTER}
        self.gateway_jobs = {key: at for key, at in self.gateway_jobs.items() if at > now - REFRESHABLE}
