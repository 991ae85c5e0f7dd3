"""Draining the outbox: the running bot, every result recorded, beside wechatpy's own client on the same platform."""

import sys
from datetime import UTC, datetime
from time import monotonic

from click import echo
from sqlalchemy import func, insert, select, update

from bot.planning import BATCH
from storage.contacts import Contact, openid_index
from storage.database import connect
from storage.outbox import Outbox, OutboxKind, OutboxState
from tests.bench.figures import Findings
from tests.bench.process import SERVER_CORES, pause, together
from tests.bench.scale import Scale
from tests.bench.targets import Bench, Name, accepting_platform

LATENCY = 0.05
"""Seconds that the slow platform takes for an answer: such a call over the Internet."""
NO_LIMIT = 1_000_000
"""Sends per second: the county's own limit must not be what is measured."""
PATIENCE = 180.0
"""Seconds."""
_CONTENT = {
    "text": "您有3件事要办。",
    "card": {"purpose": "task", "values": {"what": "您有3件事要办", "count": "3"}, "path": "/m/tasks"},
}


def measure(bench: Bench, scale: Scale) -> Findings:
    """Sends per second on a platform that answers at once, and on one that takes 50 ms."""
    found = Findings()
    own: dict[Name, list[float]] = {bot: [] for bot in scale.bots}
    slow: dict[Name, list[float]] = {bot: [] for bot in scale.bots}
    peer: list[float] = []
    with accepting_platform(bench.folder, LATENCY) as slow_platform:
        for _ in range(scale.few_rounds):
            peer.append(_wechatpy(bench.platform, scale.sends))
            for bot in scale.bots:
                own[bot].append(drained(bench, bot, scale.sends, bench.platform, found))
                slow[bot].append(drained(bench, bot, scale.sends, slow_platform, found))
                echo(f"  {bot}: {own[bot][-1]:,.0f}/s, {slow[bot][-1]:,.0f}/s with 50 ms; wechatpy {peer[-1]:,.0f}/s")
    note = f"{scale.sends:,} template messages, each result recorded in a transaction of its own or of several"
    for bot in scale.bots:
        found.ratio(f"{bot}.outbox.per_second.wechatpy", "sends/s", own[bot], peer, note)
        ideal = [BATCH / LATENCY] * scale.few_rounds
        found.ratio(f"{bot}.outbox.slow.per_second.ideal", "sends/s", slow[bot], ideal, f"{BATCH} at once, 50 ms")
    return found


def _wechatpy(platform: int, count: int) -> float:
    command = [sys.executable, "-m", "tests.bench.servers.wechatpy_sender", str(platform), str(count), "1"]
    (told,) = together([command], SERVER_CORES)
    return told["done"] / told["seconds"]


def drained(bench: Bench, bot: Name, count: int, platform: int, found: Findings) -> float:
    """How many messages a second the bot sent and recorded, between a tenth and nine tenths of all."""
    url = bench.county_database(bot)
    fill(url, count)
    engine = connect(url)
    with bench.bot(bot, url, platform=platform, sends_per_second=NO_LIMIT):
        with engine.begin() as connection:
            due = update(Outbox).where(Outbox.state == OutboxState.QUEUED)
            connection.execute(due.values(next_at=datetime.now(UTC)))
        deadline, sent = monotonic() + PATIENCE, 0
        while sent < count and monotonic() < deadline:
            pause(0.3)
            with engine.connect() as connection:
                accepted = Outbox.state == OutboxState.ACCEPTED
                sent = connection.execute(select(func.count()).select_from(Outbox).where(accepted)).scalar_one()
    with engine.connect() as connection:
        settled = select(Outbox.settled_at).where(Outbox.state == OutboxState.ACCEPTED).order_by(Outbox.settled_at)
        times = [one for one in connection.execute(settled).scalars() if one is not None]
        under_way = Outbox.state.in_([OutboxState.QUEUED, OutboxState.SENDING])
        waiting = connection.execute(select(func.count()).select_from(Outbox).where(under_way)).scalar_one()
    engine.dispose()
    if waiting:
        found.beside.append(f"{bot}: after {PATIENCE:.0f} s {waiting} of {count} messages were not sent yet")
    if len(times) + waiting != count:
        found.wrong.append(f"{bot}: of {count} messages {len(times)} are recorded as sent and {waiting} wait")
    part = len(times) // 10
    if not part:
        return 0.0
    middle = times[part:-part]
    return len(middle) / max(0.001, (middle[-1] - middle[0]).total_seconds())


def fill(url: str, count: int) -> None:
    """So many people, for each a task's card that waits to be made due."""
    engine, now = connect(url), datetime.now(UTC)
    openids = [f"o-drain-{number:020d}" for number in range(count)]
    with engine.begin() as connection:
        first = (connection.execute(select(func.max(Contact.id))).scalar() or 0) + 1
        connection.execute(insert(Contact), [
            {"id": first + number, "openid": one, "openid_index": openid_index(one), "followed_at": now}
            for number, one in enumerate(openids)
        ])  # fmt: skip
        connection.execute(insert(Outbox), [
            {
                "contact_id": first + number, "kind": OutboxKind.PROMPT, "state": OutboxState.QUEUED,
                "content": _CONTENT, "created_at": now, "next_at": None,
            }
            for number in range(count)
        ])  # fmt: skip
    engine.dispose()
