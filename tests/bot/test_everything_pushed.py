"""Everything that the platform can push: what the person then reads, and what the database holds."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.simulator import acts
from bot.simulator.handles import PhoneHandle
from handlers import binding
from handlers.turn import Turn
from storage import outbox, sessions
from storage.contacts import Contact
from storage.inbox import Inbox
from storage.media import Media
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.people import Person
from storage.reporters import Reporter
from storage.reports import Entry, Report
from storage.sessions import WebSession
from storage.tasks import LIVE, Task
from tests.bot.conftest import Log
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.waiting import eventually

TABLES = (Inbox, Contact, Outbox, Report, Entry, Media, Task)
WORDS = "我们班上有个男生背上都是皮带印，他说是他爸打的"
SERVICE = {"FromUserName": "o-a-service-of-the-platform"}
"""Who pushes what became of a person's WeChat account; the person stands in OpenID."""


@pytest.fixture
async def here(databases: Databases) -> AsyncIterator[Rig]:
    async with rig(prepared(databases)) as found:
        yield found


def holds(here: Rig) -> list[int]:
    """How many rows there are of everything."""
    return [len(here.rows(table)) for table in TABLES]


async def event(here: Rig, phone: PhoneHandle, name: str, **fields: object) -> list[str]:
    """Push any event; what the account then said."""
    before = len(here.texts(phone))
    await acts.event(here.platform.world, phone.user, name, fields)
    return here.texts(phone)[before:]


async def message(here: Rig, phone: PhoneHandle, kind: str, **fields: object) -> list[str]:
    """Push any message; what the account then said."""
    before = len(here.texts(phone))
    await acts.message(here.platform.world, phone.user, kind, fields)
    return here.texts(phone)[before:]


def answers(here: Rig) -> list[tuple[object, object, object]]:
    """What the platform was answered to each push, and what it had against that."""
    pushes = (entry for entry in here.platform.world.log.after(0) if entry["kind"] == "push")
    return [(entry["status"], entry["answer"], entry["problem"]) for entry in pushes]


# Events that ask nothing of us.

PICTURES: dict[str, object] = {"Count": 2, "PicList": {"item": [{"PicMd5Sum": "a"}, {"PicMd5Sum": "b"}]}}
SCANNED = {"ScanType": "qrcode", "ScanResult": "1"}
QUIET: list[tuple[str, dict[str, object]]] = [
    ("LOCATION", {"Latitude": "23.1", "Longitude": "113.3", "Precision": "65.0"}),
    ("VIEW", {"EventKey": "https://a.example/m?a=1&b=2", "MenuId": "1"}),
    ("view_miniprogram", {"EventKey": "pages/a", "MenuId": "1"}),
    ("scancode_push", {"EventKey": "k", "ScanCodeInfo": SCANNED}),
    ("scancode_waitmsg", {"EventKey": "k", "ScanCodeInfo": SCANNED}),
    ("pic_sysphoto", {"EventKey": "k", "SendPicsInfo": PICTURES}),
    ("pic_photo_or_album", {"EventKey": "k", "SendPicsInfo": {"Count": 1, "PicList": {"item": {"PicMd5Sum": "a"}}}}),
    ("pic_weixin", {"EventKey": "k", "SendPicsInfo": {"Count": 0, "PicList": ""}}),
    ("location_select", {"EventKey": "k", "SendLocationInfo": {"Location_X": "23", "Location_Y": "113", "Label": "x"}}),
    ("MASSSENDJOBFINISH", {"MsgID": 1, "Status": "send success", "CopyrightCheckResult": {"Count": 0}}),
    ("PUBLISHJOBFINISH", {"PublishEventInfo": {"publish_id": 1, "publish_status": 0}}),
    ("kf_create_session", {"KfAccount": "a@b"}),
    ("kf_close_session", {"KfAccount": "a@b"}),
    ("kf_switch_session", {"FromKfAccount": "a@b", "ToKfAccount": "c@d"}),
    ("user_info_modified", {"OpenID": "o-teacher", "AppID": "wx", "RevokeInfo": "1", **SERVICE}),
    ("user_info_modified", {**SERVICE}),
]  # fmt: skip
ACCOUNT: list[tuple[str, dict[str, object]]] = [
    ("annual_renew", {"ExpiredTime": 1}),
    ("verify_expired", {"ExpiredTime": 1}),
    ("qualification_verify_success", {"ExpiredTime": 1}),
    ("qualification_verify_fail", {"FailTime": 1, "FailReason": "by time"}),
    ("naming_verify_success", {"ExpiredTime": 1}),
    ("naming_verify_fail", {"FailTime": 1, "FailReason": "by time"}),
]
UNKNOWN: list[tuple[str, dict[str, object]]] = [
    ("some_new_event", {"Odd": {"er": [{"a": 1}, {"b": 2}]}, "EventKey": "k"}),
    ("user_get_card", {"CardId": "p", "IsGiveByFriend": 1}),
]


async def test_what_asks_nothing_of_us_is_acknowledged_and_leaves_nothing(here: Rig, log: Log) -> None:
    written = log("info", "json")
    phone = here.phone("teacher")
    before = holds(here)
    for name, fields in [*QUIET, *UNKNOWN]:
        assert await event(here, phone, name, **fields) == [], name
        assert await event(here, phone, name, **fields) == [], name  # and once more
    assert set(answers(here)) == {(200, "success", "")}
    assert len(answers(here)) == 2 * len([*QUIET, *UNKNOWN])
    assert holds(here) == before
    assert written.getvalue().count('"event": "event_unknown"') == 2 * len(UNKNOWN)
    assert "o-teacher" not in written.getvalue()


async def test_what_becomes_of_the_account_s_verification_is_logged_and_a_task_only_while_it_is_gone(
    here: Rig, log: Log
) -> None:
    written = log("info", "json")
    phone = here.phone("teacher")
    opened = []
    for name, fields in ACCOUNT:
        assert await event(here, phone, name, **fields) == [], name
        opened.append(sum(task.kind == "account" and task.state in LIVE for task in here.rows(Task)))
        await here.pass_(seconds=2)
    assert dict(zip((name for name, _ in ACCOUNT), opened, strict=True)) == {
        "annual_renew": 0, "verify_expired": 1, "qualification_verify_success": 0, "qualification_verify_fail": 1,
        "naming_verify_success": 0, "naming_verify_fail": 1,
    }  # fmt: skip
    assert set(answers(here)) == {(200, "success", "")}
    lines = [line for line in written.getvalue().splitlines() if '"event": "account_event"' in line]
    assert [name for line, (name, _) in zip(lines, ACCOUNT, strict=True) if f'"kind": "{name}"' not in line] == []
    assert "o-teacher" not in written.getvalue()


async def test_what_stands_in_place_of_an_event_s_name_never_reaches_the_log(here: Rig, log: Log) -> None:
    written = log("info", "json")
    phone = here.phone("teacher")
    for name in ("a" * 5000, "他打孩子", "a b", "a\nb"):
        assert await event(here, phone, name) == []
    lines = [line for line in written.getvalue().splitlines() if '"event": "event_unknown"' in line]
    assert len(lines) == 4
    assert [line for line in lines if '"kind": "other"' not in line] == []
    assert "他打孩子" not in written.getvalue()


async def test_a_flood_of_places_piles_up_nothing_and_disturbs_no_talk(here: Rig) -> None:
    phone = here.phone("teacher")
    asked = await phone.say(WORDS)
    await here.handed()
    before = holds(here)
    for number in range(100):
        await event(here, phone, "LOCATION", Latitude=f"23.{number}", Longitude="113.3", Precision="65.0")
    assert holds(here) == before
    assert [item.text for item in phone.screen[len(asked) :]] == []
    assert "哪个孩子" in (await phone.say("现在没有"))[-1].text


# Coming and going.


def identities(here: Rig) -> set[str]:
    """Openids that are still known anywhere: of contacts, and inside kept messages."""
    known = {row.openid for row in here.rows(Contact) if row.openid}
    return known | {f"{name} of a kept message" for row in here.rows(Inbox) for name, value in row.message.items()
                    if isinstance(value, str) and "o-teacher" in value}  # fmt: skip


@pytest.mark.parametrize("how", ["unsubscribe", "user_authorization_cancellation"])
async def test_who_leaves_is_forgotten_and_the_report_is_kept(here: Rig, how: str) -> None:
    phone = here.phone("teacher")
    await phone.say(WORDS)
    await phone.say("现在没有")
    await here.handed()
    left: dict[str, object] = {} if how == "unsubscribe" else {"OpenID": phone.openid, "RevokeInfo": "1", **SERVICE}
    bound = {"o-county", "o-duty", "o-second"}
    assert identities(here) > bound
    for _ in range(3):
        assert await event(here, phone, how, **left) == []
        assert identities(here) == bound
    with here.engine.connect() as connection:
        assert list(connection.execute(select(Reporter.contact_id)).scalars()) == [None]
    assert [row.text for row in here.rows(Entry)] == [WORDS]
    assert [row.area_id for row in here.rows(Report)] != []
    assert await here.database.read(lambda connection: outbox.backlog(connection)[0]) == 0


async def test_a_message_that_is_delivered_again_after_its_sender_left_brings_nobody_back(here: Rig) -> None:
    phone = here.phone("teacher")
    await phone.say(WORDS)
    [first] = [entry for entry in here.platform.world.log.after(0) if entry["kind"] == "push"]
    await here.handed()
    await event(here, phone, "unsubscribe")
    async with here.http.post(f"{here.url}/wechat?{first['query']}", data=str(first["body"]).encode()) as answer:
        assert answer.status == 200
    assert "o-teacher" not in {row.openid for row in here.rows(Contact)}
    assert len(here.rows(Report)) == 1


async def test_the_work_of_who_leaves_is_handed_over(here: Rig) -> None:
    boss = here.phone("county")
    await here.phone("teacher").say("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头")
    await here.worker.run_all()
    assert "已接下" in (await boss.say("我接了"))[-1].text
    held = [row for row in here.rows(Task) if row.state in LIVE and row.person_id]
    assert {row.kind for row in held} == {"first_contact"}
    [second] = [row.id for row in here.rows(Person) if row.name == "second"]

    def stand_in(turn: Turn) -> None:
        turn.session.get_one(Person, held[0].person_id).stand_in_id = second

    await here.turn(stand_in)
    await event(here, boss, "unsubscribe")
    assert {row.person_id for row in here.rows(Task) if row.id in {one.id for one in held}} == {second}
    assert "o-county" not in {row.openid for row in here.rows(Contact)}


async def test_taking_back_what_was_allowed_ends_the_sign_ins_and_nothing_else(here: Rig) -> None:
    phone = here.phone("duty")
    contact = await here.contact(phone)
    token = hashlib.sha256(b"cookie").digest()
    await here.turn(
        lambda turn: sessions.open_session(turn.connection, token, contact, turn.now, turn.now + timedelta(days=1))
    )
    for _ in range(2):
        assert await event(here, phone, "user_authorization_revoke", OpenID="o-duty", RevokeInfo="205", **SERVICE) == []
    assert [row.revoked_at is None for row in here.rows(WebSession)] == [False]
    assert {row.openid for row in here.rows(Contact)} == {"o-county", "o-duty", "o-second"}
    assert await event(here, phone, "user_authorization_revoke", OpenID="o-nobody", **SERVICE) == []
    assert len(here.rows(Contact)) == 3


async def test_following_greets_and_a_code_binds_by_following_or_scanning(here: Rig) -> None:
    async def code(name: str) -> str:
        def make(turn: Turn) -> str:
            person = Person(name=name, area_id=turn.county_id(), joined_at=turn.now)
            turn.session.add(person)
            turn.session.flush()
            return binding.invite(turn, person)

        return f"invite-{await here.turn(make)}"

    stranger = here.phone("stranger")
    assert (await event(here, stranger, "subscribe", EventKey=""))[0].startswith("孩子有危险，请先打 110。")
    scene = await code("甲")
    [said] = await event(here, here.phone("a"), "subscribe", EventKey=f"qrscene_{scene}", Ticket="t")
    assert said.startswith("孩子有危险，请先打 110。")
    assert "绑定好了" in said
    [said] = await event(here, here.phone("b"), "SCAN", EventKey=await code("乙"), Ticket="t")
    assert "绑定好了" in said
    assert await event(here, stranger, "SCAN", EventKey="poster_7", Ticket="t") == []
    assert await event(here, stranger, "subscribe", EventKey="last_trade_no_42") != []
    assert sum(row.person_id is not None for row in here.rows(Contact)) == 5


# The menu.


async def test_a_menu_key_is_answered_also_one_of_an_old_menu(here: Rig) -> None:
    phone = here.phone("teacher")
    assert (await event(here, phone, "CLICK", EventKey="report"))[0].startswith("要是孩子正有危险，先打 110")
    help_ = (await phone.say("帮助"))[-1].text
    assert await event(here, phone, "CLICK", EventKey="a_key_of_last_year") == [help_]
    assert await event(here, phone, "CLICK", EventKey="") == [help_]
    assert here.rows(Report) == []


async def test_pictures_and_places_from_the_menu_come_twice_and_are_answered_once(here: Rig) -> None:
    world, phone = here.platform.world, here.phone("teacher")
    for name in ("pic_sysphoto", "pic_photo_or_album", "pic_weixin"):
        before = len(here.texts(phone))
        first = acts.event(world, phone.user, name, {"EventKey": "k", "SendPicsInfo": PICTURES})
        second = acts.picture(world, phone.user, b"\xff\xd8\xff\xe0picture\xff\xd9", "image/jpeg")
        await first
        await second
        assert len(here.texts(phone)) - before == (1 if name == "pic_sysphoto" else 0), name  # then a burst
    first = acts.event(world, phone.user, "location_select", {"EventKey": "k", "SendLocationInfo": {"Label": "x"}})
    second = acts.location(world, phone.user, acts.Pin(29.5, 106.5, "村口", 15))
    await first
    await second
    assert [row.kind for row in here.rows(Entry)] == ["image"] * 3 + ["location"]
    assert [len(here.rows(table)) for table in (Report, Media, Inbox)] == [1, 3, 4]


# Messages that are no words.

NO_WORDS: list[tuple[str, dict[str, object], str, str | None]] = [
    ("text", {"Content": "【收到不支持的消息类型，暂无法显示】"}, "unsupported", None),
    ("hologram", {"Content": "a"}, "unsupported", None),
    ("image", {"PicUrl": "http://p", "MediaId": "m"}, "image", None),
    ("voice", {"MediaId": "m", "Format": "amr", "Recognition": ""}, "voice", None),
    ("voice", {"MediaId": "m", "Format": "speex", "Recognition": "他说了什么"}, "voice", None),
    ("video", {"MediaId": "m", "ThumbMediaId": "t"}, "video", None),
    ("shortvideo", {"MediaId": "m", "ThumbMediaId": "t"}, "shortvideo", None),
    ("link", {"Title": "新闻", "Description": "d", "Url": "http://c"}, "link", "新闻 http://c"),
    ("file", {"Title": "名单.xlsx", "FileKey": "k", "FileMd5": "m", "FileTotalLen": 9}, "file", "名单.xlsx"),
    ("file", {"Title": "", "FileKey": "k"}, "file", ""),
    ("miniprogrampage", {"Title": "小程序", "AppId": "wx", "PagePath": "p"}, "miniprogram", "小程序"),
]
NO_FILES = "文件这里收不到"


async def test_what_no_rule_can_read_is_kept_as_it_came_and_somebody_has_to_look(here: Rig) -> None:
    for number, (kind, fields, kept, text) in enumerate(NO_WORDS):
        phone = here.phone(f"p{number}")
        [said] = await message(here, phone, kind, **fields)
        assert said.startswith("要是孩子正有危险，先打 110"), kind
        assert said.count(NO_FILES) == (kind == "file"), kind
        entry, report = here.rows(Entry)[-1], here.rows(Report)[-1]
        assert (entry.kind, entry.text, report.urgency) == (kept, text, "unknown"), kind
    assert len(here.rows(Report)) == len(NO_WORDS)
    assert len(here.rows(Media)) == sum("MediaId" in fields for _, fields, _, _ in NO_WORDS)
    await here.worker.due.once()
    listening = {row.subject_id for row in here.rows(Task) if row.kind == "listen"}
    assert listening == {row.id for row in here.rows(Report)}


async def test_a_file_in_the_middle_of_the_questions_is_kept_and_told_of(here: Rig) -> None:
    phone = here.phone("teacher")
    await phone.say(WORDS)
    [said] = await message(here, phone, "file", Title="名单.xlsx", FileKey="k")
    assert said.count(NO_FILES) == 1
    assert [row.kind for row in here.rows(Entry)] == ["text", "file"]


async def test_a_place_is_a_report_too_and_says_where(here: Rig) -> None:
    phone = here.phone("teacher")
    fields = {"Location_X": "29.5", "Location_Y": "106.5", "Scale": "16", "Label": "青山镇柳河村"}
    assert len(await message(here, phone, "location", **fields)) == 1
    assert [(row.kind, row.text) for row in here.rows(Entry)] == [("location", "29.5 106.5 青山镇柳河村")]


async def test_taps_on_menu_items_answer_their_own_question_or_are_words(here: Rig) -> None:
    phone = here.phone("teacher")
    await phone.say(WORDS)
    assert "哪个孩子" in (await phone.tap("reports.danger", "不是"))[-1].text
    assert here.rows(Report)[0].answers["danger"] == "no"
    help_ = (await phone.say("帮助"))[-1].text
    assert (await phone.tap("word", "帮助"))[-1].text == help_  # an item that is no question stands for its words
    await phone.say("取消")
    assert "过" in (await phone.tap("visits.kind", "见到孩子"))[-1].text  # a question that is no longer open
    assert [row.text for row in here.rows(Entry)] == [WORDS]


# What became of template messages.


async def test_what_became_of_a_card_is_noted_once_and_shown_to_nobody(here: Rig) -> None:
    phone = here.phone("duty")
    rows = [await here.push(phone, OutboxKind.NOTICE, "一") for _ in range(3)]
    with here.engine.begin() as connection:
        for number in rows:
            values = {
                "state": OutboxState.ACCEPTED, "next_at": None, "job_id": str(number), "channel": "template",
                "settled_at": here.clock.now(),
            }  # fmt: skip
            connection.execute(update(Outbox.__table__).where(Outbox.__table__.c.id == number).values(**values))
    told = [("success", rows[0]), ("failed:user block", rows[1]), ("failed: system failed", rows[2]), ("success", 999)]
    for status, number in told * 2:
        assert await event(here, phone, "TEMPLATESENDJOBFINISH", MsgID=number, Status=status) == []
    await here.pass_(seconds=6)
    while await here.worker.kept.once():
        pass
    assert [here.row(number).state for number in rows] == ["delivered", "refused", "refused"]
    with here.engine.connect() as connection:
        marked = connection.execute(select(Contact.unreachable_since).where(Contact.openid.is_not(None)))
        assert sum(since is not None for since in marked.scalars()) == 1
    await eventually(lambda: phone.screen == [])
