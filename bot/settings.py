"""Reads config.toml, the environment and secret files into one frozen `Settings`, or says in one sentence why not.

An empty string means "not set" everywhere. The environment wins over the file. Any secret `x` may instead be named
by `x_file`, a path whose whole text is the secret.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentNotReadableError

from bot.addresses import is_loopback, origin
from bot.settings_errors import SettingsError as SettingsError  # noqa: PLC0414 - callers find it beside `load`
from bot.settings_errors import sentence
from bot.settings_policy import read_policy
from bot.settings_section import Section
from bot.settings_watch import Watchdog
from bot.syslog import address
from bot.template_fields import problem
from handlers.policy import Policy, Way
from storage.ciphers import Cipher

T = TypeVar("T", bound="Template")
PREFIX = "TONGBAN__"
Purpose = Literal["alarm", "task", "digest", "notice"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
Mode = Literal["plain", "compatible", "safe"]
Kind = Literal["verified-service", "unverified-service", "verified-subscription", "unverified-subscription", "test"]

_API, _OPEN, _QR = "https://api.weixin.qq.com", "https://open.weixin.qq.com", "https://mp.weixin.qq.com"
_SCRIPT = "https://res.wx.qq.com"


def _bot(value: str) -> str:
    return origin(value.rstrip("/").removesuffix("/wechat"))


def _aes_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", value.get_secret_value()):
        raise ValueError("it should be the 43 letters and digits of the account's EncodingAESKey")
    return value


def _syslog(value: str | None) -> str | None:
    if value is not None:
        address(value)  # which says what is wrong with it
    return value


DAILY: dict[Way, int] = {
    "custom": 500_000, "subscribe": 100_000, "template": 100_000, "sms": 2_000, "call": 500,
}  # fmt: skip
"""Messages in a day: a new account's (wechat-platform.md 9; the console says what holds), and what a county may pay.

Of subscription notices the platform names no number: the templates' is taken.
"""


def _limits(value: dict[Way, int]) -> dict[Way, int]:
    return DAILY | value


def _verify_files(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"MP_verify_\w{1,64}\.txt", name, re.ASCII):
            raise ValueError("each name should be that of the platform's file, like MP_verify_abc123.txt")
    return value


Origin = Annotated[str, AfterValidator(origin)]
AesKey = Annotated[SecretStr, AfterValidator(_aes_key)]


class Template(Section):
    """One approved template of the account: its id, and what goes into which of its fields (bot/template_fields.py)."""

    template_id: str
    fields: dict[str, str]


class NoticeTemplate(Template):
    """A subscription notice of the account; `long_term`: one yes allows any number of them."""

    long_term: bool = False


def _templates(value: dict[Purpose, T]) -> dict[Purpose, T]:
    for purpose, template in value.items():
        if found := problem(purpose, template.fields):
            raise ValueError(f"{purpose}.{found}")
    return value


class Wechat(Section):
    """The official account and where its platform is."""

    secrets = frozenset({"app_secret", "token", "encoding_aes_key", "previous_aes_key", "proxy"})

    app_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    app_secret: SecretStr
    token: SecretStr
    kind: Kind = "verified-service"
    """What sort of account it is; what it may not do is never tried (bot/account.py)."""
    mode: Mode = "safe"
    encoding_aes_key: AesKey | None = None
    previous_aes_key: AesKey | None = None
    original_id: str | None = None
    api_origin: Origin = _API
    open_origin: Origin = _OPEN
    qr_origin: Origin = _QR
    script_origin: Origin = _SCRIPT
    proxy: SecretStr | None = None
    verify_files: Annotated[dict[str, str], AfterValidator(_verify_files)] = Field(default={})
    templates: Annotated[dict[Purpose, Template], AfterValidator(_templates)] = Field(default={})
    notices: Annotated[dict[Purpose, NoticeTemplate], AfterValidator(_templates)] = Field(default={})
    daily_limits: Annotated[dict[Way, Annotated[int, Field(ge=1)]], AfterValidator(_limits)] = DAILY
    sends_per_second: Annotated[int, Field(ge=1)] = 50

    @model_validator(mode="before")
    @classmethod
    def _one_stand_in_for_all(cls, given: object) -> object:
        """A platform on this machine plays its other hosts too, unless they are named."""
        if isinstance(given, dict) and isinstance(api := given.get("api_origin"), str) and is_loopback(api):
            others = dict.fromkeys(("open_origin", "qr_origin", "script_origin"), api)
            return others | {key: value for key, value in given.items() if value != ""}
        return given

    @model_validator(mode="after")
    def _key_for_encryption(self) -> Self:
        if self.mode != "plain" and self.encoding_aes_key is None:
            raise ValueError(f'encoding_aes_key is missing: mode = "{self.mode}" needs it')
        return self


class Gateway(Section):
    """Where SMS and calls go out (docs/gateway.md); without a `secret` there is none."""

    secrets = frozenset({"secret"})

    sms_url: Annotated[str, Field(pattern=r"^https?://[^\s/]")] | None = None
    call_url: Annotated[str, Field(pattern=r"^https?://[^\s/]")] | None = None
    secret: SecretStr | None = None

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if (self.sms_url or self.call_url) and self.secret is None:
            raise ValueError("secret is missing: what goes to the gateway is signed with it")
        return self


class Voice(Section):
    """The county's own recordings."""

    folder: Path | None = None
    """Where danger.mp3 and the others are (bot/recordings.py); without it people get words only."""


class Database(Section):
    """Where everything is kept."""

    secrets = frozenset({"url"})
    url: Annotated[str, Field(pattern=r"^(sqlite:///|postgresql\+psycopg://)", repr=False)] = "sqlite:///tongban.db"


class Web(Section):
    """Our own HTTP server."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    public_origin: Origin
    """How phones reach us; only a bot whose platform is on this machine may leave it out."""


class Keys(Section):
    """The file with the keys of all sealed columns."""

    file: Path = Path("tongban.keys")
    cipher: Cipher = Cipher.AES


class Backup(Section):
    """Sealed copies on a second path while the bot runs (bot/copier.py)."""

    folder: Path | None = None
    """On another disk; without it no copies are made."""
    every_minutes: Annotated[float, Field(ge=1, le=1440)] = 4
    full_every_hours: Annotated[float, Field(ge=1, le=168)] = 24
    keep_all_hours: Annotated[float, Field(ge=1)] = 24
    keep_days: Annotated[int, Field(ge=1)] = 30
    drill_days: Annotated[float, Field(ge=0)] = 7
    """How often the newest copy is restored for trial; 0: never."""


class Simulator(Section):
    """What the stand-in platform needs to know of the bot."""

    bot_url: Annotated[str, AfterValidator(_bot)] = "http://127.0.0.1:8080"
    """The bot's own address; pushes go to /wechat under it."""


class Demo(Section):
    """The movable clock and everything else that only a demonstration may do."""

    enabled: bool = False


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"
    syslog: Annotated[str | None, AfterValidator(_syslog)] = None


class Settings(BaseSettings):
    """All settings of one running bot."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    wechat: Wechat
    gateway: Gateway = Gateway()
    voice: Voice = Voice()
    web: Web
    database: Database = Database()
    keys: Keys = Keys()
    backup: Backup = Backup()
    simulator: Simulator = Simulator()
    demo: Demo = Demo()
    log: Log = Log()
    watchdog: Watchdog = Watchdog()
    policy: Annotated[Policy, BeforeValidator(read_policy)] = Policy()

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # the other sources are not wanted, so they have no names
        cls, _: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` has gathered: nothing is read behind the caller's back."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _reachable_here(cls, given: object) -> object:
        """Give a bot whose platform is on this machine its own address as public origin."""
        if not isinstance(given, dict):
            return given
        web, wechat = given.get("web") or {}, given.get("wechat") or {}
        if isinstance(web, dict) and isinstance(wechat, dict) and is_loopback(str(wechat.get("api_origin") or "")):
            host = web.get("host")
            own = f"http://{host if host and is_loopback(str(host)) else '127.0.0.1'}:{web.get('port') or 8080}"
            web = web | {"public_origin": web.get("public_origin") or own}
        return given | {"web": web}

    @model_validator(mode="after")
    def _only_in_a_demo(self) -> Self:
        if self.wechat.mode == "plain" and not self.demo.enabled:
            raise ValueError('[wechat] mode = "plain" sends reports unencrypted and is for [demo] enabled = true only')
        outside = [name for name, value in self._addresses() if not is_loopback(value)]
        if self.demo.enabled and outside:
            raise ValueError(
                f"[demo] enabled = true is for one machine only, but {outside[0]} is not a loopback address"
            )
        return self

    @model_validator(mode="after")
    def _somebody_sends_the_sms(self) -> Self:
        if not (self.gateway.sms_url or self.gateway.call_url) and any(one.phone for one in self.watchdog.people):
            raise ValueError("[watchdog] people have a phone, but [gateway] names neither sms_url nor call_url")
        return self

    def _addresses(self) -> list[tuple[str, str]]:
        return [
            ("[wechat] api_origin", self.wechat.api_origin),
            ("[wechat] open_origin", self.wechat.open_origin),
            ("[wechat] qr_origin", self.wechat.qr_origin),
            ("[wechat] script_origin", self.wechat.script_origin),
            *(
                (f"[gateway] {name}", value)
                for name in ("sms_url", "call_url")
                if (value := getattr(self.gateway, name)) is not None
            ),
            ("[web] public_origin", self.web.public_origin),
            ("[web] host", self.web.host),
            ("[simulator] bot_url", self.simulator.bot_url),
            *([("[log] syslog", self.log.syslog)] if self.log.syslog and self.log.syslog[0] != "/" else []),
            *([("[watchdog] mail.host", self.watchdog.mail.host)] if self.watchdog.mail.host else []),
        ]


class _Environment(EnvSettingsSource):
    """The settings in `environ` rather than in the environment of this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items() if name.upper().startswith(PREFIX)}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        for name in self._environ:
            section = name.removeprefix(PREFIX.lower()).split("__")[0]
            if section not in Settings.model_fields:
                raise SettingsError(f"The environment variable {name.upper()} names no section of the settings.")
        return self._environ


def load(path: Path | str | None, environ: Mapping[str, str]) -> Settings:
    """The settings in the file `path` (or TONGBAN_CONFIG, or config.toml) and in `environ`.

    Raises SettingsError with one sentence that is safe to show: it never holds a value.
    """
    named = path or environ.get("TONGBAN_CONFIG")
    try:
        told = _Environment(environ)()
        in_file = _file(Path(named or "config.toml"), must_exist=bool(named) or not told)
        return Settings.model_validate(_overlaid(in_file, told))
    except EnvironmentNotReadableError:
        raise SettingsError(f"A {PREFIX}… environment variable holds a list or table that is not JSON.") from None
    except ValidationError as error:
        raise SettingsError(sentence(error, Settings)) from None


def _file(path: Path, *, must_exist: bool) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if not must_exist:
            return {}
        raise SettingsError(
            f"There is no settings file {path}: copy config.example.toml, or name yours with --config "
            "or TONGBAN_CONFIG."
        ) from None
    except OSError:
        raise SettingsError(f"The settings file {path} cannot be read.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The settings file {path} is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}.") from None


def _overlaid(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """`below` with everything that `above` names replaced, table by table."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = _overlaid(under, value) if both else value  # type: ignore[arg-type]  # checked one line up
    return result
