"""Statements of the hot path are as SQLAlchemy runs them: the same rows, types, transactions and errors."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage.contacts import Contact
from storage.inbox import Inbox
from storage.pipelines import pipelined
from storage.statements import Hot, command
from tests.storage.conftest import NOW, Ids, settle_county

_I: Any = Inbox.__table__
_C: Any = Contact.__table__
NEW = Hot(insert(_I).returning(_I.c.id))
ONE = Hot(select(_I).where(_I.c.id == bindparam("id")))
STATES = Hot(select(_I.c.id, _I.c.state).where(_I.c.state.in_(["done", "failed"])).order_by(_I.c.id))
PARK = Hot(update(_I).where(_I.c.state == bindparam("was")).values(state="parked", attempts=_I.c.attempts + 1))


def row(ids: Ids, key: bytes, state: str = "done") -> dict[str, Any]:
    return {
        "key": key, "contact_id": ids.contact, "received_at": NOW, "message": {"text": "孩子"}, "state": state,
        "next_at": None, "error": None,
    }  # fmt: skip


def test_a_row_comes_back_as_it_was_and_as_sqlalchemy_reads_it(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        number = NEW.scalar(connection, row(ids, b"1"))
        found = ONE.first(connection, {"id": number})
        assert found is not None
        assert (found.message, found.received_at, found.attempts) == ({"text": "孩子"}, NOW, 0)
        assert tuple(found) == tuple(connection.execute(select(_I).where(_I.c.id == number)).one())
        assert ONE.first(connection, {"id": number + 1}) is None
        assert ONE.scalar(connection, {"id": number + 1}) is None


def test_lists_in_the_statement_and_counts_of_rows(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        NEW.write_all(connection, [row(ids, b"1"), row(ids, b"2", "failed"), row(ids, b"3", "waiting")])
        assert [one.state for one in STATES.all(connection, {})] == ["done", "failed"]
        assert PARK.write(connection, {"was": "failed"}) == 1
        assert PARK.write(connection, {"was": "failed"}) == 0
        assert [one.state for one in STATES.all(connection, {})] == ["done"]


def test_what_the_database_refuses_is_sqlalchemys_error_and_tells_no_value(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        NEW.scalar(connection, row(ids, b"1"))
        command(connection, "SAVEPOINT once")
        with pytest.raises(IntegrityError) as refused:
            NEW.scalar(connection, row(ids, b"1"))
        assert "孩子" not in str(refused.value)
        command(connection, "ROLLBACK TO once")
        with pytest.raises(DBAPIError):
            command(connection, "RELEASE never")


def test_it_runs_inside_a_transaction_that_can_be_rolled_back(engine: Engine, ids: Ids) -> None:
    with engine.connect() as connection:
        NEW.scalar(connection, row(ids, b"1"))
        connection.rollback()
        assert STATES.all(connection, {}) == []


def test_a_cut_connection_is_known_to_be_gone(postgres_engine: Engine) -> None:
    with postgres_engine.connect() as connection, postgres_engine.begin() as other:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        other.execute(text("SELECT pg_terminate_backend(:one)"), {"one": backend})
        with pytest.raises(DBAPIError) as cut:
            STATES.all(connection, {})
        assert cut.value.connection_invalidated
        connection.rollback()
        assert STATES.all(connection, {}) == []


def test_a_list_of_changing_length_and_an_unfilled_default_are_refused(engine: Engine) -> None:
    some = Hot(select(_I.c.id).where(_I.c.id.in_(bindparam("ids", expanding=True))))
    with engine.begin() as connection, pytest.raises(TypeError, match="changing length"):
        some.all(connection, {"ids": [1]})


def test_in_a_pipeline_nothing_is_waited_for_but_answers_and_the_end(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)
    with postgres_engine.connect() as connection:
        with pipelined(connection), connection.begin():
            NEW.do(connection, row(ids, b"1"))
            NEW.do(connection, row(ids, b"2", "failed"))
            assert PARK.write(connection, {"was": "failed"}) == 1
            assert [one.state for one in STATES.all(connection, {})] == ["done"]
            NEW.do(connection, row(ids, b"3"))
            assert connection.execute(select(func.count()).select_from(_I)).scalar() == 3  # SQLAlchemy's own
            NEW.do(connection, row(ids, b"4"))
        assert len(STATES.all(connection, {})) == 3


def test_what_fails_in_a_pipeline_is_known_at_the_latest_at_the_commit(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)

    def twice(connection: Connection) -> None:
        NEW.do(connection, row(ids, b"1"))
        NEW.do(connection, row(ids, b"1"))

    def twice_and_sqlalchemys_own(connection: Connection) -> None:
        twice(connection)
        connection.execute(select(_I.c.id))

    for act in (twice, twice_and_sqlalchemys_own):
        with (
            postgres_engine.connect() as connection,
            pytest.raises(DBAPIError),
            pipelined(connection),
            connection.begin(),
        ):
            act(connection)
        with postgres_engine.connect() as connection:  # the same one: the pool's
            assert STATES.all(connection, {}) == []
