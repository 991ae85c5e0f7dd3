"""The real program: stopped in the middle of a copy and of a restore; and restored, silent until it is released."""

from pathlib import Path

import pytest
from sqlalchemy import inspect

from storage.database import connect
from storage.outbox import Outbox, OutboxState
from storage.reports import Report
from storage.tasks import Task
from tests.crash.town import Town, town
from tests.support.databases import Databases
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

KILLED = -9
WORDS = "我们村有个孩子天天被打 身上都是伤"
PUSHES = ("message/custom/send", "message/template/send", "tags/")


def pushes(place: Town) -> int:
    """How many calls the platform got that say something to somebody."""
    calls = [str(one["path"]) for one in place.platform.world.log.after(0) if one["kind"] == "call"]
    return sum(any(part in path for part in PUSHES) for path in calls)


def move_to(place: Town, url: str) -> None:
    """From now on the bot, and what the test reads, are on the other database."""
    place.environ["TONGBAN__DATABASE__URL"] = place.url = url
    place.reader.dispose()
    place.reader = connect(url, read_only=True)


def tables(url: str) -> set[str]:
    """What is in a database."""
    engine = connect(url)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    return names


async def readiness(place: Town) -> str:
    async with place.http.get(f"http://127.0.0.1:{place.port}/readyz") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_restored_system_receives_and_answers_but_sends_nothing_until_it_is_released(
    databases: Databases, tmp_path: Path
) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        await place.start()
        assert await readiness(place) == "ready"
        await place.platform.phone("o-county").say("帮助")
        await place.platform.add_phone("teller", "o-teller").say(WORDS)
        await eventually(lambda: place.count(Report) == 1)
        # The copy is of the moment at which the alarm is due and nobody has been told.
        await place.kill()
        assert place.count(Task, kind="burst") == 1
        assert (await place.command("backup", str(tmp_path / "a.full")))[0] == 0
        target = databases.fresh()
        code, said = await place.command("restore", str(tmp_path / "a.full"), "--to", target)
        assert code == 0, said
        move_to(place, target)

        before = pushes(place)
        await place.start()
        assert await readiness(place) == "paused: nothing is sent until `tongban release`"
        later = place.platform.add_phone("later", "o-later")
        await later.say("二年级有个娃 三天没来上学了")
        await eventually(lambda: place.count(Report) == 2)
        await eventually(lambda: place.said("o-later"))
        # An hour of the county's time, with everything that would fall due in it.
        await place.advance(3600)
        assert pushes(place) == before
        assert not any("【警报】" in words for words in place.said("o-county"))
        assert place.count(Task, kind="alarm") == 0
        async with place.http.get(f"http://127.0.0.1:{place.port}/metrics") as answer:
            assert "tongban_paused 1.0" in await answer.text()
        assert '"event": "paused"' in (tmp_path / "bot.log").read_text(encoding="utf-8")

        code, said = await place.command("release")
        assert (code, "task\tburst\t" in said) == (0, True), said
        assert WORDS[:6] not in said
        assert pushes(place) == before
        assert (await place.command("release", "--late"))[0] == 0
        await eventually(lambda: sum("【警报】" in words for words in place.said("o-county")) == 2, 30)
        assert pushes(place) > before
        assert await readiness(place) == "ready"


async def test_a_copy_that_is_killed_leaves_nothing_that_looks_like_one(databases: Databases, tmp_path: Path) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        folder = tmp_path / "copies"
        folder.mkdir()
        code, _ = await place.command("backup", str(folder), fault="copy_before_name")
        assert code == KILLED
        [half] = folder.iterdir()
        assert half.name.endswith(".full.part")
        code, said = await place.command("restore", str(folder), "--to", databases.fresh())
        assert (code, "There is no copy in" in said) == (2, True)
        assert (await place.command("backup", str(folder)))[0] == 0
        assert (await place.command("restore", str(folder), "--to", databases.fresh()))[0] == 0


async def test_a_restore_that_is_killed_leaves_an_empty_database_and_can_be_begun_again(
    databases: Databases, tmp_path: Path
) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        assert (await place.command("backup", str(tmp_path / "a.full")))[0] == 0
        target = databases.fresh()
        restoring = ("restore", str(tmp_path / "a.full"), "--to", target)
        assert (await place.command(*restoring, fault="restore_before_commit"))[0] == KILLED
        assert tables(target) <= {"alembic_version"}
        place.environ["TONGBAN__DATABASE__URL"] = target
        assert (await place.command("people", "list"))[0] != 0, "what is half there is not taken for a county"
        del place.environ["TONGBAN__DATABASE__URL"]
        code, said = await place.command(*restoring)
        assert code == 0, said
        people = await place.command("people", "list")
        place.environ["TONGBAN__DATABASE__URL"] = target
        assert await place.command("people", "list") == people
        assert place.count(Outbox, state=OutboxState.SENDING) == 0


async def test_copies_are_made_beside_the_running_bot_and_one_that_is_killed_is_made_again(
    databases: Databases, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    async with town(databases.fresh(), tmp_path) as place:
        place.environ["TONGBAN__BACKUP__FOLDER"] = str(folder)
        await place.start("copy_before_name")
        log = tmp_path / "bot.log"
        await eventually(lambda: '"event": "copy_failed"' in log.read_text(encoding="utf-8"), 30)
        assert "ended with -9" in log.read_text(encoding="utf-8")
        assert [path.suffix for path in folder.glob("tongban-*")] == [".part"]
        await place.platform.add_phone("teller", "o-teller").say(WORDS)
        await eventually(lambda: place.count(Report) == 1)
        await place.kill()

        await place.start()
        await eventually(lambda: list(folder.glob("*.full")), 30)
        await place.kill()  # the disk with the database is lost
        target = databases.fresh()
        code, said = await place.command("restore", str(folder), "--to", target)
        assert code == 0, said
        move_to(place, target)
        assert place.count(Report) == 1
        assert place.messages()[0]["text"] == WORDS
