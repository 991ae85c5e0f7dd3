"""Settings: what is read from where, and the one sentence for everything that is wrong."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, time
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.settings import Settings, SettingsError, load
from handlers.policy import Level, Numbers, Policy

ROOT = Path(__file__).parents[2]
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SOUND = f"""
[wechat]
app_id = "wx1234"
app_secret = "the-app-secret"
token = "the-token"
encoding_aes_key = "{KEY}"
[web]
public_origin = "https://tongban.example.org"
"""
Read = Callable[..., Settings]
HERE = SOUND.replace("[web]", 'api_origin = "http://127.0.0.1:9000"\n[web]').replace("https://tongban.example.org", "")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(text: str = SOUND, **environ: str) -> Settings:
        path = tmp_path / "county.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return read


def refused(read: Read, text: str = SOUND, **environ: str) -> str:
    with pytest.raises(SettingsError) as error:
        read(text, **environ)
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith((".", ".)"))
    for secret in ("the-app-secret", "the-token", KEY):
        assert secret not in said
    return said


def test_a_sound_file_fills_everything_else_with_defaults(read: Read) -> None:
    settings = read()
    assert settings.wechat.mode == "safe"
    assert settings.wechat.api_origin == "https://api.weixin.qq.com"
    assert settings.wechat.open_origin == "https://open.weixin.qq.com"
    assert settings.wechat.qr_origin == "https://mp.weixin.qq.com"
    assert settings.database.url == "sqlite:///tongban.db"
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)
    assert settings.policy == Policy()


def test_settings_cannot_be_changed_and_do_not_show_their_secrets(read: Read) -> None:
    settings = read(SOUND + '[database]\nurl = "postgresql+psycopg://me:hunter2@db/tongban"')
    with pytest.raises(ValueError, match="frozen"):
        settings.web = settings.web  # type: ignore[misc]  # the refusal is the point
    for secret in ("the-app-secret", "the-token", KEY, "hunter2"):
        assert secret not in repr(settings)
    assert settings.wechat.app_secret.get_secret_value() == "the-app-secret"


def test_the_environment_wins_over_the_file_and_reaches_every_depth(read: Read) -> None:
    settings = read(
        TONGBAN__WEB__PORT="9001",
        TONGBAN__WECHAT__TOKEN="other",
        TONGBAN__POLICY__LEVELS__RED__VISIT_EVERY_DAYS="5",
        TONGBAN__POLICY__RETRY_MINUTES="[2, 4]",
        TONGBAN__POLICY__DIGEST_AT="06:45",
        TONGBAN__WECHAT__TEMPLATES__ALARM__TEMPLATE_ID="T1",
        TONGBAN__WECHAT__TEMPLATES__ALARM__FIELDS__THING1="what",
        HOME="/root",
    )
    assert settings.web.port == 9001
    assert settings.wechat.token.get_secret_value() == "other"
    assert settings.policy.levels["red"] == Level(24, 5, 3, 0, 0)
    assert settings.policy.retry_minutes == (2, 4)
    assert settings.policy.digest_at == time(6, 45)
    assert settings.wechat.templates["alarm"].fields == {"thing1": "what"}


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(
        None,
        {
            "TONGBAN__WECHAT__APP_ID": "wx1",
            "TONGBAN__WECHAT__APP_SECRET": "s",
            "TONGBAN__WECHAT__TOKEN": "t",
            "TONGBAN__WECHAT__ENCODING_AES_KEY": KEY,
            "TONGBAN__WEB__PUBLIC_ORIGIN": "https://a.example",
        },
    )
    assert settings.wechat.app_id == "wx1"


def test_the_file_is_found_by_argument_then_variable_then_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, port in (("config.toml", 1001), ("named.toml", 1002), ("given.toml", 1003)):
        (tmp_path / name).write_text(f"{SOUND}port = {port}\n")
    assert load(None, {}).web.port == 1001
    assert load(None, {"TONGBAN_CONFIG": "named.toml"}).web.port == 1002
    assert load("given.toml", {"TONGBAN_CONFIG": "named.toml"}).web.port == 1003


def test_a_file_saved_by_notepad_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode())
    assert load(path, {}).wechat.app_id == "wx1234"


@pytest.mark.parametrize("name", ["app_secret", "token", "encoding_aes_key"])
def test_a_missing_or_empty_secret_is_named(read: Read, name: str) -> None:
    without = "\n".join(line for line in SOUND.splitlines() if not line.startswith(name))
    said = refused(read, without)
    assert name in said
    assert "missing" in said
    assert name in refused(read, without.replace("[wechat]", f'[wechat]\n{name} = ""'))


def test_a_secret_comes_from_a_file_named_in_the_settings_or_the_environment(read: Read, tmp_path: Path) -> None:
    secret = tmp_path / "app_secret"
    secret.write_text("kept apart\n")
    text = SOUND.replace('app_secret = "the-app-secret"', f'app_secret_file = "{secret}"')
    assert read(text).wechat.app_secret.get_secret_value() == "kept apart"
    without = SOUND.replace('app_secret = "the-app-secret"', "")
    assert (
        read(without, TONGBAN__WECHAT__APP_SECRET_FILE=str(secret)).wechat.app_secret.get_secret_value() == "kept apart"
    )
    assert "both set" in refused(read, SOUND, TONGBAN__WECHAT__APP_SECRET_FILE=str(secret))
    secret.write_text("\n")
    assert "empty" in refused(read, text)
    secret.unlink()
    assert "cannot be read" in refused(read, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SOUND + 'prot = "1"', ["[web] prot", "did you mean port"]),
        (SOUND + "[wechta]\na = 1", ["[wechta]", "did you mean wechat"]),
        (SOUND + "[web.tls]\na = 1", ["[web] tls"]),
        (SOUND + "port = 70000", ["[web] port", "65535"]),
        (SOUND.replace("[wechat]", '[wechat]\nmode = "secret"'), ["[wechat] mode", "'safe'"]),
        (SOUND.replace(KEY, "short"), ["[wechat] encoding_aes_key", "43"]),
        (SOUND.replace(".org", ".org/path"), ["[web] public_origin", "without a path"]),
        (SOUND.replace("https://tongban.example.org", "tongban.example.org"), ["[web] public_origin"]),
        (SOUND.replace("https://tongban", "https://me:pw@tongban"), ["[web] public_origin"]),
        (SOUND.replace('public_origin = "https://tongban.example.org"', ""), ["public_origin", "missing"]),
        (SOUND + '[database]\nurl = "mysql://x"', ["[database] url"]),
        (SOUND + "[policy]\nvisit_every = 3", ["[policy]", "visit_every is not a rule"]),
        (SOUND + "[policy.levels.purple]\nvisit_every_days = 1", ["levels.purple is not a rule"]),
        (SOUND + "[policy.levels.red]\nvisit_evry_days = 1", ["levels.red.visit_evry_days", "visit_every_days"]),
        (SOUND + '[policy.levels.red]\nvisit_every_days = "often"', ["levels.red.visit_every_days", "integer"]),
        (SOUND + "[policy]\nlevels = 3", ["levels should be a table"]),
        (SOUND + "[policy]\nversion = 3", ["version is not a rule"]),
        (SOUND + "[policy]\nretry_minutes = [1, -5]", ["retry_minutes", "below 0"]),
        (SOUND + "[policy]\nprompts_from = 21:00:00", ["prompts_from", "earlier"]),
        (SOUND + '[wechat.templates.alert]\ntemplate_id = "x"\nfields = {}', ["templates.alert"]),
        (SOUND + "[wechat.templates.alarm]\nfields = {}", ["templates.alarm.template_id", "missing"]),
        (SOUND + '[wechat.verify_files]\n"../secret" = "x"', ["verify_files", "MP_verify_"]),
        (SOUND + '[[watchdog.people]]\nname = "A"\nphone = "139"', ["[watchdog]", "name two at least"]),
        (SOUND + '[[watchdog.people]]\nname = "A"', ["[watchdog] people.0", "phone or mail is missing"]),
        (SOUND + 2 * '[[watchdog.people]]\nname = "A"\nmail = "a@b"\n', ["[watchdog]", "mail.host is missing"]),
        (SOUND + 2 * '[[watchdog.people]]\nname = "A"\nphone = "139"\n', ["[gateway]", "sms_url"]),
        (SOUND + '[watchdog.mail]\nhost = "mail.example"', ["[watchdog] mail", "sender is missing"]),
        (
            SOUND + '[watchdog.mail]\nhost = "m"\nsender = "a@b"\nsecurity = "none"\nuser = "u"\npassword = "p"',
            ["[watchdog] mail", "unencrypted"],
        ),
        ("[wechat", ["not TOML", "table declaration"]),
        ("", ["[wechat]", "missing"]),
    ],
)
def test_each_mistake_gets_one_sentence_that_names_it(read: Read, text: str, words: list[str]) -> None:
    said = refused(read, text)
    for word in words:
        assert word in said


def test_mistakes_in_the_environment_and_absent_files_are_named_too(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "TONGBAN__LGO__LEVEL" in refused(read, TONGBAN__LGO__LEVEL="info")
    assert "[web] prot" in refused(read, TONGBAN__WEB__PROT="1")
    assert "levels.red.visit" in refused(read, TONGBAN__POLICY__LEVELS__RED__VISIT="1")
    assert "below 0" in refused(read, TONGBAN__POLICY__BIND_TRIES="-1")
    assert "JSON" in refused(read, TONGBAN__WEB="{")
    monkeypatch.chdir(tmp_path)
    for path, environ in ((None, {}), ("absent.toml", {}), (None, {"TONGBAN_CONFIG": "absent.toml"})):
        with pytest.raises(SettingsError, match=r"config\.example\.toml"):
            load(path, environ)
    (tmp_path / "latin.toml").write_bytes(b'app_id = "\xff"')
    with pytest.raises(SettingsError, match="UTF-8"):
        load("latin.toml", {})


def test_a_platform_on_this_machine_plays_every_origin(read: Read) -> None:
    settings = read(HERE)
    assert settings.wechat.open_origin == settings.wechat.qr_origin == "http://127.0.0.1:9000"
    assert settings.web.public_origin == "http://127.0.0.1:8080"


def test_the_stand_in_is_told_the_bot_s_address_with_or_without_the_webhook(read: Read) -> None:
    for given in ("http://127.0.0.1:9001", "http://127.0.0.1:9001/", "http://127.0.0.1:9001/wechat"):
        assert read(TONGBAN__SIMULATOR__BOT_URL=given).simulator.bot_url == "http://127.0.0.1:9001"
    assert "bot_url" in refused(read, TONGBAN__SIMULATOR__BOT_URL="http://127.0.0.1:9001/elsewhere")


def test_plain_mode_and_the_demo_clock_stay_on_one_machine(read: Read) -> None:
    plain = HERE.replace("[wechat]", '[wechat]\nmode = "plain"')
    assert "[demo]" in refused(read, plain)
    demo = "[demo]\nenabled = true\n"
    assert read(plain + demo).demo.enabled
    assert read(HERE + demo).demo.enabled
    assert "api_origin" in refused(read, SOUND + demo)
    assert "public_origin" in refused(read, HERE + demo, TONGBAN__WEB__PUBLIC_ORIGIN="https://county.example")
    assert "host" in refused(read, HERE + demo, TONGBAN__WEB__HOST="0.0.0.0")  # noqa: S104 - the point of the test
    assert "bot_url" in refused(read, HERE + demo, TONGBAN__SIMULATOR__BOT_URL="http://10.0.0.1/wechat")
    assert "open_origin" in refused(read, HERE + demo, TONGBAN__WECHAT__OPEN_ORIGIN="http://127.0.0.1.example.org")


def test_the_county_s_rules_differ_only_where_they_are_named(read: Read) -> None:
    rules = """
[policy]
holidays = [2027-03-03]
[policy.numbers]
county_duty = "0999-12345678"
[policy.levels.blue]
visit_every_days = 21
"""
    policy = read(SOUND + rules).policy
    assert policy.holidays == (date(2027, 3, 3),)
    assert policy.numbers == Numbers(county_duty="0999-12345678")
    assert policy.levels["blue"] == Level(168, 21, 30, 7, 14)
    assert policy.levels["red"] == Policy().levels["red"]


def keys(model: type) -> set[str]:
    """Every key below `model`, sections and nested tables included."""
    if issubclass(model, BaseModel):
        named = {name: field.annotation for name, field in model.model_fields.items()}
        return set(named).union(*(keys(kind) for kind in named.values() if isinstance(kind, type)))
    if is_dataclass(model):
        return {field.name for field in fields(model)}
    return set()


@pytest.mark.parametrize("name", ["config.example.toml", "docs/settings.md"])
def test_every_setting_is_written_down(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    every = keys(Settings) | keys(Level) | keys(Numbers) - {"version"}
    assert len(every) > 60
    assert {key for key in every - {"version", "ways"} if key not in text} == set()


def test_the_example_holds_the_defaults_and_loads_once_the_secrets_are_filled() -> None:
    filled = {"APP_ID": "wx1", "APP_SECRET": "s", "TOKEN": "t", "ENCODING_AES_KEY": KEY}
    environ = {f"TONGBAN__WECHAT__{name}": value for name, value in filled.items()}
    example = load(ROOT / "config.example.toml", environ)
    bare = load(None, environ | {"TONGBAN__WEB__PUBLIC_ORIGIN": "https://tongban.example.org"})
    assert example == bare
    with pytest.raises(SettingsError, match="app_id is missing"):
        load(ROOT / "config.example.toml", {})
