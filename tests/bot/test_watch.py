"""The watchdog, as the timer runs it: what really breaks reaches two people by SMS and mail, once, and so its end."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from bot import metrics, watch_state
from bot.app import Bot, running
from bot.settings import load
from bot.settings_watch import Watchdog
from bot.simulator.handles import PhoneHandle
from bot.watch import Look
from handlers.policy import Policy
from handlers.turn import Turn
from handlers.workdays import CHINA, local_day, working_time
from storage import contacts, outbox
from storage.database import connect
from storage.inbox import Inbox, InboxState
from storage.outbox import OutboxKind, OutboxState
from tests.bot.place import GATEWAY_SECRET, Place, place
from tests.crash.program import Program
from tests.support.databases import Databases
from tests.support.smtp import MailServer, mail_server
from tests.support.waiting import eventually
from tests.world import MONDAY_MORNING

BY_DEFAULT = {
    "calm_minutes": 0, "down_minutes": 0, "disk_percent": 0, "parked_messages": 0,
    **{f"{name}_minutes": 0 for name in ("database", "tick", "token", "callback", "outbox", "due", "copy")},
}  # fmt: skip
"""Each test switches on what it breaks."""


@dataclass
class Post:
    """A watchdog with its two people: one with a phone and a mail address, one with a phone only."""

    here: Place
    mails: MailServer
    folder: Path
    first: PhoneHandle
    second: PhoneHandle
    rules: dict[str, float | str | list[str]] = field(default_factory=dict)

    async def watch(self, *words: str) -> tuple[int, str]:
        """Run `tongban watch`; its exit code and what it printed and logged."""
        log = self.folder / "watch.log"
        log.unlink(missing_ok=True)
        environ = {f"TONGBAN__WATCHDOG__{name.upper()}": _told(value) for name, value in self.rules.items()}
        program = Program(["--config", str(self.here.config), "watch", *words], environ, log)
        await program.wait()
        assert program.returncode is not None
        return program.returncode, log.read_text(encoding="utf-8")

    async def finds(self, line: str) -> bool:
        """Whether a look finds something."""
        return line in (await self.watch())[1]

    def texts(self, phone: PhoneHandle) -> list[str]:
        """The SMS that somebody got."""
        return [str(item.text) for item in phone.screen if item.source == "sms"]

    def everything(self) -> list[list[str]]:
        """What each got by SMS, and the subjects of the mails."""
        return [self.texts(self.first), self.texts(self.second), self.mails.subjects("first@county.example")]

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Bot]:
        """The bot while it runs."""
        async with running(load(self.here.config, {})) as bot:
            yield bot

    async def told_once(self, alarm: str, words: str) -> None:
        """Everybody was told by every way, and another look tells nobody again."""
        for _ in range(2):
            await self.watch()
            assert [len(one) for one in self.everything()] == [1, 1, 1]
        assert words in self.texts(self.first)[0]
        assert self.texts(self.first) == self.texts(self.second)
        assert self.mails.subjects("first@county.example") == [f"Tongban: {alarm}"]
        assert words in self.mails.came[0][1].get_content()

    async def all_clear(self, alarm: str) -> None:
        """Everybody is told that it is over, once."""
        assert (await self.watch())[0] == 0
        assert await self.watch() == (0, "")
        for text in (self.texts(self.first)[-1], self.texts(self.second)[-1]):
            assert "恢复" in text
        assert self.mails.subjects("first@county.example")[-1] == f"Tongban: {alarm} over"
        assert [len(one) for one in self.everything()] == [2, 2, 2]


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@asynccontextmanager
async def post(folder: Path, url: str) -> AsyncIterator[Post]:
    """A place whose settings name two people."""
    async with mail_server() as mails, place(folder, url) as here:
        origin = here.platform.origin
        with here.config.open("a", encoding="utf-8") as file:
            file.write(
                f'[gateway]\nsms_url = "{origin}/gateway/sms"\nsecret = "{GATEWAY_SECRET}"\n'
                f'[watchdog]\nstate = "{folder / "watch.json"}"\n'
                '[[watchdog.people]]\nname = "first"\nphone = "13900000001"\nmail = "first@county.example"\n'
                '[[watchdog.people]]\nname = "second"\nphone = "13900000002"\n'
                f'[watchdog.mail]\nhost = "127.0.0.1"\nport = {mails.port}\nsecurity = "none"\n'
                'user = "tongban"\npassword = "mail-secret"\nsender = "bot@county.example"\n'
            )
        phones = [here.platform.add_phone(number=f"1390000000{number}", following=False) for number in (1, 2)]
        yield Post(here, mails, folder, phones[0], phones[1], dict(BY_DEFAULT))


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Post]:
    """On SQLite: what the watchdog asks goes over HTTP."""
    async with post(tmp_path, f"sqlite:///{tmp_path / 'a.db'}") as found:
        yield found


async def test_a_killed_bot_reaches_two_people_who_do_not_use_wechat(stand: Post) -> None:
    async with stand.bot():
        assert await stand.watch() == (0, "")
    program = Program(["--config", str(stand.here.config), "run"], {}, stand.folder / "bot.log")
    await eventually(lambda: _is_up(stand), 30)
    program.kill()
    await program.wait()
    status, said = await stand.watch()
    assert status == 1
    assert "not_answering\t0 minutes\tsince 20" in said
    await stand.told_once("not_answering", "程序没有应答")
    assert stand.mails.logins
    async with stand.bot():
        await stand.all_clear("not_answering")
    log = (stand.folder / "watch.log").read_text(encoding="utf-8")
    state = (stand.folder / "watch.json").read_text(encoding="ascii")
    for secret in ("first", "second", "1390000000", "county.example", "mail-secret"):
        assert secret not in said + log + state


async def _is_up(stand: Post) -> bool:
    try:
        return (await stand.here.get("/healthz"))[0] == 200
    except OSError:
        return False


async def test_a_restart_is_no_alarm(stand: Post) -> None:
    stand.rules["down_minutes"] = 3
    assert (await stand.watch())[0] == 1
    assert stand.everything() == [[], [], []]
    async with stand.bot():
        assert await stand.watch() == (0, "")
    assert stand.everything() == [[], [], []]


async def test_it_is_said_again_while_it_lasts(stand: Post) -> None:
    await stand.watch()
    stand.rules["repeat_minutes"] = 0.001
    await stand.watch()
    assert [len(one) for one in stand.everything()] == [2, 2, 2]
    assert "第2次" in stand.texts(stand.first)[1]


async def test_a_way_that_fails_is_tried_again_and_the_others_hear_nothing_twice(stand: Post) -> None:
    stand.mails.refuses = True
    status, said = await stand.watch()
    assert status == 1
    assert "watch_not_told" in said
    assert "county.example" not in said
    assert [len(one) for one in stand.everything()] == [1, 1, 0]
    stand.mails.refuses = False
    await stand.told_once("not_answering", "程序没有应答")


async def test_where_there_is_no_room_for_a_new_file_nobody_is_told_at_every_look(stand: Post) -> None:
    async with stand.bot():
        assert await stand.watch() == (0, "")
    (stand.folder / "watch.json.new").mkdir()
    await stand.told_once("not_answering", "程序没有应答")


async def test_a_gateway_that_takes_an_sms_and_breaks_off_is_asked_again_and_sends_once(stand: Post) -> None:
    fault = {"path": "gateway/sms", "kind": "drop_after", "times": 1}
    stand.here.platform.world.faults.change({"api": [fault]}, 0)
    assert "watch_not_told" in (await stand.watch())[1]
    await stand.told_once("not_answering", "程序没有应答")


async def test_ticks_that_stopped(stand: Post) -> None:
    stand.rules["tick_minutes"] = 0.025
    async with stand.bot() as bot:
        assert await stand.watch() == (0, "")
        bot.worker._scheduler.pause()
        await eventually(lambda: stand.finds("ticks\t"), 20)
        await stand.told_once("ticks", "定时任务停了")
        stand.rules["tick_minutes"] = 5
        bot.worker._scheduler.resume()
        await stand.all_clear("ticks")


async def test_a_token_that_the_platform_refuses(stand: Post) -> None:
    stand.rules["token_minutes"] = 0.001
    stand.here.platform.world.faults.change({"frozen_secret": True}, 0)
    async with stand.bot() as bot:
        await eventually(lambda: stand.finds("token\t"), 20)
        await stand.told_once("token", "令牌")
        stand.here.platform.world.faults.change({"frozen_secret": False}, 0)
        bot.wechat.tokens._refused_until = 0
        await bot.wechat.tokens.get()
        await stand.all_clear("token")


async def test_silence_of_the_platform_in_working_hours(stand: Post) -> None:
    today = local_day(datetime.now(CHINA))
    stand.rules |= {"working_from": "00:00:00", "working_until": "23:59:59.999999", "callback_minutes": 0.001}
    with stand.here.config.open("a", encoding="utf-8") as file:
        file.write(f"[policy]\nworkdays = [{today}, {today + timedelta(days=1)}]\n")
    async with stand.bot():
        await stand.watch()  # from here on it waits
        await eventually(lambda: stand.finds("callbacks\t"), 20)
        await stand.told_once("callbacks", "上班时间没收到微信消息")
        stand.rules["callback_minutes"] = 5
        await stand.here.platform.add_phone("p").say("帮助")
        await stand.all_clear("callbacks")


async def test_a_disk_that_is_too_full(stand: Post) -> None:
    stand.rules["disk_percent"] = 0.0001
    async with stand.bot():
        await stand.told_once("disk", "磁盘快满了")
        stand.rules["disk_percent"] = 100
        await stand.all_clear("disk")
        stand.rules |= {"disk_percent": 99.9, "folders": [str(stand.folder / "unplugged")]}
        assert await stand.finds("disk\t100 percent")


async def test_copies_that_are_not_made_any_more(stand: Post) -> None:
    folder = stand.folder / "copies"
    folder.mkdir()
    with stand.here.config.open("a", encoding="utf-8") as file:
        file.write(f'[backup]\nfolder = "{folder}"\nevery_minutes = 1440\n')
    stand.rules["copy_minutes"] = 5
    (folder / "tongban-half.full.part").write_bytes(b"half a copy is none")
    async with stand.bot():
        await eventually(lambda: [*folder.glob("*.full")], 30)
        assert await stand.watch() == (0, "")
        for copy in folder.iterdir():
            os.utime(copy, (0, 0))
        await stand.told_once("copy", "备份没有更新")
        (folder / "tongban-20261125T030000Z.full").touch()
        await stand.all_clear("copy")


async def test_what_waits_in_the_database(databases: Databases, tmp_path: Path) -> None:
    async with post(tmp_path, databases.fresh()) as stand, stand.bot() as bot:
        stand.rules |= {"parked_messages": 1, "outbox_minutes": 5, "due_minutes": 5}
        await stand.here.platform.add_phone("p").say("帮助")
        assert await stand.watch() == (0, "")
        bot.worker._scheduler.pause()
        for loop in (bot.worker.alarms, bot.worker.send, bot.worker.due, bot.worker.kept):
            await loop.stop()

        def leave(connection: Connection) -> None:
            turn = Turn(connection, bot.clock.now(), bot.policy)
            ago = turn.now - timedelta(minutes=7)
            contact = contacts.id_of(connection, "o-p", turn.now)
            outbox.add(
                connection, contact_id=contact, kind=OutboxKind.NOTICE, state=OutboxState.QUEUED,
                content={"text": "x"}, now=ago, next_at=ago,
            )  # fmt: skip
            turn.open_task("look", "county", 1, 1, due_at=ago, next_at=ago - timedelta(minutes=2), role="duty")
            connection.execute(update(Inbox.__table__).values(state=InboxState.PARKED))
            turn.settle()

        await bot.database.run(leave)
        status, said = await stand.watch()
        assert status == 1
        for line in ("outbox\t7 minutes", "due\t9 minutes", "parked\t1 messages"):
            assert line in said
        assert len(stand.texts(stand.first)) == 3
        assert any("（7分钟）" in text for text in stand.texts(stand.second))


async def test_a_database_that_does_not_answer(databases: Databases, tmp_path: Path) -> None:
    async with post(tmp_path, databases.fresh()) as stand, stand.bot():
        stand.rules["database_minutes"] = 5
        assert await stand.watch() == (0, "")
        engine = connect(stand.here.settings.database.url)
        with engine.begin() as connection:  # nothing of it can be read any more
            connection.exec_driver_sql("ALTER TABLE outbox RENAME TO elsewhere")
        await stand.told_once("database", "数据库")
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO outbox")
        engine.dispose()
        await stand.all_clear("database")


async def test_a_drill_that_failed(stand: Post) -> None:
    async with stand.bot():
        assert await stand.watch() == (0, "")
        metrics.drill_failed.set(1)
        metrics.drill_age_seconds.set(120)
        await stand.told_once("drill", "试恢复失败")
        metrics.drill_failed.set(0)
        await stand.all_clear("drill")


async def test_a_trial_says_which_ways_went_out(stand: Post) -> None:
    assert await stand.watch("--test") == (0, "sms 1\tsent\nmail 1\tsent\nsms 2\tsent\n")
    assert all("试发" in text for text in (*stand.texts(stand.first), *stand.texts(stand.second)))
    stand.mails.refuses = True
    status, said = await stand.watch("--test")
    assert status == 1
    assert "mail 1\tfailed" in said
    assert "sms 2\tsent" in said


async def test_without_people_it_says_so(tmp_path: Path) -> None:
    async with place(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", prepared=False) as here:
        nobody = here.platform.add_phone()
        stand = Post(here, MailServer(), tmp_path, nobody, nobody)
        status, said = await stand.watch()
        assert status == 2
        assert "nobody would be told" in said


def test_silence_counts_in_the_county_s_working_hours_only() -> None:
    hours = (Watchdog().working_from, Watchdog().working_until)
    friday = MONDAY_MORNING - timedelta(days=3) + timedelta(hours=8)  # 17:00 in China
    assert working_time(Policy(), friday, MONDAY_MORNING, hours) == timedelta(hours=1)
    holiday = Policy(holidays=(local_day(MONDAY_MORNING),))
    assert working_time(holiday, friday, MONDAY_MORNING, hours) == timedelta(minutes=30)


def test_an_alarm_that_comes_and_goes_is_one_alarm_and_one_all_clear() -> None:
    rules, now, told = Watchdog(), MONDAY_MORNING, []
    state = watch_state.State(now)
    for minute in range(120):
        found = {"ticks": 11} if minute < 60 and minute % 3 else {}
        watch_state.step(state, Look(now, found), now, rules, ["sms 1"])
        for alarm, one in [*state.standing.items()]:
            for way in [*one.owed]:
                told.append((minute, one.over))
                watch_state.settled(state, alarm, way)
        now += timedelta(minutes=1)
    assert told == [(1, False), (65, True)]
    assert state.standing == {}


def test_what_nobody_heard_of_needs_no_all_clear(tmp_path: Path) -> None:
    rules, now = Watchdog(calm_minutes=0), MONDAY_MORNING
    state = watch_state.State(now)
    watch_state.step(state, Look(now, {"ticks": 11}), now, rules, ["sms 1", "sms 2"])
    watch_state.settled(state, "ticks", "sms 1")
    watch_state.write(tmp_path / "s.json", state)
    state = watch_state.read(tmp_path / "s.json", now + timedelta(days=1))
    assert state.heard_at == now
    watch_state.step(state, Look(now), now, rules, ["sms 1", "sms 2"])
    assert state.standing["ticks"].owed == ["sms 1"]
    (tmp_path / "s.json").write_text("half a fi", encoding="ascii")
    assert watch_state.read(tmp_path / "s.json", now) == watch_state.State(now)
