"""PostgreSQL's pipeline: a transaction's statements are sent without waiting for the answer to each.

A turn asks the database a dozen times and needs three or four of the answers. So a `Hot` goes past psycopg's cursors,
which cost more than the statement (docs/decisions/0023), to libpq itself: a statement is prepared once a connection,
put into libpq's buffer, and sent with the others when somebody wants an answer, at the latest at the commit. An error
of a statement that nobody waited for comes up then, so whoever runs a transaction in a pipeline must be able to run it
again without.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from select import POLLIN, POLLOUT, poll
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

PIPELINE = "tongban pipeline"
"""Key in `Connection.info`: the pipeline of a connection."""
_DONE = {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}
_SERVERS_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Answer:
    """What comes back of one statement, as far as a cursor of the driver's would have it; asking for it waits."""

    __slots__ = ("_pipeline", "_read", "_result", "text")

    def __init__(self, pipeline: "Pipeline", text: str, read: abc.Transformer | None) -> None:
        self._pipeline, self._read, self.text = pipeline, read, text
        self._result: Any = None

    def take(self, result: Any) -> None:  # noqa: ANN401 - libpq's
        """The result has come, and is no error."""
        self._result = result

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Every row."""
        result = self._wait()
        read = self._read
        assert read is not None  # noqa: S101 - only a command without rows has none
        read.set_pgresult(result, set_loaders=read.pgresult is None, format=Format.BINARY)
        return read.load_rows(0, result.ntuples, tuple)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row, or None."""
        rows = self.fetchall()
        return rows[0] if rows else None

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        return self._wait().command_tuples or 0

    def _wait(self) -> Any:  # noqa: ANN401 - libpq's
        if self._result is None:
            self._pipeline.wait()
        return self._result


class Pipeline:
    """The statements of one connection. Outside `pipelined` each is answered at once, as with the driver's cursors."""

    def __init__(self, driver: "psycopg.Connection[Any]") -> None:
        self._driver, self._libpq = driver, driver.pgconn
        self._ready = poll()
        self._ready.register(self._libpq.socket, POLLIN)
        self._prepared: dict[str, tuple[bytes, abc.Transformer]] = {}
        self._made = 0
        self._sent: deque[Answer] = deque()
        self._is_open = False
        self.is_patient = False
        """Whether answers are waited for only when somebody asks."""
        self._error: psycopg.Error | None = None
        """Of a statement that perhaps nobody waited for: nothing of this transaction may be kept."""

    def execute(self, text: str, values: Sequence[Any] = ()) -> Answer:
        """Send a statement, whose parameters are `$1` and so on."""
        if self._error is not None:
            raise self._error
        if not self._is_open:
            self._open()
        name, read = self._prepared.get(text) or self._prepare(text)
        sent = [_SENT_AS[type(value)](value) for value in values]
        formats = [Format.BINARY if type(value) in _BINARY else Format.TEXT for value in values]
        self._libpq.send_query_prepared(name, sent, formats, Format.BINARY)
        answer = Answer(self, text, read)
        self._sent.append(answer)
        if not self.is_patient:
            self.leave()
        return answer

    def executemany(self, text: str, several: Iterable[Sequence[Any]]) -> None:
        """Send a statement once for each of these."""
        for values in several:
            self.execute(text, values)

    def wait(self) -> None:
        """Wait for the answers to everything that was sent; the first error of them is raised."""
        if not self._sent:
            return
        error = None
        try:
            self._libpq.pipeline_sync()
            self._flush()
            while self._sent:
                answer, result = self._sent.popleft(), self._next()
                if result.status in _DONE:
                    answer.take(result)
                else:
                    self._prepared.pop(answer.text, None)  # perhaps it was not even prepared
                    error = error or self._fault(result)
                self._next()  # the end of this one
            self._next()  # the end of all
        except BaseException:
            self._driver.close()  # what comes next on it would be the answer to something else
            self._sent.clear()
            raise
        if error is not None:
            self._error = error if self.is_patient else None
            raise error

    def commit(self) -> None:
        """Commit what was sent: the only wait of a transaction that asked for nothing."""
        if not self._is_open:
            return  # the driver ends what it knows of
        answer = self.execute("COMMIT")
        self.leave()
        if answer.rowcount or self._libpq.transaction_status != TransactionStatus.IDLE:
            raise psycopg.OperationalError("the transaction did not end")

    def leave(self) -> None:
        """Wait for everything, and let the driver have its connection."""
        if not self._is_open:
            return
        try:
            if self._error is not None:
                raise self._error
            self.wait()
        finally:
            self._is_open = False
            if self._libpq.status == ConnStatus.OK:
                self._libpq.exit_pipeline_mode()

    def end(self) -> None:
        """The transaction is over, however it ended: what went wrong in it is not the next one's matter."""
        self.is_patient, self._error = False, None

    def abandon(self) -> None:
        """The same, whatever became of it: the transaction is rolled back."""
        with suppress(psycopg.Error):
            self.leave()
        self._error = None

    def _open(self) -> None:
        self._libpq.enter_pipeline_mode()
        self._is_open = True
        if self._libpq.transaction_status == TransactionStatus.IDLE and not self._driver.autocommit:
            self._libpq.send_query_params(b"BEGIN", None)
            self._sent.append(Answer(self, "BEGIN", None))

    def _prepare(self, text: str) -> tuple[bytes, abc.Transformer]:
        self._made += 1
        made = self._prepared[text] = b"tongban_%d" % self._made, Transformer(self._driver)
        self._libpq.send_prepare(made[0], text.encode())
        self._sent.append(Answer(self, text, None))
        return made

    def _flush(self) -> None:
        while self._libpq.flush():
            self._ready.modify(self._libpq.socket, POLLIN | POLLOUT)
            self._ready.poll()
            self._ready.modify(self._libpq.socket, POLLIN)
            self._libpq.consume_input()  # else each side may wait until the other reads

    def _next(self) -> Any:  # noqa: ANN401 - libpq's result, None at the end of each statement's
        while self._libpq.is_busy():
            self._ready.poll()
            self._libpq.consume_input()
        return self._libpq.get_result()

    def _fault(self, result: Any) -> psycopg.Error:  # noqa: ANN401 - libpq's
        error = error_from_result(result, encoding="utf-8")
        if self._libpq.status != ConnStatus.OK:
            raise error
        return error


def pipeline_of(connection: Connection) -> Pipeline:
    """The pipeline of a connection."""
    info = connection.info
    found: Pipeline | None = info.get(PIPELINE)
    if found is None:
        found = info[PIPELINE] = Pipeline(connection.connection.dbapi_connection)  # type: ignore[arg-type]  # psycopg's own
    return found


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Wait for nothing but answers and the end; the transaction has to begin and end inside."""
    pipeline = pipeline_of(connection)
    pipeline.is_patient = True
    try:
        yield
    finally:
        pipeline.end()


def leave_for_others(engine: Engine) -> None:
    """SQLAlchemy's own statements and the end of a transaction go the driver's way; ours come first."""
    event.listen(engine, "before_cursor_execute", lambda connection, *_: _at(connection, Pipeline.leave))
    event.listen(engine, "commit", lambda connection: _at(connection, Pipeline.commit))
    event.listen(engine, "rollback", lambda connection: _at(connection, Pipeline.abandon))


def _at(connection: Connection, act: Callable[[Pipeline], None]) -> None:
    if connection.invalidated:
        return
    pipeline = connection.info.get(PIPELINE)
    if pipeline is not None:
        try:
            act(pipeline)
        except psycopg.Error as error:  # perhaps of a statement that nobody waited for
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


def _moment(value: datetime) -> bytes:
    return ((value - _SERVERS_EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def _number(value: int) -> bytes:
    return b"%d" % value


class _SentAs(dict[type, Callable[[Any], bytes | None]]):
    """How each type of value is sent; a type of ours (an enumeration) goes as the one that it is made of."""

    def __missing__(self, kind: type) -> Callable[[Any], bytes | None]:
        base = next((known for known in kind.__mro__ if known in self), None)
        if base is None:
            raise psycopg.ProgrammingError(f"nobody sends a {kind.__name__} in a hot statement")
        if base in _BINARY:
            _BINARY.add(kind)
        self[kind] = self[base]
        return self[base]


_BINARY: set[type] = {str, bytes, psycopg.Binary, datetime}
"""Sent as the server keeps them: the type is clear from the statement, where each of these is cast or a column's."""
_SENT_AS = _SentAs({
    type(None): lambda _value: None,
    bool: lambda value: b"t" if value else b"f",
    int: _number,
    str: str.encode,
    bytes: bytes,
    psycopg.Binary: lambda value: bytes(value.obj),
    datetime: _moment,
    date: lambda value: value.isoformat().encode(),
    float: lambda value: repr(value).encode(),
})  # fmt: skip
