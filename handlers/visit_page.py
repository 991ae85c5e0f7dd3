"""/m/visit/…: one visit as one form; the same flow as in the chat, with all its answers given at once."""

from collections.abc import Collection
from datetime import date

from handlers import children
from handlers.page import Answer, Fields, Goto, Page, choice, day, words
from handlers.turn import Refused, Turn
from handlers.visit_filing import TOPICS, task_for, topics_of
from handlers.visit_questions import EARLIEST
from handlers.visits import Visit
from handlers.workdays import local_day
from messages import labels, render
from storage import outbox
from storage.children import Child
from storage.outbox import OutboxKind, OutboxState
from storage.tasks import LIVE, Task
from storage.visits import CONTACT, TASK_KIND, VisitKind

_LONGEST_NOTE = 600


def form(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - nothing is asked for
    """The empty form."""
    task, child = _mine(turn, path)
    turn.audit("look", "child", child.id)
    today = local_day(turn.now)
    return Page(
        "visit",
        {
            "task": task.id, "who": children.line(turn, child), "due": task.due_at, "late": task.due_at < turn.now,
            "open": task.state in LIVE, "today": today, "earliest": today - EARLIEST,
            "topics": [(topic, topic in topics_of(turn, child)) for topic in TOPICS],
        },
    )  # fmt: skip


def file(turn: Turn, path: Fields, form: Fields) -> Answer:
    """File it. A problem in a red place goes on as a report in the chat."""
    _, child = _mine(turn, path)
    happened = day(turn, form, "day")
    if local_day(turn.now) - happened > EARLIEST:
        raise Refused("visits/no_such_day")
    flow = Visit()
    flow.about_child(turn, child)
    flow.on_day(happened.isoformat())
    flow.answers |= {"child": child.id, "kind": choice(form, "kind", {*map(str, VisitKind)})}
    if flow.answers["kind"] in CONTACT:
        flow.answers |= _topics(form, topics_of(turn, child))
    else:
        flow.answers["why"] = choice(form, "why", labels("visit_why"))
        flow.answers["next_try"] = _next_try(turn, form)
    before = turn.talk.flow if turn.talk else None
    flow.finish(turn)
    if turn.talk is not None and turn.talk.flow != before:
        _go_on_in_chat(turn)
    return Goto("/m/tasks")


def _next_try(turn: Turn, form: Fields) -> str | None:
    """The day somebody goes again, if one was chosen; none that is past."""
    typed = form.get("next_try", "")
    try:
        chosen = date.fromisoformat(typed) if typed else None
    except ValueError:
        raise Refused("pages/fill_in") from None
    if chosen is not None and chosen < local_day(turn.now):
        raise Refused("pages/fill_in")
    return chosen.isoformat() if chosen else None


def _topics(form: Fields, asked: Collection[str]) -> dict[str, str]:
    """What was said of each topic, with a sentence for anything not fine; only the other side's may be left open."""
    found: dict[str, str] = {}
    for topic in TOPICS:
        if form.get(topic) or topic in asked:
            found[topic] = choice(form, topic, labels("answer"))
            said = words(form, f"{topic}_words", _LONGEST_NOTE, needed=found[topic] != "fine")
            found |= {f"{topic}_words": said} if said else {}
    return found


def _mine(turn: Turn, path: Fields) -> tuple[Task, Child]:
    """The task and its child; refuses whoever does not follow the child."""
    task = turn.session.get(Task, int(path["task"]))
    child = turn.session.get(Child, task.subject_id) if task and task.kind == TASK_KIND else None
    if task is None or child is None:
        raise Refused("common/not_yours")
    task_for(turn, child)
    return task, child


def _go_on_in_chat(turn: Turn) -> None:
    """The report's first question is put in the chat, where it will be answered."""
    card = {"purpose": "notice", "values": {"what": render("reports/card_nudge")}, "path": None}
    if turn.talk is not None:
        outbox.add(
            turn.connection, contact_id=turn.talk.contact_id, kind=OutboxKind.REPLY, state=OutboxState.QUEUED,
            content={"text": "\n\n".join(turn.said), "card": card}, now=turn.now, next_at=turn.now,
        )  # fmt: skip
        turn.said[2:] = [render("pages/go_on_in_chat")]
