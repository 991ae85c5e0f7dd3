"""Rounds: several visits filed after one confirmation that names them, and a visit put off once with a reason."""

import re
from datetime import date, timedelta
from typing import Any

from handlers import children, pairs, plans
from handlers.conversation import Flow
from handlers.message import Message
from handlers.questions import Words, YesNo
from handlers.turn import Refused, Turn
from handlers.visit_filing import Told, file, fine, speaker, task_for
from handlers.visit_questions import Which, child_of_number, turned_page
from handlers.workdays import at, local_day, workday_from
from messages import Command
from storage.children import Child
from storage.visits import VisitKind

MOST_DAYS = 7
"""How far a visit may be put off."""


class Round(Flow, name="rounds"):
    """The record word, numbers, all fine: all of them were met and are fine, said once more by name."""

    sure = YesNo(skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:
        """The children and the day when it is not today."""
        day = self.about.get("day")
        return {
            "who": [children.line(turn, child) for child, _ in self._children(turn)],
            "on": at(date.fromisoformat(day), turn.policy.prompts_from) if day else None,
        }

    def finish(self, turn: Turn) -> None:
        """File them one by one; what was filed before is not filed again."""
        if self.answers.get("sure") != "yes":
            turn.say("rounds/not_filed")
            return
        day = date.fromisoformat(self.about["day"]) if self.about.get("day") else local_day(turn.now)
        filed = [
            file(turn, child, Told(VisitKind.SEEN, day, fine(turn, child, side)), side).values(turn)
            for child, side in self._children(turn)
        ]
        turn.say("rounds/filed", filed=filed)

    def _children(self, turn: Turn) -> list[tuple[Child, str | None]]:
        named = [(turn.session.get_one(Child, child), side) for child, side in self.about["children"]]
        for child, side in named:
            task_for(turn, child, side)  # refuses who does not follow this child, or does no longer
        return named


class Postpone(Flow, name="postpone"):
    """Postpone: which visit, and why; once for each visit, at most seven days."""

    child = Which(when=lambda flow: "child" not in flow.about, skippable=False)
    reason = Words(when=lambda flow: "child" in flow.about, skippable=False, limit=200)

    def values(self, turn: Turn) -> dict[str, Any]:
        """The child and the day it would move to."""
        child = turn.session.get(Child, self.about["child"]) if "child" in self.about else None
        return {
            "who": children.line(turn, child) if child else "", "left": 0 if child else Which().left(turn, self),
            "on": at(self._day(turn, child), plans.END_OF_DAY) if child else None, "most": MOST_DAYS,
        }  # fmt: skip

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """The word for more turns the page of children."""
        if not turned_page(turn, self, command):
            super().hear(turn, message, command)

    def answered(self, turn: Turn, question: str) -> None:
        """A child was chosen."""
        if question == "child":
            child, side = self.answers["child"]
            self.about_child(turn, turn.session.get_one(Child, child), side)
        self.keep(turn)

    def about_child(self, turn: Turn, child: Child, side: str | None = None) -> None:
        """It is about this child; refuses what cannot be put off."""
        task = task_for(turn, child, side)
        if task is None:
            raise Refused("postpone/nothing_due")
        if plans.was_postponed(task):
            raise Refused("postpone/only_once")
        self.about |= {"child": child.id, "side": plans.side_of(task)}

    def _day(self, turn: Turn, child: Child) -> date:
        task = task_for(turn, child, self.about["side"])
        today = local_day(turn.now)
        from_day = max(today, local_day(task.due_at)) if task else today
        days = int(self.about.get("days") or turn.policy.retry_visit_days)
        return min(workday_from(turn.policy, from_day + timedelta(days=days)), from_day + timedelta(days=MOST_DAYS))

    def finish(self, turn: Turn) -> None:
        """Move the visit and keep the reason."""
        if "child" not in self.about or not self.answers.get("reason"):
            turn.say("postpone/not_moved")
            return
        child = turn.session.get_one(Child, self.about["child"])
        self.about_child(turn, child, self.about["side"])
        task = task_for(turn, child, self.about["side"])
        if task is not None:
            day = self._day(turn, child)
            turn.audit("postpone", "task", task.id, self.answers["reason"])
            plans.move(turn, child, task, day, postponed=True)
            turn.say("postpone/done", who=children.line(turn, child), on=at(day, plans.END_OF_DAY))


def postpone(turn: Turn, command: Command) -> None:
    """Postpone [number [days]] [reason]."""
    person = speaker(turn)
    rest = re.sub(r"^[\d\s\W_]+", "", command.argument)
    number, days = (*command.numbers, None, None)[:2]
    if number is None and not pairs.followed(turn, person.id):
        raise Refused("visits/nobody")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused("postpone/too_long", most=MOST_DAYS)
    flow = Postpone(about={"days": days} if days else {})
    if number is not None:
        found = child_of_number(turn, number)
        if found is None:
            raise Refused("visits/unknown_number", number=number)
        flow.about_child(turn, *found)
    if rest:
        flow.answers["reason"] = rest
    flow.advance(turn)
