"""Inbox, outbox, originals and the talk with a contact."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text

from storage import contacts, inbox, media, outbox
from storage.inbox import Inbox, InboxState
from storage.media import Media, MediaState
from storage.outbox import LEASE, OutboxKind, OutboxState
from tests.storage.conftest import NOW, Ids, settle_county

SECOND = timedelta(seconds=1)


def say(connection: Connection, contact: int, words: str, kind: OutboxKind = OutboxKind.NOTICE, **values: Any) -> int:  # noqa: ANN401 - columns
    row: dict[str, Any] = {"state": OutboxState.QUEUED, "next_at": NOW, "now": NOW, "content": {"text": words}}
    return outbox.add(connection, contact_id=contact, kind=kind, **{**row, **values})()


def texts(rows: list[Any]) -> list[str]:
    return [row.content["text"] for row in rows]


# --- inbox


def test_a_message_is_claimed_once_however_often_it_comes(engine: Engine, ids: Ids) -> None:
    key = inbox.key_of("o-wang 1")
    with engine.begin() as connection:
        first = inbox.claim(connection, key, ids.contact, NOW, {"text": "老师"})
    with engine.begin() as connection:
        assert inbox.claim(connection, key, ids.contact, NOW, {"text": "老师"}) is None
        assert inbox.find(connection, key) == (first, InboxState.DONE, 0)
        assert inbox.find(connection, inbox.key_of("o-wang 2")) is None


def test_two_that_claim_at_the_same_time_wait_for_each_other_and_one_gets_it(engine: Engine, ids: Ids) -> None:
    key = inbox.key_of("o-wang 1")

    def claim() -> int | None:
        with engine.begin() as connection:
            return inbox.claim(connection, key, ids.contact, NOW, {"text": "老师"})

    with ThreadPoolExecutor(6) as threads:
        claimed = [future.result() for future in [threads.submit(claim) for _ in range(6)]]
    assert len([one for one in claimed if one is not None]) == 1
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(Inbox)).scalar() == 1


def test_a_turn_that_rolls_back_leaves_the_message_to_the_next_delivery(engine: Engine, ids: Ids) -> None:
    key = inbox.key_of("o-wang 1")
    with engine.connect() as connection:
        assert inbox.claim(connection, key, ids.contact, NOW, {"text": "老师"})
        connection.rollback()
    with engine.begin() as connection:
        assert inbox.claim(connection, key, ids.contact, NOW, {"text": "老师"}) is not None


def test_a_failed_message_is_due_again_at_its_time_and_a_parked_one_never(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        failed, parked = (
            inbox.claim(connection, inbox.key_of(name), ids.contact, NOW, {"text": name}) or 0 for name in ("a", "b")
        )
        inbox.settle(connection, failed, InboxState.FAILED, attempts=1, next_at=NOW + SECOND, error="KeyError x.py:3")
        inbox.settle(connection, parked, InboxState.PARKED, attempts=9)
        assert inbox.due(connection, NOW, 10) == []
        [row] = inbox.due(connection, NOW + SECOND, 10)
        assert (row.id, row.contact_id, row.attempts, inbox.message_of(connection, row.id)) == (
            failed,
            ids.contact,
            1,
            {"text": "a"},
        )


# --- outbox


def test_one_person_gets_messages_one_after_the_other(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        first = say(connection, ids.contact, "一")
        say(connection, ids.contact, "二")
        say(connection, ids.other_contact, "甲")
        assert texts(outbox.claim(connection, NOW, 10)) == ["一", "甲"]
        assert outbox.claim(connection, NOW, 10) == []
        outbox.settle(connection, first, OutboxState.ACCEPTED, now=NOW, channel="service")
        assert texts(outbox.claim(connection, NOW, 10)) == ["二"]


def test_an_alarm_waits_for_nobody(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        say(connection, ids.contact, "一")
        say(connection, ids.contact, "警", OutboxKind.ALARM)
        assert texts(outbox.claim(connection, NOW, 10)) == ["一", "警"]
        say(connection, ids.contact, "警二", OutboxKind.ALARM)
        assert texts(outbox.claim(connection, NOW, 10)) == ["警二"]


def test_what_is_for_later_holds_up_nothing(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        say(connection, ids.contact, "明早", OutboxKind.PROMPT, next_at=NOW + timedelta(hours=9))
        say(connection, ids.contact, "现在")
        assert texts(outbox.claim(connection, NOW, 10)) == ["现在"]


@pytest.mark.parametrize(("kind", "found"), [(OutboxKind.ALARM, "sending"), (OutboxKind.NOTICE, "queued")])
def test_a_row_whose_sender_died_is_claimed_again_after_its_lease_and_not_before(
    engine: Engine, ids: Ids, kind: OutboxKind, found: str
) -> None:
    with engine.begin() as connection:
        say(connection, ids.contact, "一", kind)
        outbox.claim(connection, NOW, 10)
        assert outbox.claim(connection, NOW + LEASE - SECOND, 10) == []
        [row] = outbox.claim(connection, NOW + LEASE, 10)
        assert (row.state, row.attempts) == (found, 1)


def test_a_notice_whose_request_was_begun_is_found_as_one_that_may_have_been_said(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        notice = say(connection, ids.contact, "一")
        outbox.claim(connection, NOW, 10)
        outbox.begin(connection, notice)
        [row] = outbox.claim(connection, NOW + LEASE, 10)
        assert row.state == OutboxState.SENDING


def test_a_row_that_was_put_back_for_the_morning_holds_up_nothing(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        first = say(connection, ids.contact, "一", OutboxKind.PROMPT)
        say(connection, ids.contact, "二")
        outbox.claim(connection, NOW, 10)
        assert outbox.claim(connection, NOW, 10) == []
        outbox.put_back(connection, first, NOW + timedelta(hours=9), None)
        assert texts(outbox.claim(connection, NOW, 10)) == ["二"]


@pytest.mark.postgres
def test_two_senders_never_claim_the_same_row_nor_two_rows_of_one_person(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)
    with postgres_engine.begin() as connection:
        for number in range(3):
            say(connection, ids.contact, f"王{number}")
            say(connection, ids.other_contact, f"李{number}")
    with postgres_engine.begin() as one, postgres_engine.begin() as other:
        assert texts(outbox.claim(one, NOW, 1)) == ["王0"]
        assert texts(outbox.claim(other, NOW, 10)) == ["李0"]


def test_a_passive_reply_is_handed_once_and_stays_readable_for_repeats(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        kept = inbox.claim(connection, inbox.key_of("a"), ids.contact, NOW, {})
        assert kept is not None
        reply = say(
            connection, ids.contact, "好", OutboxKind.REPLY, state=OutboxState.PASSIVE, inbox_id=kept,
            next_at=NOW + 20 * SECOND,
        )  # fmt: skip
        outbox.mark_handed(connection, [kept], NOW)
        stored = outbox.stored_reply(connection, kept)
        assert stored is not None
        assert (stored.id, stored.state, stored.content) == (reply, OutboxState.HANDED, {"text": "好"})
        assert outbox.claim(connection, NOW + 60 * SECOND, 10) == []
        assert outbox.stored_reply(connection, kept + 1) is None


def test_a_reply_that_was_never_handed_is_sent_after_its_patience(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        say(connection, ids.contact, "好", OutboxKind.REPLY, state=OutboxState.PASSIVE, next_at=NOW + 20 * SECOND)
        assert outbox.claim(connection, NOW + 19 * SECOND, 10) == []
        [row] = outbox.claim(connection, NOW + 20 * SECOND, 10)
        assert row.state == OutboxState.PASSIVE


def test_a_waiting_prompt_can_be_rewritten_and_a_sent_one_is_not_found(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        first = say(connection, ids.contact, "一件", OutboxKind.PROMPT)
        found = outbox.queued_prompt(connection, ids.contact)
        assert found is not None
        outbox.rewrite(connection, found.id, {"text": "两件"})
        assert texts(outbox.claim(connection, NOW, 10)) == ["两件"]
        assert outbox.queued_prompt(connection, ids.contact) is None
        outbox.settle(connection, first, OutboxState.ACCEPTED, now=NOW, job_id="job-1")
        reported = outbox.delivery_reported(connection, "job-1", OutboxState.DELIVERED, NOW)
        assert reported is not None
        assert (reported.id, reported.kind) == (first, OutboxKind.PROMPT)
        assert outbox.delivery_reported(connection, "job-1", OutboxState.DELIVERED, NOW) is None


def test_a_receipt_is_erased_after_its_day_but_not_while_it_has_still_to_be_said(engine: Engine, ids: Ids) -> None:
    day = timedelta(hours=24)
    with engine.begin() as connection:
        said = say(connection, ids.contact, "回执号 1234 5678 9012", erase_at=NOW + day)
        assert outbox.erase_due(connection, NOW + day) == 0
        outbox.settle(connection, said, OutboxState.ACCEPTED, now=NOW)
        assert outbox.erase_due(connection, NOW + day - SECOND) == 0
        assert outbox.erase_due(connection, NOW + day) == 1
        content = select(outbox.Outbox.content).where(outbox.Outbox.id == said)
        assert connection.execute(content).scalar() is None


# --- originals


def test_an_original_is_leased_to_one_fetcher_and_kept_once(engine: Engine, ids: Ids) -> None:  # noqa: ARG001 - a county
    with engine.begin() as connection:
        number = media.expect(connection, None, "image", "MEDIA-1", NOW)
        [row] = media.claim(connection, NOW, NOW + 60 * SECOND, 5)
        assert (row.id, row.platform_id, row.attempts) == (number, "MEDIA-1", 0)
        assert media.claim(connection, NOW + 59 * SECOND, NOW + 120 * SECOND, 5) == []
        [again] = media.claim(connection, NOW + 60 * SECOND, NOW + 120 * SECOND, 5)
        assert again.attempts == 1
        media.keep(connection, number, media.Original.of(b"first", "image/jpeg"), NOW)
        media.keep(connection, number, media.Original.of(b"second", "image/png"), NOW)
        assert media.claim(connection, NOW + timedelta(days=1), NOW + timedelta(days=2), 5) == []
        kept = connection.execute(select(Media.content, Media.sha256, Media.size)).one()
        assert tuple(kept) == (b"first", hashlib.sha256(b"first").hexdigest(), 5)


def test_an_original_that_the_platform_no_longer_has_is_lost_for_good(engine: Engine) -> None:
    with engine.begin() as connection:
        number = media.expect(connection, None, "voice", "MEDIA-1", NOW)
        assert media.give_up(connection, number, MediaState.LOST)
        assert not media.give_up(connection, number, MediaState.REFUSED)
        assert media.claim(connection, NOW + timedelta(days=1), NOW + timedelta(days=2), 5) == []
        assert connection.execute(select(Media.state)).scalar() == "lost"


# --- the talk


def test_a_contact_is_made_once_and_its_talk_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        talk = contacts.hear(connection, "o-new", NOW)
        assert talk.is_new
        talk.flow, talk.answers, talk.asked, talk.window_left = "reports", {"what": "有伤"}, "what", 5
        contacts.keep(connection, talk)
    with engine.begin() as connection:
        again = contacts.hear(connection, "o-new", NOW + SECOND)
    assert (again.contact_id, again.is_new) == (talk.contact_id, False)
    assert (again.flow, again.answers, again.asked, again.window_left) == ("reports", {"what": "有伤"}, "what", 5)


def test_first_words_heard_by_several_at_once_make_one_contact(engine: Engine) -> None:
    def hear() -> int:
        with engine.begin() as connection:
            return contacts.hear(connection, "o-new", NOW).contact_id

    with ThreadPoolExecutor(6) as threads:
        heard = {future.result() for future in [threads.submit(hear) for _ in range(6)]}
    assert len(heard) == 1


def test_after_it_was_erased_the_same_openid_is_a_new_contact(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        contacts.erase(connection, ids.contact, NOW)
        assert contacts.talk_with(connection, ids.contact, NOW) is None
        again = contacts.hear(connection, "o-wang", NOW)
        assert again.contact_id != ids.contact
        assert again.person_id is None
        assert again.is_new


def test_the_next_message_of_an_unreachable_contact_makes_it_reachable(engine: Engine, ids: Ids) -> None:
    since = select(contacts.Contact.unreachable_since).where(contacts.Contact.id == ids.contact)
    with engine.begin() as connection:
        contacts.unreachable(connection, ids.contact, NOW)
        contacts.unreachable(connection, ids.contact, NOW + SECOND)
        assert connection.execute(since).scalar() == NOW
        contacts.hear(connection, "o-wang", NOW + 2 * SECOND)
        assert connection.execute(since).scalar() is None


@pytest.mark.postgres
def test_two_who_write_to_each_other_at_once_do_not_wait_in_a_ring(postgres_engine: Engine) -> None:
    settle_county(postgres_engine)
    with postgres_engine.begin() as one, postgres_engine.begin() as other:
        for connection in (one, other):
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        wang, li = contacts.hear(one, "o-wang", NOW), contacts.hear(other, "o-li", NOW)
        say(one, li.contact_id, "给李")
        say(other, wang.contact_id, "给王")
