"""What is on the disk without the key."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from storage import contacts, county, inbox, media, migrate, outbox, reporters, reports, sealing
from storage.areas import AreaLevel, add_area
from storage.children import Child
from storage.database import connect
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person, phone_index
from storage.tables import METADATA
from tests.storage.conftest import NOW, Ids

SECRETS = (
    "张小雨", "13812345678", "o-teacher-openid", "孩子身上有伤，不敢回家", "510725201001010011", "青禾县三组十二号",
    "她爸爸喝了酒", "爷爷张大山", "回执号123456789012", "MEDIA-ID-OF-THE-PLATFORM", "FFD8-original-bytes-of-a-photo",
)  # fmt: skip
(NAME, PHONE, OPENID, WORDS, ID_NUMBER, ADDRESS, ANSWER, GUARDIAN, RECEIPT, MEDIA_ID, PHOTO) = SECRETS


def fill(engine: Engine, ids: Ids) -> None:
    """Put every secret where it belongs."""
    with engine.begin() as connection, Session(connection, join_transaction_mode="create_savepoint") as session:
        talk = contacts.hear(connection, OPENID, NOW)
        talk.flow, talk.answers = "reports", {"what": ANSWER}
        contacts.keep(connection, talk)
        raw = {"raw": f"<xml><Content>{WORDS}</Content></xml>", "openid": OPENID}
        kept = inbox.claim(connection, inbox.key_of(OPENID + "1"), talk.contact_id, NOW, raw)
        outbox.add(
            connection, contact_id=talk.contact_id, kind=OutboxKind.REPLY, state=OutboxState.PASSIVE,
            content={"text": RECEIPT}, now=NOW, next_at=None, inbox_id=kept,
        )  # fmt: skip
        report = reports.open_report(
            connection, area_id=ids.county, now=NOW, kind="danger", urgency="immediate_danger", suggested="4",
            answers={"what": ANSWER}, policy_version=1,
        )  # fmt: skip
        photo = media.expect(connection, report, "image", MEDIA_ID, NOW)
        media.keep(connection, photo, media.Original.of(PHOTO.encode(), "image/jpeg"), NOW)
        reports.append(connection, report, NOW, "text", text=WORDS, media_id=photo)
        reporters.add(connection, report, talk.contact_id, "citizen", None, NOW)
        session.add(Person(name=NAME, phone=PHONE, phone_index=phone_index(PHONE), joined_at=NOW))
        session.add(
            Child(
                number="C00001", name=NAME, name_index=sealing.ring().index("name", NAME), sex="female",
                id_number=ID_NUMBER, id_number_index=sealing.ring().index("id_number", ID_NUMBER), area_id=ids.county,
                address=ADDRESS, guardian=GUARDIAN, guardian_phone=PHONE, level_since=NOW, on_file_since=NOW,
            )
        )  # fmt: skip
        session.commit()
        county.set_fact(connection, "marker", "in-clear-marker")


def spellings(secret: str) -> Iterator[bytes]:
    """How a secret could stand in a file."""
    yield secret.encode()
    yield secret.encode("utf-16-le")
    yield secret.encode("unicode_escape")
    yield secret.encode().hex().encode()


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "county.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


def test_no_secret_is_in_the_database_file_its_wal_or_its_shm(sqlite_file: Path) -> None:
    engine = connect(f"sqlite:///{sqlite_file}")
    with engine.begin() as connection, Session(connection, join_transaction_mode="create_savepoint") as session:
        county_id = add_area(session, AreaLevel.COUNTY, "青禾县").id
        session.commit()
    fill(engine, Ids(county_id, 0, 0, 0, 0))
    files = {path.name: path.read_bytes() for path in sqlite_file.parent.glob("county.db*")}
    assert set(files) == {"county.db", "county.db-wal", "county.db-shm"}
    everything = b"".join(files.values())
    assert b"in-clear-marker" in everything, "the search must be able to find something"
    found = [secret for secret in SECRETS for spelling in spellings(secret) if spelling in everything]
    engine.dispose()
    assert found == []


def test_no_secret_is_in_any_column_as_the_database_gives_it(engine: Engine, ids: Ids) -> None:
    fill(engine, ids)
    with engine.begin() as connection:
        everything = b"\n".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for table in METADATA.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))  # noqa: S608 - our own tables
            for value in row
        )
    assert b"in-clear-marker" in everything
    assert [secret for secret in SECRETS for spelling in spellings(secret) if spelling in everything] == []


def test_with_the_key_everything_is_there_again(engine: Engine, ids: Ids) -> None:
    fill(engine, ids)
    with Session(engine) as session:
        child = session.query(Child).one()
        assert (child.name, child.id_number, child.address, child.guardian) == (NAME, ID_NUMBER, ADDRESS, GUARDIAN)
        assert [entry.text for entry in reports.entries_of(session, 1)] == [WORDS]


def test_a_naive_datetime_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="a naive datetime cannot be kept"), engine.begin() as connection:
        county.policy_version(connection, "{}", datetime(2026, 11, 24))  # noqa: DTZ001 - that is the point


def test_a_moment_comes_back_aware_and_equal_whatever_its_zone(engine: Engine) -> None:
    moment = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=ZoneInfo("Asia/Shanghai"))
    with engine.begin() as connection:
        county.policy_version(connection, "{}", moment)
    with Session(engine) as session:
        since = session.query(county.PolicyVersion).one().since
    assert since == moment
    assert since.utcoffset() is not None
    assert str(since) == "2026-11-24 01:00:00.123456+00:00"
