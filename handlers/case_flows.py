"""Cases by words: claim, read, step, assign, level, words to the reporter, gist, close, approve.

Each with or without the number that was shown.
"""

from collections.abc import Callable, Sequence
from typing import Any

from handlers import alarms, cases, drafts, tasklist, who
from handlers.account import UNREADABLE
from handlers.conversation import Flow, show
from handlers.questions import Choice, Words, YesNo
from handlers.turn import Refused, Turn
from messages import Command, labels
from storage import areas, people, reports, tasks
from storage import cases as case_rows
from storage.cases import Case
from storage.people import STAFF, Role
from storage.tasks import Task

_LINES_SHOWN = 8
"""Of a long account the last lines; the page has all of it."""


def claim(turn: Turn, command: Command) -> None:
    """Claim, with or without numbers: the one alarm there is, or those whose numbers are named."""
    person = turn.require(*STAFF)
    if command.numbers:
        for number in command.numbers:
            cases.take(turn, tasklist.task_of_number(turn, number).id)
        return
    waiting = tasks.told_and_open(turn.session, person.id)
    if waiting and len({(task.subject, task.subject_id) for task in waiting}) == 1:  # one matter, whatever its tasks
        cases.take(turn, waiting[0].id)
    elif waiting:
        tasklist.show_tasks(turn, waiting, "tasks/which_to_claim")
    else:
        last = tasks.last_told(turn.session, person.id)
        if last is None:
            raise Refused("alarms/nothing_to_claim")
        cases.take(turn, last.id)  # says who holds it


class StepFlow(Flow, name="case_step"):
    """What was done, and a word about it."""

    kind = Choice("case_step", skippable=False)
    note = Words()

    def finish(self, turn: Turn) -> None:
        """Record it."""
        if self.given_up(turn, "kind"):
            return
        case = cases.held_case(turn, self.about["case"])
        cases.record_step(turn, case, str(self.kind), self.note)
        turn.say("cases/step_kept", number=case.number, kind=str(self.kind))


def _officers(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401 - the flow that asks
    case = cases.held_case(turn, flow.about["case"])
    chain = areas.chain(turn.session, case.area_id)
    township = next((one for one in chain if one.level == areas.AreaLevel.TOWNSHIP), chain[-1])
    found = people.holders_below(turn.session, Role.VILLAGE_CHILD_OFFICER, township.path, turn.now)
    nearest = who.officer_of(turn, case.area_id)
    ordered = sorted(found, key=lambda one: one.id != nearest)
    return [(str(one.id), f"{one.name} {alarms.place_of(turn, one.area_id or case.area_id)}") for one in ordered[:9]]


class AssignFlow(Flow, name="case_assign"):
    """Which village child officer."""

    officer = Choice(among=_officers, skippable=False)

    def finish(self, turn: Turn) -> None:
        """Assign."""
        if self.given_up(turn, "officer"):
            return
        case = cases.held_case(turn, self.about["case"])
        cases.assign(turn, case, int(str(self.officer)))
        turn.say("cases/assigned", number=case.number, officer=alarms.name_of(turn, case.officer_id))


class LevelFlow(Flow, name="case_level"):
    """The level, with a reason."""

    level = Choice("level", skippable=False)
    why = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Set it, or wait for the second person."""
        if self.given_up(turn, "level", "why"):
            return
        case = cases.held_case(turn, self.about["case"])
        done = cases.set_level(turn, case, str(self.level), str(self.why))
        turn.say("cases/level_set", number=case.number, level=str(self.level), done=done)


class CloseFlow(Flow, name="case_close"):
    """Why it can be closed."""

    why = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Close it, or wait for the second person."""
        if self.given_up(turn, "why"):
            return
        case = cases.held_case(turn, self.about["case"])
        done = cases.close(turn, case, str(self.why))
        turn.say("cases/closed", number=case.number, done=done)


class WordsToReporter(Flow, name="case_message"):
    """What the reporter shall read."""

    words = Words(skippable=False, limit=300)

    def finish(self, turn: Turn) -> None:
        """Send it on."""
        if self.given_up(turn, "words"):
            return
        case = cases.held_case(turn, self.about["case"])
        mine = reports.of_case(turn.session, case.id)
        reached = [cases.message_reporter(turn, one.id, str(self.words)) for one in mine]
        turn.say("cases/message_sent", reached=any(reached))


class GistFlow(Flow, name="case_gist"):
    """What a voice message or a picture says, in the listener's words."""

    words = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Kept with the account, as the listener's."""
        if self.given_up(turn, "words"):
            return
        case = cases.held_case(turn, self.about["case"])
        for report in reports.of_case(turn.session, case.id):
            reports.append(turn.connection, report.id, turn.now, "gist", text=str(self.words), by="staff")
        turn.say("cases/gist_kept", number=case.number)


class ReadFlow(Flow, name="case_read"):
    """What came in, word for word, and what a person makes of it."""

    verdict = Choice("read_verdict", skippable=False)
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
        if self.given_up(turn, "verdict"):
            return
        task = self._task(turn)
        if self.verdict == "take":
            cases.take(turn, task.id)
        elif not self.given_up(turn, "why"):
            drafts.set_aside(turn, task.subject_id, str(self.why))
            turn.say("cases/set_aside")

    def _task(self, turn: Turn) -> Task:
        task = turn.session.get_one(Task, self.about["task"])
        cases.may_take(turn, task)
        return task


class ApproveFlow(Flow, name="case_approve"):
    """The second person's word on lowering or closing a red case."""

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
        if self.given_up(turn, "agreed"):
            return
        case = cases.held_case(turn, self.about["case"])
        what, agreed = case.pending, self.agreed == "yes"
        cases.answer_proposal(turn, case, agreed=agreed)
        turn.say("cases/approved", number=case.number, what=what, agreed=agreed)


def _on_case(flow: type[Flow], question: str) -> Callable[[Turn, Command], None]:
    """A command about one case: the number shown, or the only one the person has; words after it answer `question`."""

    def run(turn: Turn, command: Command) -> None:
        case, words = _case_meant(turn, command)
        started = flow(about={"case": case.id})
        code = _code(words)
        if words and question == "words":
            started.answers[question] = words
        elif code and code[0] == question:
            started.answers[question] = code[1]
        started.advance(turn)

    return run


def _code(words: str) -> tuple[str, str] | None:
    """The question and code that words after a command name, e.g. ("level", "red")."""
    for question, kind in (("level", "level"), ("kind", "case_step")):
        for code, word in labels(kind).items():
            if words == word:
                return question, code
    return None


def _case_meant(turn: Turn, command: Command) -> tuple[Case, str]:
    person = turn.require(*STAFF)
    words = command.argument
    for number in command.numbers[:1]:
        words = words.lstrip()[len(str(number)) :].strip()
        return _case_of(turn, tasklist.task_of_number(turn, number)), words
    mine = case_rows.held_by(turn.session, person.id)
    if len(mine) == 1:
        return turn.session.get_one(Case, mine[0]), words
    if not mine:
        raise Refused("cases/none")
    held = [task for one in mine for task in tasks.live_of_subject(turn.session, "case", one)]
    tasklist.show_tasks(turn, held, "tasks/which_case")
    raise Refused("cases/name_one")


def _case_of(turn: Turn, task: Task) -> Case:
    if task.subject != "case":
        raise Refused("cases/not_a_case")
    return cases.held_case(turn, task.subject_id)


def pick(turn: Turn, task: Task) -> None:
    """A number named from the list: an alarm is taken, a draft is read, a case says what can be done with it."""
    if task.kind in alarms.CLIMBING:
        cases.take(turn, task.id)
    elif task.subject == "report":
        cases.may_take(turn, task)
        ReadFlow.start(turn, task=task.id)
    elif task.kind == "approval":
        case = cases.held_case(turn, task.subject_id)
        if case.pending is None or (turn.person and case.pending_by_id == turn.person.id):
            raise Refused("cases/second_person")
        ApproveFlow.start(turn, case=case.id)
    else:
        case = cases.held_case(turn, task.subject_id)
        turn.say("cases/what_now", number=case.number, level=case.level, kind=task.kind)
        show(turn, "cases")


FLOWS: tuple[type[Flow], ...] = (
    StepFlow, AssignFlow, LevelFlow, CloseFlow, WordsToReporter, GistFlow, ReadFlow, ApproveFlow,
)  # fmt: skip
COMMANDS = {
    "claim": claim,
    "step": _on_case(StepFlow, "kind"),
    "assign": _on_case(AssignFlow, "officer"),
    "level": _on_case(LevelFlow, "level"),
    "close": _on_case(CloseFlow, "why"),
    "message_reporter": _on_case(WordsToReporter, "words"),
    "gist": _on_case(GistFlow, "words"),
}
