"""`tongban demo` and `tongban simulate`: the stand-in platform, alone or with a bot and a whole county."""

import asyncio
import secrets
import string
import sys
from pathlib import Path

import aiohttp
import click

from bot.cli import in_turn, run_until_stopped, settings_of
from bot.menus import push_menus
from bot.settings import Settings, Template, load
from bot.simulator import Simulator, SimulatorSettings, TemplateSpec, assumptions, serve
from bot.wechat import WeChat
from handlers import demo as demo_county
from messages import labels
from storage import sealing
from storage.migrate import upgrade

FOLDER = Path("demo")
"""Everything a demonstration leaves behind; deleting it begins anew."""
PLATFORM_PORT, BOT_PORT = 8090, 8091
START_PATIENCE = 30
"""Seconds."""
_ALNUM = string.ascii_letters + string.digits


def simulator_settings(
    settings: Settings, port: int, followers: int = 0, state_file: Path | None = None
) -> SimulatorSettings:
    """The stand-in's account: the one in these settings."""
    wechat = settings.wechat
    keys = wechat.encoding_aes_key
    return SimulatorSettings(
        app_id=wechat.app_id, app_secret=wechat.app_secret.get_secret_value(), token=wechat.token.get_secret_value(),
        encoding_aes_key=keys.get_secret_value() if keys else "", mode=wechat.mode, kind=wechat.kind,
        bot_url=settings.simulator.bot_url, port=port, followers=followers, state_file=state_file,
        gateway_secret=settings.gateway.secret.get_secret_value() if settings.gateway.secret else None,
        templates=tuple(_spec(purpose, one) for purpose, one in wechat.templates.items()),
        notices=tuple(_spec(purpose, one, long_term=one.long_term) for purpose, one in wechat.notices.items()),
    )  # fmt: skip


def _spec(purpose: str, template: Template, *, long_term: bool = False) -> TemplateSpec:
    return TemplateSpec(
        template.template_id, labels("template_title")[purpose], tuple(template.fields),
        tuple(labels("template_field").get(value, value) for value in template.fields.values()), long_term=long_term,
    )  # fmt: skip


@click.command()
@click.option("--port", type=int, default=PLATFORM_PORT, show_default=True)
@click.option("--followers", type=int, default=0, show_default=True, help="Users who follow from the start.")
@click.pass_context
def simulate(context: click.Context, port: int, followers: int) -> None:
    """Play the WeChat platform for the account in the settings."""
    settings = settings_of(context)

    async def play() -> None:
        platform = await serve(simulator_settings(settings, port, followers))
        click.echo("\n".join(f"Assumed: {line}" for line in assumptions(platform.settings)))
        click.echo(f"The stand-in platform and its phones: {platform.origin}")
        try:
            await asyncio.Event().wait()
        finally:
            await platform.close()

    run_until_stopped(play())


@click.command()
@click.option("--port", type=int, default=PLATFORM_PORT, show_default=True, help="Of the page with the phones.")
@click.option("--bot-port", type=int, default=BOT_PORT, show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True)
def demo(port: int, bot_port: int, folder: Path) -> None:
    """A county with data, the bot and a stand-in platform, on this machine only; Ctrl-C stops it all."""
    config = _config(folder, port, bot_port)
    settings = load(config, {})
    if not settings.keys.file.exists():
        sealing.append_new_key(settings.keys.file, demo_county.FOUNDED)
    upgrade(settings.database.url)
    click.echo("Building the county ...")
    phones = in_turn(settings, demo_county.build, "demo")
    run_until_stopped(_play(settings, config, folder, port, phones))
    click.echo("Stopped.")


async def _play(settings: Settings, config: Path, folder: Path, port: int, phones: demo_county.DemoPhones) -> None:
    platform = await serve(simulator_settings(settings, port, len(phones.followers), folder / "platform.json"))
    bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "--config", str(config), "run")
    try:
        await _ready(f"http://127.0.0.1:{settings.web.port}/readyz", bot)
        _hand_out(platform, phones)
        async with aiohttp.ClientSession() as http:
            await push_menus(WeChat(settings.wechat, http))
        click.echo(f"\n  Open {platform.origin}/ : the phones of the county. Ctrl-C stops everything.\n")
        await bot.wait()
        raise click.ClickException("the bot stopped; its log is above")
    finally:
        if bot.returncode is None:
            bot.terminate()
            await bot.wait()
        await platform.close()


def _hand_out(platform: Simulator, phones: demo_county.DemoPhones) -> None:
    """Give the named people their phones, unless they have them from an earlier run."""
    for phone in phones:
        if not platform.knows(phone.openid):
            platform.add_phone(phone.label, phone.openid, number=phone.person.phone if phone.person else None)


async def _ready(url: str, bot: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(START_PATIENCE * 10):
            try:
                async with http.get(url) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                pass
            if bot.returncode is not None:
                break
            await asyncio.sleep(0.1)
    raise click.ClickException("the bot did not start; its log is above")


def _config(folder: Path, port: int, bot_port: int) -> Path:
    """The demonstration's settings; secrets are drawn once and kept."""
    path = folder / "config.toml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(
            _TEMPLATE.format(
                secret=_draw(32), gateway=_draw(32), token=_draw(20), aes=_draw(43), port=port, bot_port=bot_port,
                database=(folder / "tongban.db").resolve(), keys=(folder / "tongban.keys").resolve(),
            ),
            encoding="utf-8",
        )  # fmt: skip
    return path


def _draw(count: int) -> str:
    return "".join(secrets.choice(_ALNUM) for _ in range(count))


_TEMPLATE = """\
# Made by `tongban demo`; delete this folder to begin anew.
[wechat]
app_id = "wxdemo0000000000"
app_secret = "{secret}"
token = "{token}"
encoding_aes_key = "{aes}"
mode = "safe"
api_origin = "http://127.0.0.1:{port}"

[wechat.templates.alarm]
template_id = "T-ALARM"
fields = {{ thing1 = "what", character_string2 = "number", thing3 = "place" }}
[wechat.templates.task]
template_id = "T-TASK"
fields = {{ thing1 = "what", number2 = "count" }}
[wechat.templates.digest]
template_id = "T-DIGEST"
fields = {{ thing1 = "what", thing2 = "when" }}
[wechat.templates.notice]
template_id = "T-NOTICE"
fields = {{ thing1 = "what" }}

[gateway]
sms_url = "http://127.0.0.1:{port}/gateway/sms"
call_url = "http://127.0.0.1:{port}/gateway/call"
secret = "{gateway}"

[database]
url = "sqlite:///{database}"
[keys]
file = "{keys}"
[web]
port = {bot_port}
[simulator]
bot_url = "http://127.0.0.1:{bot_port}"
[demo]
enabled = true
[log]
format = "text"
level = "warning"
"""
COMMANDS = (demo, simulate)
