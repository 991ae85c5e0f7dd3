"""PostgreSQL's pipeline: a transaction's statements are sent without waiting for the answer to each.

A turn asks the database a dozen times and needs three or four of the answers; every wait costs a tenth of a millisecond
and the thread (docs/performance.md). An error of a statement that nobody waited for comes up at the next wait, at the
latest at the commit, so whoever runs the transaction must be able to run it again without a pipeline.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

_OPEN = "tongban pipeline"
"""Key in `Connection.info`: the pipeline that is open on a connection, and what ends it."""


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send the statements of a `Hot` in a pipeline; the transaction has to begin and end inside."""
    info = connection.info
    manager = connection.connection.dbapi_connection.pipeline()  # type: ignore[union-attr]  # psycopg's own
    info[_OPEN] = manager, manager.__enter__()
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # the commit was answered, or the body's own error says more
            _close(info)


def wait(connection: Connection) -> None:
    """Wait for the answers to everything that was sent."""
    _, pipeline = connection.info.get(_OPEN, (None, None))
    if pipeline is not None:
        pipeline.sync()


def leave_for_others(engine: Engine) -> None:
    """SQLAlchemy reads every answer at once, so its own statements end the pipeline first."""
    event.listen(engine, "before_cursor_execute", _leave)


def _leave(connection: Connection, *_: object) -> None:
    try:
        _close(connection.info)
    except psycopg.Error as error:  # of a statement that nobody waited for
        raise wrapped(connection, "", error) from error


def wrapped(connection: Connection, text: str, error: Any) -> BaseException:  # noqa: ANN401 - the driver's own error
    """The error as SQLAlchemy raises it, without the values; a connection that is gone is given up."""
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if is_gone:
        connection.invalidate(error)
    errors = dialect.loaded_dbapi.Error
    as_raised: BaseException = DBAPIError.instance(
        text, None, error, errors, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
    )
    return as_raised


def _close(info: dict[Any, Any]) -> None:
    manager, _ = info.pop(_OPEN, (None, None))
    if manager is not None:
        manager.__exit__(None, None, None)
