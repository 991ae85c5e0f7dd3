"""What is kept when something breaks: one bad message stops nothing, and nothing bad elsewhere stops a message."""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot import turns
from bot.clock import Clock
from bot.inbound import Inbound
from handlers.policy import Policy
from storage import reports
from storage.areas import AreaLevel, add_area
from storage.contacts import Contact
from storage.inbox import Inbox, InboxState
from storage.outbox import Outbox, OutboxState
from storage.reports import Report
from storage.tasks import Task
from tests.bot.platform import Door, door
from tests.world import Inbound_of

FIRST_WORDS = "我班上一个娃身上全是青的紫的 问他不说话"
POLICY = Policy(version=1)
BEGAN = Clock().now()


async def due(platform: Door, later: timedelta) -> None:
    """Everything that is due by then."""
    now: datetime = Clock().now() + later
    while await platform.database.run(partial(turns.run_kept, now=now, policy=POLICY)):
        pass
    while await platform.database.run(partial(turns.run_due, now=now, policy=POLICY)):
        pass


async def test_a_message_that_failed_once_is_a_report_at_the_second_try_and_due_work_goes_on(database_url: str) -> None:
    async with door(database_url) as platform:
        with platform.engine.begin() as connection:
            connection.execute(text("ALTER TABLE entry RENAME TO entry_away"))
        _, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert "保存" in reply
        with platform.engine.begin() as connection:
            connection.execute(text("ALTER TABLE entry_away RENAME TO entry"))
        await platform.push("o-villager", FIRST_WORDS, 2)
        await due(platform, timedelta(minutes=15))
        assert {row["state"] for row in platform.rows(Inbox)} == {InboxState.DONE}
        assert len(platform.rows(Report)) == 2
        assert sum(row["state"] == OutboxState.QUEUED for row in platform.rows(Outbox)) >= 1
        assert "alarm" in {row["kind"] for row in platform.rows(Task)}


async def test_a_conversation_that_cannot_be_read_costs_no_message(database_url: str) -> None:
    async with door(database_url) as platform:
        await platform.push("o-teacher", FIRST_WORDS, 1)
        with platform.engine.begin() as connection:
            connection.execute(text("UPDATE conversation SET answers = :broken"), {"broken": b"broken"})
        status, reply = await platform.push("o-teacher", "他现在就在打她", 2)
        assert (status, reply) == (200, "success")
        assert len(platform.rows(Inbox)) == 2
        await due(platform, timedelta(minutes=2))
        kept = [row for row in platform.rows(Inbox) if row["state"] != InboxState.DONE]
        assert [row["state"] for row in kept] == [InboxState.FAILED]
        assert "unread_message" in {row["kind"] for row in platform.rows(Task)}


async def test_a_report_before_there_is_a_county_is_kept_and_taken_up_afterwards(database_url: str) -> None:
    async with door(database_url, county=False) as platform:
        _, reply = await platform.push("o-teacher", FIRST_WORDS, 1)
        assert "保存" in reply
        assert [row["state"] for row in platform.rows(Inbox)] == [InboxState.FAILED]
        with Session(platform.engine) as session, session.begin():
            add_area(session, AreaLevel.COUNTY, "县")
        await due(platform, timedelta(minutes=2))
        assert [row["state"] for row in platform.rows(Inbox)] == [InboxState.DONE]
        assert len(platform.rows(Report)) == 1


async def test_leaving_twice_does_not_bring_back_who_was_forgotten(database_url: str) -> None:
    left = (
        "<xml><ToUserName><![CDATA[gh_test]]></ToUserName><FromUserName><![CDATA[o-teacher]]></FromUserName>"
        "<CreateTime>1700000001</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[unsubscribe]]></Event><EventKey><![CDATA[]]></EventKey></xml>"
    )
    async with door(database_url) as platform:
        await platform.push("o-teacher", FIRST_WORDS, 1)
        for number in (2, 3):
            assert await platform.push("o-teacher", "", number, body=left) == (200, "success")
        assert [row["openid_index"] for row in platform.rows(Contact)] == [None]
        assert len(platform.rows(Report)) == 1


async def test_a_follow_that_is_only_kept_yet_outlives_a_repeat_from_before_the_leaving(database_url: str) -> None:
    """The repeat must not take the contact that the kept follow made for one of its own, and forget it again."""
    async with door(database_url) as platform:
        before = Inbound_of("o-teacher", FIRST_WORDS, BEGAN)
        await platform.database.run(took(before))
        await platform.database.run(took(Inbound_of("o-teacher", None, BEGAN, kind="event", event="unsubscribe")))
        follow = Inbound_of("o-teacher", None, BEGAN, kind="event", event="subscribe")
        await platform.database.run(partial(turns.keep_raw, inbound=follow, arrived_at=BEGAN, now=BEGAN))
        await platform.database.run(took(before))
        await due(platform, timedelta(minutes=2))
        assert {row["state"] for row in platform.rows(Inbox)} == {InboxState.DONE}
        assert [row["openid_index"] is None for row in platform.rows(Contact)] == [True, False]
        greeted = [row for row in platform.rows(Outbox) if row["contact_id"] == platform.rows(Contact)[1]["id"]]
        assert [row["state"] for row in greeted] == [OutboxState.QUEUED]


def took(message: Inbound) -> partial[turns.Reply]:
    """Its turn."""
    return partial(turns.take, inbound=message, arrived_at=BEGAN, now=BEGAN, policy=POLICY)


async def test_words_from_another_phone_never_lower_a_report_or_forget_its_answers(database_url: str) -> None:
    async with door(database_url) as platform:
        await platform.push("o-teacher", FIRST_WORDS, 1)
        report = platform.rows(Report)[0]["id"]
        heard = partial(reports.heard, report_id=report, now=Clock().now(), suggested="4")
        await platform.database.run(
            partial(heard, kind="danger", urgency="immediate_danger", answers={"police": "yes:1234"})
        )
        await platform.database.run(partial(heard, kind="greeting", urgency="normal", answers=None))
        row = platform.rows(Report)[0]
        assert (row["kind"], row["urgency"], row["answers"]) == ("danger", "immediate_danger", {"police": "yes:1234"})
