"""The files for deployment name commands, settings, paths and files that there are."""

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted([*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")])
ANALYZE = shutil.which("systemd-analyze")
INSTALLED = "/opt/tongban/venv/bin/tongban"


def unit(path: Path) -> RawConfigParser:
    """A unit; no key of ours stands twice."""
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # as configparser's own manual does it
    parser.read(path, encoding="utf-8")
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_what_there_is(path: Path) -> None:
    parser = unit(path)
    if path.suffix == ".timer":
        assert path.with_suffix(".service").exists()
        return
    service = parser["Service"]
    for key in ("ExecStartPre", "ExecStart"):
        if key in service:
            program, *words = service[key].split()
            assert program == INSTALLED
            assert main.get_command(None, words[0]) is not None  # type: ignore[arg-type]  # our group asks no context
    assert service["Environment"].startswith("TONGBAN_CONFIG=/var/lib/tongban/")
    assert service["User"] == "tongban"


def test_the_bot_migrates_before_it_starts_and_is_not_restarted_for_wrong_settings() -> None:
    service = unit(DEPLOY / "tongban.service")["Service"]
    assert service["ExecStartPre"].endswith(" migrate")
    assert service["ExecStart"].endswith(" run")
    assert service["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(ANALYZE is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    program = tmp_path / "tongban"
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace(INSTALLED, str(program))
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", *files], check=False, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "tongban" in line]
    assert ours == []


def test_the_containerfile_copies_what_there_is_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert {"requirements.lock", "bot", "handlers", "messages", "storage"} <= {name for one in copied for name in one}
    assert all((ROOT / name).exists() for one in copied for name in one)
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM")]
    assert len(stages) == 2
    assert any(line == "USER tongban" for line in lines[stages[1] :])
    command = next(line for line in lines if line.startswith("CMD"))
    assert re.findall(r"tongban (\w+)", command) == ["migrate", "run"]
    assert any("HEALTHCHECK" in line for line in lines)


def test_the_containerfile_asks_for_health_where_the_bot_answers_by_default() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    port = Settings.model_fields["web"].annotation.model_fields["port"].default  # type: ignore[union-attr]
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == {str(port)}
    assert "/readyz" in text


def test_the_proxy_lets_through_what_the_world_needs_and_nothing_else() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    allowed = re.search(r"location ~ (\S+) \{", page)
    assert allowed is not None
    for path in ("/wechat", "/m/case/1", "/gateway", "/MP_verify_abc.txt"):
        assert re.search(allowed[1], path)
    for path in ("/metrics", "/healthz", "/readyz", "/demo/clock", "/wechat2", "/gateway/x"):
        assert not re.search(allowed[1], path)
