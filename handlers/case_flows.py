"""Cases by words: claim, step, assign, level, words to the reporter, gist, close.

Each with or without the number that was shown.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from handlers import alarms, approvals, case_verdicts, cases, moving, tasklist, who
from handlers.case_danger import CaseFlow
from handlers.case_named import on_case
from handlers.case_verdicts import ApproveFlow, ReadFlow
from handlers.conversation import Flow, show
from handlers.questions import Choice, Words, YesNo
from handlers.report_questions import ReceiptNumber, receipt_noted, says_none
from handlers.turn import Refused, Turn
from handlers.workdays import at, local_day
from messages import Command, labels, pattern, plain
from storage import areas, people, reports, tasks
from storage.loads import Load
from storage.people import STAFF, Person, Role
from storage.tasks import Task


def claim(turn: Turn, command: Command) -> None:
    """Claim, with or without numbers: the one alarm there is, or those whose numbers are named."""
    person = turn.require(*STAFF)
    if command.numbers:
        for number in command.numbers:
            try:
                _claim(turn, person, number)
            except Refused as no:  # the other numbers are not to be undone
                turn.say(no.name, **no.values)
        return
    waiting = [task for task in tasks.told_and_open(turn.session, person.id) if task.kind in cases.CLAIMABLE]
    if waiting and len({(task.subject, task.subject_id) for task in waiting}) == 1:  # one matter, whatever its tasks
        cases.take(turn, waiting[0].id)
    elif waiting:
        tasklist.show_tasks(turn, waiting, "tasks/which_to_claim")
    else:
        last = tasks.last_told(turn.session, person.id, cases.CLAIMABLE)
        if last is None:
            raise Refused("alarms/nothing_to_claim")
        cases.take(turn, last.id)  # says who holds it


def _claim(turn: Turn, person: Person, number: int) -> None:
    """What nobody has yet is taken; of anything else it is said whose it is, and how it is done."""
    task, shown = tasklist.task_of_number(turn, number), tasklist.shown_task(turn, number)
    if task.kind in cases.CLAIMABLE:
        cases.take(turn, task.id)
    elif shown.kind in cases.CLAIMABLE:
        case = cases.held_case(turn, task.subject_id)
        holder = alarms.name_of(turn, case.holder_id)
        turn.say("alarms/held", holder=holder, mine=case.holder_id == person.id, at=shown.claimed_at or case.opened_at)
    else:
        holder = alarms.name_of(turn, task.person_id)
        mine = task.person_id == person.id
        turn.say("tasks/not_to_claim", number=number, kind=task.kind, holder=holder, mine=mine)


def _receipt_is_wanted(flow: Flow) -> bool:
    """Whether the police's receipt was got and the note neither has its number nor says that there is none."""
    note = flow.answers.get("note") or ""
    return flow.answers.get("kind") == "police_receipt" and not (receipt_noted(note) or says_none(note))


def _said_at(turn: Turn, note: str) -> datetime | None:
    """When it happened, where a note begins with that: a clock time, with a day's word before it or without."""
    found = pattern("said_at").match(plain(note))
    if found is None:
        return None
    hour = int(found["hour"] or found["spoken"]) + (12 if found["late"] else 0)
    minute = found["minute"] or found["past"] or "0"
    day = local_day(turn.now) - timedelta(days=int(labels("day_word").get(found["day"], "0")))
    moment = at(day, time(hour, int(minute) if minute.isdecimal() else 30))  # half past, in words
    return moment if moment <= turn.now else None


class StepFlow(CaseFlow, name="case_step"):
    """What was done, and a word about it."""

    kind = Choice("case_step", skippable=False, besides="note")
    note = Words()
    number = ReceiptNumber(when=_receipt_is_wanted)

    def values(self, turn: Turn) -> dict[str, Any]:  # noqa: ARG002 - every flow's shape
        """Which step, once it is known: of a receipt the number is asked for."""
        return {"kind": self.kind}

    def finish(self, turn: Turn) -> None:
        """Record it."""
        case = cases.held_case(turn, self.about["case"])
        note = " ".join(filter(None, (self.note, self.number))) or None
        moment = _said_at(turn, note or "")
        is_receipt = self.kind == "police_receipt"
        receipt = (self.number or receipt_noted(self.note or "")) if is_receipt else None
        cases.record_step(turn, case, str(self.kind), note, moment, receipt)
        turn.say("cases/step_kept", number=case.number, kind=str(self.kind), receipt=receipt, at=moment)


def _officers(turn: Turn, flow: Any) -> Sequence[tuple[str, str]]:  # noqa: ANN401 - the flow that asks
    case = cases.held_case(turn, flow.about["case"])
    chain = areas.chain(turn.session, case.area_id)
    township = next((one for one in chain if one.level == areas.AreaLevel.TOWNSHIP), chain[-1])
    held = people.holders_below(turn.session, Role.VILLAGE_CHILD_OFFICER, township.path, turn.now)
    found = [one for one in held if one.away_until is None]
    nearest = who.officer_of(turn, case.area_id)
    ordered = sorted(found, key=lambda one: one.id != nearest)
    return [(str(one.id), f"{one.name} {alarms.place_of(turn, one.area_id or case.area_id)}") for one in ordered[:9]]


def over(turn: Turn, flow: "AssignFlow") -> dict[str, Any] | None:
    """What the officer that was chosen would have, where it is over the county's limits."""
    return moving.over(turn, flow.officer, Load(cases=frozenset({flow.about["case"]})))


class AssignFlow(Flow, name="case_assign"):
    """Which village child officer."""

    officer = Choice(among=_officers, skippable=False, besides="")
    sure = YesNo(when=lambda flow: flow.about.get("over"), skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:  # noqa: ARG002 - every flow's shape
        """What the officer would have, where it is too much."""
        return {"over": self.about.get("over")}

    def answered(self, turn: Turn, question: str) -> None:
        """Whoever has enough is given more only by somebody who knows it; else another is chosen."""
        self.about["over"] = over(turn, self)
        if question == "sure" and self.sure != "yes":
            self.answers, self.about["over"] = {}, None

    def finish(self, turn: Turn) -> None:
        """Assign."""
        case = cases.held_case(turn, self.about["case"])
        cases.assign(turn, case, int(str(self.officer)))
        turn.say("cases/assigned", number=case.number, officer=alarms.name_of(turn, case.officer_id))


class LevelFlow(CaseFlow, name="case_level"):
    """The level, with a reason."""

    level = Choice("level", skippable=False, besides="why")
    why = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Set it, or wait for the second person."""
        case = cases.held_case(turn, self.about["case"])
        done = approvals.set_level(turn, case, str(self.level), str(self.why))
        turn.say("cases/level_set", number=case.number, level=str(self.level), done=done)


class CloseFlow(CaseFlow, name="case_close"):
    """Why it can be closed."""

    why = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Close it, or wait for the second person."""
        case = cases.held_case(turn, self.about["case"])
        done = approvals.close(turn, case, str(self.why))
        turn.say("cases/closed", number=case.number, done=done)


class WordsToReporter(CaseFlow, name="case_message"):
    """What the reporter shall read."""

    keeps_words = True
    words = Words(skippable=False, limit=300)

    def finish(self, turn: Turn) -> None:
        """Send it on."""
        case = cases.held_case(turn, self.about["case"])
        mine = reports.of_case(turn.session, case.id)
        reached = [cases.message_reporter(turn, one.id, str(self.words)) for one in mine]
        turn.say("cases/message_sent", reached=any(reached))


class GistFlow(CaseFlow, name="case_gist"):
    """What a voice message or a picture says, in the listener's words."""

    keeps_words = True
    words = Words(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Kept with the account, as the listener's."""
        case = cases.held_case(turn, self.about["case"])
        for report in reports.of_case(turn.session, case.id):
            reports.append(turn.connection, report.id, turn.now, "gist", text=str(self.words), by="staff")
        turn.say("cases/gist_kept", number=case.number)


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
    StepFlow, AssignFlow, LevelFlow, CloseFlow, WordsToReporter, GistFlow, *case_verdicts.FLOWS,
)  # fmt: skip
COMMANDS = {
    "claim": claim,
    "step": on_case(StepFlow, "kind"),
    "assign": on_case(AssignFlow, "officer"),
    "level": on_case(LevelFlow, "level"),
    "close": on_case(CloseFlow, "why"),
    "message_reporter": on_case(WordsToReporter, "words"),
    "gist": on_case(GistFlow, "words"),
    **case_verdicts.COMMANDS,
}
