"""The table of contents: who may say what, and what becomes of words that did not arrive."""

import pytest
from sqlalchemy import select, update

from handlers import routes
from storage import outbox
from storage.contacts import Contact
from storage.outbox import Outbox, OutboxState
from storage.tasks import Task
from tests.support.reporting import DANGER, Town, town

__all__ = ["town"]


@pytest.mark.parametrize("words", ["我的任务", "日报", "记录 1", "指派 1", "结案 1", "名单 3", "步骤 1", "更多"])
def test_a_villager_learns_nothing_from_staff_words(town: Town, words: str) -> None:
    town.tell("周老师")
    reply = town.phone("李婶").says(words)
    assert not any(name in reply for name in ("G2611", "李小明", "赵值班", "柳河村"))
    assert town.tasks("alarm")[0].person_id is None


def test_template_reports_settle_the_message_and_a_refusal_makes_the_alarm_climb(town: Town) -> None:
    town.tell("周老师")
    alarm = town.turn(
        lambda turn: turn.session.scalars(select(Outbox).where(Outbox.kind == "alarm").order_by(Outbox.id)).one()
    )
    town.world.run(
        lambda connection: connection.execute(
            update(Outbox.__table__).where(Outbox.__table__.c.id == alarm.id).values(job_id="j1", state="accepted")
        )
    )
    town.phone(town.duty).says(
        None, kind="event", event="templatesendjobfinish", job_id="j1", status="failed:user block"
    )
    town.world.pass_(seconds=30)
    state = town.turn(lambda turn: turn.session.get_one(Outbox, alarm.id).state)
    assert state == OutboxState.REFUSED
    assert town.phone(town.supervisor).last.startswith("【警报】")


def test_a_county_supervisor_who_cannot_be_reached_does_not_set_himself_off(town: Town) -> None:
    town.world.dead = {"o-王科长", "o-李督导", "o-赵值班"}
    town.phone("周老师").says(DANGER)
    before = town.turn(lambda turn: len(list(turn.session.scalars(select(Outbox.id)))))
    for _ in range(5):
        town.world.settle()
    assert town.turn(lambda turn: len(list(turn.session.scalars(select(Outbox.id))))) == before
    assert len(town.tasks("unreachable")) == len({task.subject_id for task in town.tasks("unreachable")})


def test_somebody_who_writes_again_is_reachable_again_and_off_the_list(town: Town) -> None:
    town.world.dead = {"o-赵值班"}
    town.tell("周老师")
    assert [task.subject_id for task in town.tasks("unreachable")] == [town.duty.id]
    town.world.dead = set()
    town.phone(town.duty).says("我的任务")
    town.world.pass_(days=1, hours=1)
    assert town.tasks("unreachable") == []
    contact = select(Contact.unreachable_since).where(Contact.person_id == town.duty.id)
    assert town.turn(lambda turn: turn.session.scalar(contact)) is None


def test_a_card_opens_nothing_that_was_erased(town: Town) -> None:
    town.tell("周老师")
    town.world.pass_(hours=25)
    assert town.world.run(lambda connection: outbox.erase_due(connection, town.world.now)) >= 1


def test_every_kind_of_task_in_the_database_is_known(town: Town) -> None:
    town.tell("周老师")
    town.phone("李婶").says(None, kind="voice", media_id="v")
    kinds = town.turn(lambda turn: set(turn.session.scalars(select(Task.kind))))
    assert kinds <= routes.TASKS.keys()
