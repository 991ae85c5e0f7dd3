"""The command line, run in this process on a database of its own."""

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from bot.__main__ import main

Tongban = Callable[..., tuple[int, str]]
"""Runs one command; its exit code and what it printed."""
_CONFIG = """\
[wechat]
app_id = "wxtest"
app_secret = "secret"
token = "token"
encoding_aes_key = "{aes}"
api_origin = "http://127.0.0.1:1"
[database]
url = "{url}"
[keys]
file = "{keys}"
{more}
[log]
level = "error"
"""


def command_line(url: str, keys: Path, more: str = "") -> Tongban:
    """`tongban` on a migrated database, with this key file and a configuration beside it; `more` on the keys."""
    config = keys.parent / "config.toml"
    config.write_text(_CONFIG.format(aes="a" * 43, url=url, keys=keys, more=more), encoding="utf-8")

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--config", str(config), *words])
        return result.exit_code, result.output

    return run
