"""What a digest counts is read beside the turns, and its own turn sends just that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time
from functools import partial
from typing import Any, cast

import pytest

from bot import turns
from bot.ahead import Ahead, look
from bot.engine import Lane
from handlers import digest
from handlers.policy import Policy
from storage.outbox import OutboxKind
from storage.tasks import Task
from tests.bot.rig import AT_ANY_HOUR, Rig, prepared, rig
from tests.support.databases import Databases


@pytest.fixture
async def morning(databases: Databases) -> AsyncIterator[Rig]:
    """A county the day after its digests were opened; nothing ran since."""
    policy = replace(AT_ANY_HOUR, digest_at=time.min, quiet_digest=True)
    async with rig(prepared(databases), policy=policy) as running:
        running.phone("county")
        assert await running.turn(digest.ensure_digests) > 0
        await running.pass_(hours=24)
        yield running


async def read(here: Rig, policy: Policy | None = None) -> dict[int, Any]:
    work = partial(look, now=here.clock.now(), policy=policy or here.policy)
    return (await here.database.read(work)).read


async def run(here: Rig, found: dict[int, Any]) -> Ahead:
    """Do all that can be done with what was read."""
    ahead = Ahead(found)
    work = partial(turns.run_due, now=here.clock.now(), policy=here.policy, limit=250, ahead=ahead)
    while await here.database.run(work, Lane.DUE):
        pass
    return ahead


def open_digests(here: Rig) -> list[Any]:
    """Those that are due and not sent."""
    return [row for row in here.rows(Task) if row.kind == "digest" and row.next_at and row.next_at <= here.clock.now()]


def said(here: Rig) -> list[str]:
    return [row.content["text"] for row in here.rows() if row.kind == OutboxKind.DIGEST]


async def test_a_digest_says_what_was_read_for_it(morning: Rig) -> None:
    found = await read(morning)
    assert set(found) == {row.id for row in open_digests(morning)} != set()
    for number, (looked_at, counted) in found.items():
        found[number] = looked_at, counted | {"new_reports": replace(counted["new_reports"], count=77)}
    assert not (await run(morning, found)).missed
    assert open_digests(morning) == []
    assert said(morning)
    assert all("77" in text for text in said(morning))


async def test_one_that_nobody_read_for_yet_waits_and_what_was_read_of_another_day_is_not_said(morning: Rig) -> None:
    assert (await run(morning, {})).missed
    assert open_digests(morning) != []
    old = {
        number: (looked_at, counted | {"new_reports": replace(counted["new_reports"], count=77)})
        for number, (looked_at, counted) in (await read(morning)).items()
    }
    await morning.pass_(hours=24)
    await run(morning, old)
    assert open_digests(morning) == []
    assert said(morning)
    assert not any("77" in text for text in said(morning))


async def test_where_reading_fails_its_own_turn_reads(morning: Rig) -> None:
    found = await read(morning, cast("Policy", object()))
    assert set(found.values()) == {None}
    await run(morning, found)
    assert open_digests(morning) == []
    assert said(morning)


async def test_the_worker_reads_before_it_sends(morning: Rig) -> None:
    await morning.worker.due.once()
    assert open_digests(morning) == []
    assert said(morning)
