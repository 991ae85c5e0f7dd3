"""Questions only visits ask: which child, how it went, one topic, and the day of something earlier."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from handlers import children, pairs
from handlers.message import Message
from handlers.plans import side_of
from handlers.questions import Choice, Day, Option, Question, Unclear
from handlers.turn import Turn
from handlers.visit_filing import TOPICS, speaker
from handlers.workdays import local_day
from messages import Command, label, labels, render
from storage import shown_numbers
from storage.children import Child
from storage.tasks import Task
from storage.visits import TASK_KIND

if TYPE_CHECKING:
    from handlers.conversation import Flow

PAGE = 15
"""Children shown at once; the word for more shows the next ones."""
EARLIEST = timedelta(days=90)
"""How far back a visit may be entered."""


class Which(Question[tuple[int, str | None]]):
    """A child this person follows, by the number it is shown under: the same number as in the list of tasks."""

    def options(self, turn: Turn, flow: "Flow") -> Sequence[Option]:
        """One page of them, what is due first."""
        start = int(flow.about.get("page", 0)) * PAGE
        every = pairs.followed(turn, speaker(turn).id)
        return [_option(turn, one) for one in every[start : start + PAGE]]

    def left(self, turn: Turn, flow: "Flow") -> int:
        """How many there are after this page."""
        return max(0, len(pairs.followed(turn, speaker(turn).id)) - (int(flow.about.get("page", 0)) + 1) * PAGE)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> tuple[int, str | None]:  # noqa: ARG002
        """The child's id, and the side its task is for when it was shown as one."""
        said = (message.text or "").strip()
        found = child_of_number(turn, int(said)) if message.kind == "text" and said.isdecimal() else None
        if found is None:
            raise Unclear
        return found[0].id, found[1]


def turned_page(turn: Turn, flow: "Flow", command: Command | None) -> bool:
    """Whether the word for more was said to the children to choose from; the next ones are shown."""
    if command is None or command.word != "more" or flow.next() != "child":
        return False
    flow.about["page"] = int(flow.about.get("page", 0)) + 1
    flow.asked.pop("child", None)
    flow.put(turn, "child")
    return True


def child_of_number(turn: Turn, number: int) -> tuple[Child, str | None] | None:
    """The child this person was shown under a number, and the side when as a visit task; None for anything else."""
    contact = turn.talk.contact_id if turn.talk else 0
    subject, subject_id = shown_numbers.meant_by(turn.connection, contact, number, turn.now) or ("", 0)
    if subject == "task":
        task = turn.session.get_one(Task, subject_id)
        return (turn.session.get_one(Child, task.subject_id), side_of(task)) if task.kind == TASK_KIND else None
    child = turn.session.get(Child, subject_id) if subject == "child" else None
    return (child, None) if child else None


def _option(turn: Turn, one: pairs.Followed) -> Option:
    contact = turn.talk.contact_id if turn.talk else 0
    subject, subject_id = ("task", one.task.id) if one.task else ("child", one.child.id)
    until = turn.now + timedelta(days=turn.policy.shown_number_days)
    number = shown_numbers.number_for(turn.connection, contact, subject, subject_id, turn.now, until)
    return Option(number, str(one.child.id), choice(turn, one.child, one.task))


def choice(turn: Turn, child: Child, task: Task | None) -> str:
    """A child in a list, with the day its visit is due."""
    return render(
        "visits/choice", who=children.line(turn, child), due=task.due_at if task else None,
        late=task is not None and task.due_at < turn.now,
    )  # fmt: skip


class Opening(Choice):
    """How it went: a code of [visit_opening], or the day it happened, as ISO, when that is said instead."""

    def __init__(self) -> None:
        said_as = {"all_fine": "all_fine", "not_met": "not_met", "phone_contact": "phone"}
        super().__init__("visit_opening", said_as=said_as, among=_openings, when=_knows_child, skippable=False)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """A code, or a day in words; a bare number that is no option is no day."""
        try:
            return super().read(turn, flow, message, command)
        except Unclear:
            if (message.text or "").strip().isdecimal():
                raise
            return PastDay().read(turn, flow, message, command)


def _knows_child(flow: Any) -> bool:  # noqa: ANN401 - the flow that asks
    return "child" in flow.about


def _openings(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401, ARG001 - the flow that asks
    return [
        (code, words)
        for code, words in labels("visit_opening").items()
        if code != "earlier" or not flow.about.get("day")
    ]


class Topic(Choice):
    """One topic: fine, a worry, a problem; the first one also offers that everything is fine."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            among=_states, said_as={"all_fine": "all_fine"}, when=lambda flow: flow.asks_about(topic), skippable=False
        )


def _states(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401, ARG001 - the flow that asks
    states = list(labels("answer").items())
    return (
        states
        if any(topic in flow.answers for topic in TOPICS)
        else [*states, ("all_fine", label("visit_more", "all_fine"))]
    )


class Other(Choice):
    """Whether something is to be said about a topic that is the other side's to be asked about."""

    def __init__(self) -> None:
        super().__init__(among=_others, said_as={"no": "nothing"}, when=lambda flow: flow.may_add())


def _others(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401, ARG001 - the flow that asks
    left = [topic for topic in TOPICS if topic not in flow.about["topics"]]
    return [("nothing", label("visit_more", "nothing")), *((topic, label("visit_topic", topic)) for topic in left)]


class PastDay(Day):
    """A day of the last three months."""

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """The day's ISO form; an older one is unclear."""
        said = super().read(turn, flow, message, command)
        if local_day(turn.now) - date.fromisoformat(said) > EARLIEST:
            raise Unclear
        return said
