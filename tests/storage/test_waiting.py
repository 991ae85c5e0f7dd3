"""The one look for what is due: it finds every kind of work, and nothing that is for later."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine

from storage import inbox, media, outbox, renditions, tasks, waiting
from storage.outbox import OutboxKind, OutboxState
from tests.storage.conftest import NOW, Ids

KINDS = ("kept", "due", "alarms", "send", "media", "renditions")


def keep(connection: Connection, ids: Ids, at: datetime) -> None:
    assert inbox.claim(connection, b"k", ids.contact, NOW, {"kind": "text"}, inbox.InboxState.WAITING, at)


def open_task(connection: Connection, ids: Ids, at: datetime) -> None:
    tasks.open_task(
        connection, key="k", kind="alarm", subject="report", subject_id=1, area_id=ids.county, now=NOW, due_at=at,
        next_at=at,
    )  # fmt: skip


def queue(kind: OutboxKind) -> Callable[[Connection, Ids, datetime], None]:
    def put(connection: Connection, ids: Ids, at: datetime) -> None:
        outbox.add(
            connection, contact_id=ids.contact, kind=kind, state=OutboxState.QUEUED, content={"text": "x"}, now=NOW,
            next_at=at,
        )  # fmt: skip

    return put


def expect(connection: Connection, _ids: Ids, at: datetime) -> None:
    media.expect(connection, None, "image", "m", at)


def expect_rendition(connection: Connection, _ids: Ids, at: datetime) -> None:
    number = media.expect(connection, None, "image", "m", NOW)
    media.claim(connection, NOW, NOW + timedelta(days=1), 10)
    renditions.expect(connection, number, at)


WORK = dict(
    zip(
        KINDS,
        (keep, open_task, queue(OutboxKind.ALARM), queue(OutboxKind.PROMPT), expect, expect_rendition),
        strict=True,
    )
)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_work_is_found_when_it_is_due_and_no_other(engine: Engine, ids: Ids, kind: str) -> None:
    with engine.begin() as connection:
        assert waiting.due(connection, NOW) == dict.fromkeys(KINDS, False)
        WORK[kind](connection, ids, NOW + timedelta(seconds=20))
        assert waiting.due(connection, NOW) == dict.fromkeys(KINDS, False)
        assert waiting.due(connection, NOW + timedelta(seconds=20)) == dict.fromkeys(KINDS, False) | {kind: True}
