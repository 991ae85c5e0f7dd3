"""How soon PostgreSQL gives up on a process that froze, or whose machine is gone."""

import pytest
from sqlalchemy import text

from storage.database import connect
from tests.support.databases import PostgresDatabases


@pytest.mark.postgres
def test_the_server_frees_the_locks_of_a_frozen_process_within_a_minute(postgres: PostgresDatabases) -> None:
    engine = connect(postgres.fresh())
    with engine.connect() as connection:
        assert connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar() == "1min"
    engine.dispose()
