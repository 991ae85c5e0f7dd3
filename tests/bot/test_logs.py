"""What is written to the log, and what never is."""

import io
import json
import logging
from collections.abc import Callable

import pytest
import structlog

from bot import logs, metrics

Log = Callable[[str, str], io.StringIO]


@pytest.fixture
def stream(log: Log) -> io.StringIO:
    return log("info", "json")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_holds_its_event_its_ids_and_its_figures(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    log.info("turn_failed", inbox=12, attempts=1, parked=False, error="ValueError at handlers/visits.py:4", code=None)
    log.debug("too_quiet")
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "turn_failed",
        "level": "info",
        "inbox": 12,
        "attempts": 1,
        "parked": False,
        "error": "ValueError at handlers/visits.py:4",
        "code": None,
    }


@pytest.mark.parametrize("key", ["openid", "text", "phone", "token", "body", "name"])
def test_personal_keys_are_dropped(stream: io.StringIO, key: str) -> None:
    structlog.get_logger().info("event", case=3, **{key: "harmless"})
    assert key not in lines(stream)[0]
    assert lines(stream)[0]["case"] == 3


@pytest.mark.parametrize(
    "value",
    [
        "王小明",
        "call 13812345678",
        "51022319900101123X",
        "oAbCdEfGhIjKlMnOpQrStUvWxYz1",
        "1234 5678 9012",
        "access_token=abc",
        "x" * 300,
    ],
)
def test_values_that_look_personal_are_withheld_under_any_key(stream: io.StringIO, value: str) -> None:
    log = structlog.get_logger()
    log.info("event", about=value, many=[value], table={"a": value}, raw_bytes=value.encode())
    log.info(value)
    assert value not in stream.getvalue()
    assert value not in stream.getvalue().encode().decode("unicode_escape")
    assert lines(stream)[0]["about"] == logs.WITHHELD


def test_an_exception_is_told_by_its_kind_and_place_only(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int("王小明")
    error = raised.value
    structlog.get_logger().error("failed", exc_info=error)
    structlog.get_logger().error("failed", error=error)
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %r", error, exc_info=error)
    logging.getLogger("asyncio").error(f"first line\nfuture: {error!r}", exc_info=error)  # noqa: G004 - asyncio does
    assert logs.place(error).startswith("ValueError at tests/bot/test_logs.py:")
    found = lines(stream)
    assert len(found) == 4
    for line in found:
        assert str(line["error"]).startswith("ValueError at tests/bot/test_logs.py:")
    assert found[2]["event"] == "Task exception was never retrieved"
    assert found[2]["logger"] == "asyncio"
    assert "future" not in stream.getvalue()
    assert "\\u738b" not in stream.getvalue()
    assert logs.place(ValueError("never raised")) == "ValueError"


def test_libraries_are_heard_but_not_with_their_values(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.access").info("GET /m/case/1?code=abc")
    logging.getLogger("library").warning("could not send to %s", "oSomebody")
    logging.getLogger("library").warning("")
    assert [line["event"] for line in lines(stream)] == ["could not send to %s", ""]


def test_text_is_for_people_and_keeps_the_same_secrets(log: Log) -> None:
    stream = log("warning", "text")
    structlog.get_logger().warning("push_rejected", reason="signature", openid="o1", who="王")
    assert "push_rejected" in stream.getvalue()
    assert "signature" in stream.getvalue()
    assert "o1" not in stream.getvalue()
    assert "王" not in stream.getvalue()


def test_metrics_have_no_label_about_a_person() -> None:
    allowed = {"reason", "kind", "loop", "channel", "state", "outcome", "call", "le"}
    metrics.sends.labels("custom", "accepted").inc()
    metrics.due_lag_seconds.observe(3)
    labels = {name for family in metrics.registry.collect() for sample in family.samples for name in sample.labels}
    assert labels <= allowed
    shown = metrics.render().decode()
    assert 'tongban_sends_total{channel="custom",state="accepted"}' in shown
    assert "tongban_due_lag_seconds_bucket" in shown
