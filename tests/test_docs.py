"""What the documents say is there: links, commands, settings, identifiers, findings, fault points, files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from bot.__main__ import main
from bot.errcodes import Reaction, reaction
from bot.faults import POINTS, VARIABLE
from bot.metrics import registry
from bot.settings import Settings
from bot.watch import OF_THE_BOT
from handlers import routes
from handlers.check import MISSING
from handlers.policy import Level, Numbers, Policy
from messages import labels

ROOT = Path(__file__).parents[1]
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
COMMAND = re.compile(r"(?:\btongban|python -m bot)((?: --config \S+)?(?: [a-z]+)+)")
TARGET = re.compile(r"\bmake ([a-z]+)")
OURS = re.compile(r"\b(?:bot|handlers|storage|messages|tests|docs)/[\w./*-]*\w/?")


def text(name: str) -> str:
    """Return a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def code_in(path: Path) -> Iterator[str]:
    """Yield what a document sets as code."""
    yield from CODE.findall(path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors that a document's headings have."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        there = (path.parent / target).resolve() if target else path
        if not there.is_relative_to(ROOT) or not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(path: Path) -> None:
    unknown = [
        said.group(0) for code in code_in(path) for said in COMMAND.finditer(code) if not _is_command(said.group(1))
    ]
    assert unknown == []


def _is_command(words: str) -> bool:
    """Whether the words begin with the way to a command; what follows it are arguments."""
    at: click.Command = main
    for word in re.sub(r"--config \S+", "", words).split():
        if not isinstance(at, click.Group):
            return True
        found = at.get_command(click.Context(at), word)
        if found is None:
            return False
        at = found
    return True


def test_every_command_is_in_the_readme_or_a_document_for_operators() -> None:
    said = {word for path in DOCS for code in code_in(path) for word in re.findall(r"[a-z]+", code)}
    every = {name: main.get_command(click.Context(main), name) for name in main.list_commands(click.Context(main))}
    assert len(every) > 10
    missing = [name for name, one in every.items() if {name, *getattr(one, "commands", {})} - said]
    assert missing == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    assert {name for code in code_in(path) for name in TARGET.findall(code)} - known == set()


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_ours_that_is_named_exists(path: Path) -> None:
    named = {name for code in code_in(path) for name in OURS.findall(code)}
    assert {name for name in named if not list(ROOT.glob(name.rstrip("/")))} == set()


def settings() -> Iterator[str]:
    """Yield the key of every setting."""
    for section in Settings.model_fields.values():
        kind = section.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
    yield from (name for name in Policy.__dataclass_fields__ if name not in {"version", "ways"})
    yield from Level.__dataclass_fields__
    yield from Numbers.__dataclass_fields__


@pytest.mark.parametrize("document", ["docs/settings.md", "config.example.toml"])
def test_every_setting_is_documented(document: str) -> None:
    said = set(re.findall(r"\w+", text(document)))
    assert sorted(set(settings()) - said) == []


def test_every_identifier_of_the_glossary_is_in_the_code() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", text("docs/glossary.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    files = [path for floor in ("bot", "handlers", "storage", "messages") for path in (ROOT / floor).rglob("*.*")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in {".py", ".toml", ".txt"})
    assert len(named) > 50
    assert sorted(named - set(re.findall(r"\w+", written)) - {""}) == []


def findings() -> set[str]:
    """Return the kinds of findings, as the check gives them: written where they are found, or in its table of media."""
    calls = (node for node in ast.walk(ast.parse(text("handlers/check.py"))) if isinstance(node, ast.Call))
    named = (call.args[2] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "_of")
    return {str(kind.value) for kind in named if isinstance(kind, ast.Constant)} | {
        kind for kind, _ in MISSING.values()
    }


def test_the_runbook_has_a_section_for_every_finding_and_for_no_other() -> None:
    part = text("docs/runbook.md").split("## Findings of `tongban check`")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", part, re.MULTILINE)) == findings()


def test_the_runbook_has_a_section_for_every_finding_of_the_deep_check() -> None:
    part = text("docs/runbook.md").split("## Findings of `tongban check --deep`")[1].split("\n## ")[0]
    code = text("storage/deep.py") + text("handlers/deep.py")
    kinds = set(re.findall(r'\b(?:Wrong|Finding)\(\s*"(\w+)"', code))
    assert len(kinds) > 5
    assert set(re.findall(r"^### (\w+)$", part, re.MULTILINE)) == kinds


def test_operations_has_a_section_for_every_alarm_of_the_watchdog_and_a_line_for_every_metric() -> None:
    page = text("docs/operations.md")
    part = page.split("## Alarms")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", part, re.MULTILINE)) == set(labels("watchdog"))
    assert set(labels("watchdog")) > OF_THE_BOT
    named = set(re.findall(r"`(tongban_\w+)`", page))
    assert named == {metric.name for metric in registry.collect()}


def test_the_fault_points_that_the_runbook_names_exist() -> None:
    part = text("docs/runbook.md").split("## Fault points")[1]
    named = set(re.findall(r"`([a-z_]+)`", part))
    assert f"`{VARIABLE}`" in part
    assert named
    assert named <= set(POINTS)


def test_the_runbook_explains_every_event_of_the_log() -> None:
    said = {
        event
        for path in (ROOT / "bot").glob("*.py")
        for event in re.findall(r"\blog\.\w+\((?:  #[^\n]*)?\s*\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    runbook = text("docs/runbook.md")
    assert len(said) > 10
    assert {event for event in said if f"`{event}`" not in runbook and f"{event} with" not in runbook} == set()


def test_the_runbook_has_every_code_that_waits_for_an_operator() -> None:
    codes = set(map(int, re.findall(r"\b\d{5}\b", text("docs/runbook.md"))))
    waiting = {code for code in range(40000, 90000) if reaction(code) is Reaction.CONFIG}
    assert waiting - codes == set()


def test_the_design_names_every_kind_of_task_that_there_is() -> None:
    line = re.search(r"^Today: (.*)$", text("docs/design.md"), re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"`(\w+)`", line[1])) == set(routes.TASKS)


def test_every_decision_is_five_lines_and_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    listed = re.findall(r"\]\((\d{4}[\w-]+\.md)\)", text("docs/decisions/README.md"))
    assert listed == [path.name for path in files]
    for path in files:
        numbered = re.findall(r"^(\d)\. \S", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert numbered == ["1", "2", "3", "4", "5"], path.name
