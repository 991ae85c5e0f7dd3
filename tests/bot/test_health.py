"""What a monitor sees when something of a running bot is really broken."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed
from sqlalchemy import Connection, update

from bot.app import running
from handlers.turn import Turn
from storage import contacts, outbox
from storage.inbox import Inbox, InboxState
from storage.outbox import OutboxKind, OutboxState
from tests.bot.place import Place, place
from tests.support.databases import Databases
from tests.support.waiting import eventually


@pytest.fixture
async def here(databases: Databases, tmp_path: Path) -> AsyncIterator[Place]:
    """A place on each kind of database."""
    async with place(tmp_path, databases.fresh()) as found:
        yield found


async def gauges(here: Place) -> dict[str, float]:
    """What is served under /metrics, without labels."""
    status, text = await here.get("/metrics")
    assert status == 200
    return {one.name: one.value for family in parsed(text) for one in family.samples if not one.labels}


async def test_ages_say_since_when_nothing_came(here: Place) -> None:
    async with running(here.settings):
        await here.platform.add_phone("p").say("帮助")
        now = await gauges(here)
        assert now["tongban_push_age_seconds"] < 60
        assert now["tongban_tick_age_seconds"] < 60
        assert now["tongban_token_failing_seconds"] == 0
        await eventually(lambda: _is_written(here))


async def _is_written(here: Place) -> bool:
    return (await gauges(here))["tongban_write_age_seconds"] < 60


async def test_ticks_that_stop_grow_old(here: Place) -> None:
    async with running(here.settings) as bot:
        bot.worker._scheduler.pause()
        await eventually(lambda: _is_older(here, "tongban_tick_age_seconds", 1.5))


async def _is_older(here: Place, name: str, seconds: float) -> bool:
    return (await gauges(here))[name] > seconds


async def test_a_refused_token_is_counted_from_the_first_refusal(here: Place) -> None:
    here.platform.world.faults.change({"frozen_secret": True}, 0)
    async with running(here.settings) as bot:
        await eventually(lambda: _is_older(here, "tongban_token_failing_seconds", 0.3))
        here.platform.world.faults.change({"frozen_secret": False}, 0)
        bot.wechat.tokens._refused_until = 0
        assert await bot.wechat.tokens.get()
        assert (await gauges(here))["tongban_token_failing_seconds"] == 0


async def test_what_waits_is_counted_when_it_is_asked_for(here: Place) -> None:
    async with running(here.settings) as bot:
        await here.platform.add_phone("p").say("帮助")
        await eventually(lambda: _is_written(here))
        bot.worker._scheduler.pause()
        for loop in (bot.worker.alarms, bot.worker.send, bot.worker.due, bot.worker.kept):
            await loop.stop()

        def leave(connection: Connection) -> None:
            turn = Turn(connection, bot.clock.now(), bot.policy)
            contact = contacts.id_of(turn.connection, "o-p", turn.now)
            for kind, ago in ((OutboxKind.ALARM, 500), (OutboxKind.NOTICE, 900)):
                outbox.add(
                    turn.connection, contact_id=contact, kind=kind, state=OutboxState.QUEUED, content={"text": "x"},
                    now=turn.now - timedelta(seconds=ago), next_at=turn.now - timedelta(seconds=100),
                )  # fmt: skip
            turn.open_task(
                "look", "county", 1, 1, due_at=turn.now, next_at=turn.now - timedelta(seconds=300), role="duty"
            )
            connection.execute(update(Inbox.__table__).values(state=InboxState.PARKED))
            turn.settle()

        await bot.database.run(leave)
        now = await gauges(here)
        assert 100 <= now["tongban_outbox_overdue_seconds"] < 200
        assert 500 <= now["tongban_alarm_oldest_seconds"] < 600
        assert 900 <= now["tongban_outbox_oldest_seconds"] < 1000
        assert 300 <= now["tongban_due_overdue_seconds"] < 400
        assert now["tongban_parked"] == 1
        assert now["tongban_outbox_waiting"] == 2
