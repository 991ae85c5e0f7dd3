"""Golden journeys: what people would read on their phones, line by line; `--update` rewrites them."""

from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.journeys import play, scripts
from tests.support.visiting import make_tables
from tests.world import World

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("path", scripts(FOLDER), ids=lambda path: path.stem)
def test_the_journey_reads_as_it_is_written(path: Path, databases: Databases, request: pytest.FixtureRequest) -> None:
    world = World.on(databases.copy(make_tables))
    script = path.read_text(encoding="utf-8")
    played = play(world, script)
    world.close()
    if request.config.getoption("--update", default=False):
        path.write_text(played, encoding="utf-8")
    assert played == path.read_text(encoding="utf-8")
