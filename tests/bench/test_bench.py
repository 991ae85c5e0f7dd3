"""The tools that measure are tested themselves: a wrong measure is worse than none."""

import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import create_engine
from wechatpy.crypto import WeChatCrypto
from wechatpy.parser import parse_message

from handlers.workdays import at, local_day
from storage.children import Child
from storage.database import connect
from storage.tasks import Task, TaskTold
from tests.bench import account, dialogues, digest, filled, outbox, pushes, sweep, years
from tests.bench.__main__ import BEGIN, END, paste
from tests.bench.county import POLICY, County
from tests.bench.figures import Findings, table
from tests.bench.load import Generator, Load, built, sampled
from tests.bench.postgres import Postgres
from tests.bench.process import ROOT, SERVER_CORES, Server, serving, together
from tests.bench.rounds import missing
from tests.bench.servers import core_loop
from tests.bench.statements import DIALOGUES as TURNS
from tests.bench.statements import count
from tests.bench.targets import Bench, accepting_platform
from tests.support.databases import SqliteDatabases
from tests.support.waiting import free_port

DIALOGUES = 40


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "messages"
    pushes.write(path, ((number, dialogues.texts(number)) for number in range(DIALOGUES)))
    return path


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.bench.servers.floor"]
    port = free_port()
    with serving(command, tmp_path / "log", port=port, cwd=ROOT, cores=SERVER_CORES, environ={}) as server:
        yield server


def test_wechatpy_reads_the_messages_that_are_sent(messages: Path) -> None:
    kept = messages.read_bytes()
    _, length = struct.unpack_from("<II", kept)
    head, _, body = kept[8 : 8 + length].decode().partition("\r\n\r\n")
    query = dict(re.findall(r"[?&](\w+)=([^& ]+)", head))
    crypto = WeChatCrypto(account.TOKEN, account.AES_KEY, account.APP_ID)
    xml = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
    message = parse_message(xml)
    assert (message.source, message.content) == (pushes.openid(0), dialogues.texts(0)[0])


@pytest.mark.parametrize("kind", ["C", "Python"])
@pytest.mark.parametrize("rate", [0.0, 400.0])
def test_both_generators_walk_every_dialogue_in_order_and_see_every_answer(
    kind: str, rate: float, messages: Path, floor: Server, tmp_path: Path
) -> None:
    generator = built(tmp_path)
    if kind == "Python":
        generator = Generator((sys.executable, "-m", "tests.bench.slow_load"), "Python")
    sample = tmp_path / "sample"
    load = generator.run(floor.port, messages, range(DIALOGUES), lanes=8, seconds=20, rate=rate, sample=sample, every=4)
    expected = [len(dialogues.texts(number)) for number in range(DIALOGUES)]
    assert (load.good, load.faults, load.complete) == (sum(expected), 0, DIALOGUES)
    assert 0 < load.p50_us <= load.p99_us <= load.max_us
    if rate:
        assert load.per_second < rate * 1.15  # never faster than was asked for, however slow this machine is today
    said: dict[int, list[str]] = {}
    for number, turn, body in sampled(sample):
        user, text = pushes.opened(body)
        assert (user, turn) == (pushes.openid(number), len(said.setdefault(number, [])))
        said[number].append(text)
    assert said == {number: dialogues.texts(number) for number in range(0, DIALOGUES, 4)}


@pytest.mark.parametrize("kind", ["C", "Python"])
def test_a_burst_is_the_first_message_of_each_and_no_whole_dialogue(
    kind: str, messages: Path, floor: Server, tmp_path: Path
) -> None:
    generator = built(tmp_path) if kind == "C" else Generator((sys.executable, "-m", "tests.bench.slow_load"), "Python")
    load = generator.run(floor.port, messages, range(DIALOGUES), lanes=DIALOGUES, seconds=20, most=1)
    assert (load.answers, load.good, load.dialogues, load.complete) == (DIALOGUES, DIALOGUES, DIALOGUES, 0)


def test_an_answer_that_is_no_reply_is_a_fault(messages: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.servers.platform"]
    with serving(command, tmp_path / "log", port=port, cwd=ROOT, cores=SERVER_CORES, environ={}):
        load = built(tmp_path).run(port, messages, range(4), lanes=2, seconds=5)
    assert (load.good, load.bad) == (0, sum(len(dialogues.texts(number)) for number in range(4)))


def test_a_figure_is_judged_by_the_median_of_its_rounds_ratios() -> None:
    found = Findings()
    found.ratio("sqlite.16.per_second.werobot", "messages/s", [100.0, 50.0, 300.0], [50.0, 100.0, None])
    figure = found.figures["sqlite.16.per_second.werobot"]
    assert (figure.peer, figure.ratio, figure.least, figure.most, figure.rounds) == (75.0, 1.25, 0.5, 2.0, 2)
    assert (figure.met, figure.surpassed) == (True, False)
    found.plain("sqlite.200s.max", "ms", 501.0)
    assert found.figures["sqlite.200s.max"].met is False
    assert "Met: 1 of 2. Missed: sqlite.200s.max." in table(found.figures)


def _load(**values: float) -> Load:
    names = [field.name for field in fields(Load)]
    return Load(**(dict.fromkeys(names, 0) | values))  # type: ignore[arg-type]  # numbers all


def test_a_lost_and_a_doubled_message_are_both_seen(tmp_path: Path) -> None:
    databases = SqliteDatabases(tmp_path)
    url = databases.copy(County(tmp_path).found)
    assert list(missing(url, [_load()])) == []
    assert len(list(missing(url, [_load(good=3, complete=1)]))) == 2
    count(url)
    walked = [dialogues.texts(number) for number in range(TURNS)]
    told = _load(good=sum(map(len, walked)), complete=TURNS)
    assert list(missing(url, [told])) == []
    assert list(missing(url, [_load(good=told.good - 1, complete=TURNS)])) != []
    assert list(missing(url, [_load(good=told.good - 1, complete=TURNS, broken=1)])) == []


@pytest.mark.slow
def test_a_sweep_asks_for_every_visit_that_is_due_once_and_the_bench_would_see_two(tmp_path: Path) -> None:
    databases, county = SqliteDatabases(tmp_path), County(tmp_path)
    url = databases.copy(county.found)
    staff = filled.found(url)
    with filled.quickly(url, Child, Task) as connection:
        filled.add_children(connection, staff, 400, 40, datetime.now(UTC))
    with create_engine(url).connect() as connection:
        due = filled.count(connection, Task, Task.next_at <= datetime.now(UTC))
    command = [sys.executable, "-m", "tests.bench.servers.sweeper", url, str(county.keys), "60"]
    assert 20 < due < 60
    assert [one["done"] for one in together([command], SERVER_CORES)] == [due]
    assert sweep.doubled(url) == 0
    with create_engine(url).begin() as connection:
        connection.execute(TaskTold.__table__.delete().where(TaskTold.id == 1))
    assert sweep.doubled(url) == 1


def test_the_bare_loop_comes_to_its_end_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    url = SqliteDatabases(tmp_path).fresh()
    core_loop.build(url, 2000, 700)
    command = [sys.executable, "-m", "tests.bench.servers.core_loop", url]
    first, second = (together([command], SERVER_CORES)[0]["done"] for _ in range(2))
    assert 500 < first == second < 900


@pytest.mark.slow
def test_the_digest_of_ten_years_is_counted_again_from_every_row(tmp_path: Path) -> None:
    databases, county = SqliteDatabases(tmp_path), County(tmp_path)
    url = databases.copy(county.found)
    staff, now = filled.found(url), at(local_day(datetime.now(UTC)), POLICY.digest_at) + timedelta(minutes=1)
    with filled.quickly(url, *years.ROWS) as connection:
        years.fill(connection, staff, 4000, 20_000, now - timedelta(hours=3))
    with connect(url).begin() as connection:
        counted, span = digest.made(connection, now)
        empty = {code for code, one in counted.items() if not one.count}
        assert empty <= {"immediate_danger"}
        assert digest.differences(connection, counted, span) == []
        connection.exec_driver_sql("UPDATE child SET off_file_at = NULL WHERE id = 1")
        connection.exec_driver_sql("DELETE FROM task WHERE kind = 'alarm' AND state = 'open'")
        told = digest.differences(connection, counted, span)
    assert {one.partition(" ")[0] for one in told} >= {"children_on_file", "unclaimed_alarms"}


@pytest.mark.slow
def test_what_waits_in_the_outbox_is_drained_and_recorded(tmp_path: Path) -> None:
    databases, postgres = SqliteDatabases(tmp_path), cast("Postgres", None)  # SQLite is what is drained
    with accepting_platform(tmp_path) as platform:
        bench = Bench(tmp_path, Path(), County(tmp_path), databases, postgres, platform, built(tmp_path))
        found = Findings()
        assert outbox.drained(bench, "sqlite", 60, platform, found) > 0
    assert found.wrong == []


def test_the_tables_of_a_run_take_the_place_of_those_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n\nold\n\n{END}\nafter\n", "utf-8")
    for told in ("| new |\n", "| newer |\n"):
        paste(page, told)
    assert page.read_text("utf-8") == f"before\n{BEGIN}\n\n| newer |\n\n{END}\nafter\n"
    assert (ROOT / "docs" / "performance.md").read_text("utf-8").count(END) == 1
