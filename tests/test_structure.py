"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("bot", "handlers", "storage", "messages")
NAMED_BY_THE_USER = ("aiohttp", "wechatpy", "sqlalchemy", "apscheduler", "jinja2", "pytest_asyncio")
NEVER_IMPORTED = {
    "tzdata": "holds only data, for systems without time zones",
}
HANDED_OUT_BY = {"multidict": "aiohttp", "yarl": "aiohttp", "pydantic-core": "pydantic"}  # parts of another's interface
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
ASKS_THE_CLOCK = re.compile(
    r"\b(datetime|date)\.(now|utcnow|today)\(|\btime\.time(_ns)?\(|\bfunc\.(now|current_timestamp)\(|CURRENT_TIMESTAMP"
)


def sources(*folders: str, kinds: tuple[str, ...] = (".py",)) -> Iterator[Path]:
    """Yield the files of these kinds below the folders."""
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds)


def lines_with(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    """Return each line with the pattern in it, as file:line: text."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join((*above, *([node.module] if node.module else [])))
            # "from . import x" and "from bot import x" import a module too, when x is one.
            yield from (".".join((*above, *([node.module] if node.module else []), name.name)) for name in node.names)


def test_what_we_say_is_only_in_messages() -> None:
    ours = (path for path in sources("bot", "handlers", "storage"))
    assert lines_with(CHINESE, ours) == []


def test_nothing_below_the_bot_asks_the_clock() -> None:
    assert lines_with(ASKS_THE_CLOCK, sources("handlers", "storage", "messages")) == []


@pytest.mark.parametrize("floor", FLOORS)
def test_no_file_is_too_long_to_read_at_once(floor: str) -> None:
    written = (
        path
        for path in sources(floor, kinds=(".py", ".html", ".js", ".css"))
        if ".min." not in path.name and "versions" not in path.parts
    )
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_the_stand_in_shares_no_code_with_the_bot() -> None:
    shared = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources("bot/simulator")
        for module in imports(path)
        if module.split(".")[0] in {*FLOORS, "wechatpy"} and not f"{module}.".startswith("bot.simulator.")
    ]
    assert shared == []


@pytest.mark.parametrize("package", NAMED_BY_THE_USER)
def test_the_packages_that_the_user_named_are_really_used(package: str) -> None:
    used = {module.split(".")[0] for path in sources(*FLOORS, "tests") for module in imports(path)}
    assert package in used


def declared() -> set[str]:
    """Return the names of the packages that the bot says it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[\[<>=]", line)[0].lower() for line in project["dependencies"]}


def imported() -> set[str]:
    """Return the names of the packages whose modules the bot imports."""
    distributions = packages_distributions()
    modules = {module.split(".")[0] for path in sources(*FLOORS) for module in imports(path)}
    outside = modules - sys.stdlib_module_names - {*FLOORS}
    return {distributions[module][0].lower().replace("_", "-") for module in outside}


def test_no_package_is_installed_for_nothing() -> None:
    assert declared() - imported() == set(NEVER_IMPORTED)


def test_no_package_is_used_that_only_another_one_brought() -> None:
    assert {HANDED_OUT_BY.get(name, name) for name in imported()} - declared() == set()


def test_tests_wait_for_what_happens_and_use_what_is_real() -> None:
    sleeping = re.compile(r"\btime\.sleep\(|\basyncio\.sleep\([1-9]|\bunittest\.mock\b")
    tests = (path for path in sources("tests") if path != Path(__file__) and "bench" not in path.parts)
    assert lines_with(sleeping, tests) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock", "package-lock.json"])
def test_a_lock_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index-url" not in text


def test_what_is_tested_is_what_is_run() -> None:
    runtime, testing = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-test.lock"))
    pins = re.compile(r"^[a-z0-9-]+==\S+", re.MULTILINE)
    assert set(pins.findall(runtime)) <= set(pins.findall(testing))


def test_what_only_other_commands_need_is_not_held_by_a_running_bot() -> None:
    seldom = ("alembic", "av", "bot.simulator", "pypinyin.phrases_dict", "python_calamine", "segno", "xlsxwriter")
    asked = f"import sys, bot.__main__; print([name for name in {seldom} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
