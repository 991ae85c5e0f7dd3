"""The account's own verification: what the platform tells of it, for without it nobody is told anything any more."""

from datetime import timedelta

from handlers import alarms
from handlers.kinds import TaskKind
from handlers.message import Message
from handlers.turn import Turn
from storage import areas, tasks
from storage.people import Role
from storage.tasks import Task


def on_lost(turn: Turn, message: Message) -> None:  # noqa: ARG001 - every event has this shape
    """It lapsed or was refused: the county must see to it; a second such event makes no second task."""
    county = areas.county(turn.session)  # none before the first list is imported: then nobody is there to tell
    if county is not None and not tasks.live_of_subject(turn.session, "area", county.id, ["account"]):
        turn.open_task(
            "account", "area", county.id, county.id, due_at=turn.now + timedelta(days=1), next_at=turn.now,
            role=Role.COUNTY_SUPERVISOR, urgency=alarms.URGENT, again=turn.now.isoformat(),
        )  # fmt: skip


def on_regained(turn: Turn, message: Message) -> None:
    """It was granted: what was open before is done. One that was delivered late says nothing of what came after it."""
    county = areas.county(turn.session)
    for task in tasks.live_of_subject(turn.session, "area", county.id, ["account"]) if county else ():
        if message.create_time >= int(task.opened_at.timestamp()):
            tasks.end(turn.connection, task.id, turn.now)


def explain(turn: Turn, task: Task) -> None:  # noqa: ARG001 - every task has this shape
    """What the county must do."""
    turn.say("account/lost")


EVENTS = {
    "verify_expired": on_lost,
    "qualification_verify_fail": on_lost,
    "naming_verify_fail": on_lost,
    "qualification_verify_success": on_regained,
    "naming_verify_success": on_regained,
}
TASKS = {"account": TaskKind(due=alarms.tell_county, line=alarms.line, pick=explain)}
