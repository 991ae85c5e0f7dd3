"""What a person decides of a report, by words: whether it is about a child, which situation it is, the second word."""

from typing import Any

from handlers import alarms, approvals, cases, drafts
from handlers.account import UNREADABLE
from handlers.case_named import reports_meant, what_is_meant
from handlers.conversation import Flow
from handlers.questions import Choice, Words, YesNo
from handlers.turn import Turn
from messages import Command, labels
from storage import reports
from storage.reports import Report
from storage.tasks import Task

_LINES_SHOWN = 8
"""Of a long account the last lines; the page has all of it."""


class ReadFlow(Flow, name="case_read"):
    """What came in, word for word, and what a person makes of it."""

    verdict = Choice("read_verdict", said_as={"set_aside": "aside"}, skippable=False)
    why = Words(when=lambda flow: flow.answers.get("verdict") == "aside", skippable=False, limit=200)

    def values(self, turn: Turn) -> dict[str, Any]:
        """The words so far, and how many things no rule can read."""
        entries = reports.entries_of(turn.session, self._task(turn).subject_id)
        return {
            "words": [one.text for one in entries if one.text][-_LINES_SHOWN:],
            "unread": sum(one.kind in UNREADABLE for one in entries),
        }

    def finish(self, turn: Turn) -> None:
        """Take it, or set it aside with a reason."""
        task = self._task(turn)
        if self.verdict == "take":
            cases.take(turn, task.id)
        else:
            drafts.set_aside(turn, task.subject_id, str(self.why))
            turn.say("cases/set_aside")

    def _task(self, turn: Turn) -> Task:
        task = turn.session.get_one(Task, self.about["task"])
        cases.may_take(turn, task)
        return task


class ApproveFlow(Flow, name="case_approve"):
    """The second person's word: on a red case, or on setting aside what somebody claimed."""

    agreed = YesNo(skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:
        """What was proposed, by whom and why."""
        case = cases.held_case(turn, self.about["case"])
        return {
            "number": case.number, "what": case.pending, "by": alarms.name_of(turn, case.pending_by_id),
            "why": case.pending_why or "",
        }  # fmt: skip

    def finish(self, turn: Turn) -> None:
        """Agree or not."""
        case = cases.held_case(turn, self.about["case"])
        what, agreed = case.pending, self.agreed == "yes"
        approvals.answer_proposal(turn, case, agreed=agreed)
        turn.say("cases/approved", number=case.number, what=what, agreed=agreed)


class SituationFlow(Flow, name="case_situation"):
    """One of the nine situations, or none of them: the rules only suggest."""

    situation = Choice(
        "situation",
        among=lambda *_: [*labels("situation").items(), *labels("situation_none").items()],
        skippable=False,
        besides="",
    )

    def values(self, turn: Turn) -> dict[str, Any]:
        """What the rules suggest, best first, and what was confirmed before."""
        mine = self._reports(turn)
        suggested = dict.fromkeys(code for report in mine for code in report.situations_suggested)
        return {"suggested": list(suggested), "confirmed": mine[0].situation}

    def finish(self, turn: Turn) -> None:
        """Confirmed, for every report of the case."""
        chosen = int(str(self.situation))
        for report in self._reports(turn):
            cases.confirm_situation(turn, report, chosen)
        turn.say("cases/situation_kept", situation=chosen)

    def _reports(self, turn: Turn) -> list[Report]:
        return [turn.session.get_one(Report, one) for one in self.about["reports"]]


def situation(turn: Turn, command: Command) -> None:
    """Which of the nine it is, for whoever holds or supervises the case, or may take the report."""
    found = reports_meant(turn, command)
    if found is None:
        return
    mine, case = found
    if case is not None:
        cases.require_may_confirm(turn, case)
    SituationFlow.start(turn, reports=[report.id for report in mine])


class AsideFlow(Flow, name="case_aside"):
    """Not about a child: with a reason. What somebody claimed waits for a second person."""

    why = Words(skippable=False, limit=200)

    def finish(self, turn: Turn) -> None:
        """Set it aside, or propose it."""
        if "case" in self.about:
            case = cases.held_case(turn, self.about["case"])
            done = approvals.set_aside(turn, case, str(self.why))
            turn.say("cases/case_set_aside", number=case.number, done=done)
            return
        task = turn.session.get_one(Task, self.about["task"])
        cases.may_take(turn, task)
        drafts.set_aside(turn, task.subject_id, str(self.why))
        turn.say("cases/set_aside")


def set_aside(turn: Turn, command: Command) -> None:
    """Not about a child; words after the command are the reason."""
    found = what_is_meant(turn, command)
    if found is None:
        return
    meant, words = found
    about = {"task": meant.id} if isinstance(meant, Task) else {"case": meant.id}
    AsideFlow(answers={"why": words} if words else {}, about=about).advance(turn)


FLOWS: tuple[type[Flow], ...] = (ReadFlow, ApproveFlow, SituationFlow, AsideFlow)
COMMANDS = {"situation": situation, "set_aside": set_aside}
