"""Every text is used, every text that is used exists and renders with the values its first line declares."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from jinja2 import meta
from jinja2.nodes import Const, Include

from handlers import routes
from handlers.conversation import CONTROL
from handlers.questions import Choice
from messages import labels
from messages.files import table
from messages.rendering import _pages, _texts

ROOT = Path(__file__).parents[2]
MESSAGES = ROOT / "messages"
LONGEST_QUESTION = 40
_NAME = re.compile(r"[a-z_]+/[a-z_]+")
_DECLARED = re.compile(r"\{#.*; values: (.*?) #\}|\{# a (?:form|question|page)?.*?values: (.*?) #\}")
TEXTS = sorted(str(path.relative_to(MESSAGES).with_suffix("")) for path in MESSAGES.glob("*/*.txt"))
SAID = [name for name in TEXTS if not Path(name).name.startswith("_")]
QUESTIONS = [f"{flow.name}/{question}" for flow in routes.FLOWS for question in flow.questions]


@cache
def strings_in_code() -> frozenset[str]:
    """Every string constant of bot and handlers."""
    found = set()
    for path in [*(ROOT / "handlers").rglob("*.py"), *(ROOT / "bot").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


def included(name: str) -> Iterator[str]:
    """Files a text includes or imports, with `~` where part of the name is a value."""
    source = (MESSAGES / f"{name}.txt").read_text(encoding="utf-8")
    tree = _texts.parse(source)
    for node in tree.find_all(Include):
        if isinstance(node.template, Const):
            yield str(node.template.value).removesuffix(".txt")
    for found in re.finditer(r'(?:from|import|extends) "([^"]+)\.txt"', source):
        yield found[1]


def made_up() -> set[str]:
    """Names that code puts together: a kind of quiet report, a page's refusal."""
    kinds = {f"reports/{kind}" for kind in ("greeting", "advert", "question", "benefit")}
    return kinds | set(QUESTIONS)


@pytest.mark.parametrize("name", SAID)
def test_every_text_is_used(name: str) -> None:
    used = name in strings_in_code() or name in made_up()
    used = used or any(name in included(other) for other in TEXTS)
    assert used or (Path(name).parent.name == "pages" and Path(name).name in strings_in_code())


def test_every_text_that_code_names_exists() -> None:
    folders = {path.name for path in MESSAGES.iterdir() if path.is_dir()}
    named = {text for text in strings_in_code() if _NAME.fullmatch(text) and text.split("/")[0] in folders}
    missing = {
        name for name in named if not any((MESSAGES / f"{name}{end}").exists() for end in (".txt", ".html", ".toml"))
    }
    assert missing == set()


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_its_text_of_at_most_forty_characters(name: str) -> None:
    source = (MESSAGES / f"{name}.txt").read_text(encoding="utf-8")
    body = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    question = re.sub(r"\{\{.*?\}\}", "王小雨", body).strip().split("\n\n")[0].split("\n")[0]
    assert 0 < len(question) <= LONGEST_QUESTION


@pytest.mark.parametrize("name", SAID)
def test_a_text_uses_exactly_the_values_its_first_line_declares(name: str) -> None:
    source = (MESSAGES / f"{name}.txt").read_text(encoding="utf-8")
    first = source.split("\n", 1)[0]
    found = re.search(r"values: (.*?) #\}", first)
    assert found, f"{name} does not declare its values"
    declared = set() if found[1] == "none" else set(re.split(r",\s*", found[1]))
    used = meta.find_undeclared_variables(_texts.parse(source))
    for part in included(name):
        part_source = (MESSAGES / f"{part}.txt").read_text(encoding="utf-8")
        used |= meta.find_undeclared_variables(_texts.parse(part_source))
    assert used - {"tap"} <= declared


@pytest.mark.parametrize("path", sorted((MESSAGES / "pages").glob("*.html")), ids=lambda path: path.stem)
def test_every_page_compiles(path: Path) -> None:
    _pages.get_template(f"pages/{path.name}")


@pytest.mark.parametrize("name", TEXTS)
def test_every_text_compiles(name: str) -> None:
    _texts.get_template(f"{name}.txt")


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_choice_has_words_for_its_codes(name: str) -> None:
    flow = next(one for one in routes.FLOWS if one.name == name.split("/", maxsplit=1)[0])
    question = flow.questions[name.partition("/")[2]]
    if isinstance(question, Choice) and question.kind:
        assert labels(question.kind)
        assert set(question.said_as) <= table("words.toml").keys()


def test_every_command_people_may_type_does_something() -> None:
    sections = set(table("words.toml"))
    assert sections - routes.COMMANDS.keys() - CONTROL - routes._ANSWERS == set()
    assert routes.COMMANDS.keys() <= sections


def test_every_menu_key_is_a_command() -> None:
    keys = {
        item["key"]
        for menu in table("menu.toml").values()
        for button in menu["buttons"]
        for item in button.get("items", [button])
    }
    assert keys <= routes.COMMANDS.keys()


def test_every_kind_of_task_has_a_name() -> None:
    assert routes.TASKS.keys() <= labels("task_kind").keys()


@pytest.mark.parametrize("name", [name for name in SAID if Path(name).name.startswith("card")])
def test_words_on_cards_are_short_and_name_nobody(name: str) -> None:
    text = re.sub(r"\{.*?\}\}?", "", (MESSAGES / f"{name}.txt").read_text(encoding="utf-8").split("\n", 1)[1])
    assert all(len(line) <= 20 for line in text.splitlines())
