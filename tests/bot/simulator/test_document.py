"""docs/simulator.md names tests and counts calls: they are there, and as many."""

import re
from pathlib import Path

from bot.simulator.assumptions import Assumed
from bot.simulator.settings import SimulatorSettings
from tests.bot.simulator import test_bot_client, test_werobot_client, wechatpy_steps

FOLDER = Path(__file__).parent
TEXT = (FOLDER.parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| .*? \| (.*?) \| .*? ?\|$", TEXT, re.MULTILINE)


def test_every_point_names_tests_that_exist() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 21))
    for _, cell in ROWS:
        for file, names in re.findall(r"`(\w+)`: ((?:`\w+`(?:, )?)+)", cell):
            written = (FOLDER / f"test_{file}.py").read_text(encoding="utf-8")
            missing = [name for name in re.findall(r"`(\w+)`", names) if f"def test_{name}(" not in written]
            assert missing == [], file


def test_the_calls_of_the_clients_are_as_many_as_it_says() -> None:
    counted = [
        int(number) for number in re.findall(r"^\| (?:wechatpy|WeRoBot) \S+ blocking \| (\d+)", TEXT, re.MULTILINE)
    ]
    assert counted == [
        len([*wechatpy_steps.TOKEN, *wechatpy_steps.STEPS]),
        len(test_werobot_client.STEPS),
    ]
    left_out = [int(number) for number in re.findall(r"\| (\d+) methods: ", TEXT)]
    assert left_out == [len(wechatpy_steps.NOT_MADE), len(test_werobot_client.NOT_MADE)]
    ours = re.search(r"\| (\d+) of wechatpy's and (\d+) of its own .* (\d+) of wechatpy's steps", TEXT)
    assert ours is not None
    not_made = len(test_bot_client.NOT_MADE)
    steps = [step for step in wechatpy_steps.STEPS if step.name not in test_bot_client.NOT_MADE]
    assert [int(number) for number in ours.groups()] == [len(steps), len(test_bot_client.OWN), not_made]


def test_every_setting_and_switch_is_explained() -> None:
    names = {*SimulatorSettings.__dataclass_fields__, *Assumed.__dataclass_fields__} - {"original_id"}
    assert {name for name in names if not re.search(rf"\b{name}\b", TEXT)} == set()
