"""Questions only visits ask: which child, how it went, one topic, and the day of something earlier."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from handlers import children, pairs
from handlers.conversation import is_plain_answer
from handlers.message import Message
from handlers.plans import side_of
from handlers.questions import Choice, Day, Option, Question, Unclear
from handlers.turn import Turn
from handlers.visit_filing import TOPICS, sounds_alarming, speaker
from handlers.workdays import local_day
from messages import Command, label, labels, number, pattern, plain, render
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
_SHORTEST_REASON = 2
_LONGEST_AHEAD = 366
_SUNDAY = 6
"""As `date.weekday` counts."""


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


class Why(Choice):
    """Why the child was not met: a code of [visit_why], or any other words, which are kept as they are."""

    def __init__(self) -> None:
        super().__init__("visit_why", when=_was_not_met)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """A code or the words; words of harm are no reason."""
        try:
            return super().read(turn, flow, message, command)
        except Unclear:
            said = message.text or "" if message.kind == "text" else ""
            if len(said.strip()) < _SHORTEST_REASON or is_plain_answer(turn, message) or sounds_alarming(turn, said):
                raise
            return said


class NextTry(Choice):
    """When somebody goes again, as ISO: one of three offers, or a day to come in words."""

    def __init__(self) -> None:
        super().__init__(among=_tries, when=_was_not_met)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """The day's ISO form."""
        try:
            code = super().read(turn, flow, message, command)
        except Unclear:
            if message.kind != "text" or is_plain_answer(turn, message):
                raise
            return day_to_come(message.text or "", local_day(turn.now)).isoformat()
        days = {"tomorrow": 1, "soon": turn.policy.retry_visit_days, "next_week": _to_next_week(local_day(turn.now))}
        return (local_day(turn.now) + timedelta(days=days[code])).isoformat()


def day_to_come(text: str, today: date) -> date:
    """Today or a day after it, by its word, so many days ahead, its weekday or its date; raises Unclear."""
    said = pattern("go_again").sub("", re.sub(r"[\s\W]", "", plain(text)))
    word = labels("day_ahead").get(said)
    if word is not None:
        return today + timedelta(days=int(word) if word.isdecimal() else _to_next_week(today))
    ahead = pattern("days_ahead").fullmatch(said)
    if ahead:
        return today + timedelta(days=number(ahead[1]))
    weekday = pattern("weekday").fullmatch(said)
    if weekday:
        place = (number(weekday["day"]) or _SUNDAY + 1) - 1  # the two words for Sunday are no numbers
        week = _to_next_week(today) if weekday["next"] else -today.weekday()
        return _ahead(today, lambda day: day.weekday() == place, week)
    named = pattern("date").fullmatch(said)
    if not named or not named[2]:
        raise Unclear
    month = int(named[1]) if named[1] else None
    return _ahead(today, lambda day: day.day == int(named[2]) and month in {None, day.month})


def _ahead(today: date, is_it: Callable[[date], bool], first: int = 0) -> date:
    """The first such day from today on, or from a later one."""
    days = (today + timedelta(days=ahead) for ahead in range(max(0, first), _LONGEST_AHEAD))
    found = next(filter(is_it, days), None)
    if found is None:
        raise Unclear
    return found


def _to_next_week(today: date) -> int:
    """Days until the next Monday."""
    return _SUNDAY + 1 - today.weekday()


def _tries(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401, ARG001 - the flow that asks
    days = turn.policy.retry_visit_days
    return [(code, words.format(days=days)) for code, words in labels("next_try").items()]


def _was_not_met(flow: Any) -> bool:  # noqa: ANN401 - the flow that asks
    return bool(flow.answers.get("kind") == "not_met")


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
