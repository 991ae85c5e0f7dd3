"""The forms of the case page: each is an act that the chat knows too, done through the same functions and flows."""

from typing import Any

from handlers import alarms, approvals, case_flows, cases, drafts, police, who
from handlers.case_flows import AssignFlow, CloseFlow, GistFlow, LevelFlow, WordsToReporter
from handlers.conversation import Flow
from handlers.page import Answer, Fields, Goto, choice, moment, words
from handlers.report_questions import receipt_noted
from handlers.report_sight import Sight, case_of, look_at, whole
from handlers.turn import Refused, Turn
from messages import labels, render
from storage import tasks
from storage.cases import CaseStage
from storage.reports import ReportStage
from storage.tasks import TaskState

_TAKEABLE = (*alarms.CLIMBING, *drafts.TASKS)
_LONGEST_NOTE, _LONGEST_NUMBER = 600, 40


def _back(path: Fields) -> Goto:
    return Goto(f"/m/case/{path['report']}")


def claim(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - a button alone
    """Claim it. Whoever comes second reads who has it."""
    sight = look_at(turn, int(path["report"]))
    if sight.unclaimed:
        case = cases.take(turn, _task_of(turn, sight))
        if case is not None:
            turn.said[:] = [render("pages/claimed", number=case.number)]  # the chat's words are about what to type
    elif sight.case is not None:
        mine = turn.person is not None and sight.case.holder_id == turn.person.id
        holder = alarms.name_of(turn, sight.case.holder_id)
        turn.say("alarms/held", holder=holder, mine=mine, at=sight.case.opened_at)
    return _back(path)


def _task_of(turn: Turn, sight: Sight) -> int:
    """The most urgent task that can be claimed; a report that woke nobody gets one now."""
    report = sight.report
    live = [
        task
        for task in tasks.live_of_subject(turn.session, "report", report.id, _TAKEABLE)
        if task.state == TaskState.OPEN
    ]
    if not live:
        alarms.open_alarm(turn, report.id, report.area_id, alarms.ORDINARY)
        live = tasks.live_of_subject(turn.session, "report", report.id, _TAKEABLE)
    found = max(live, key=lambda task: task.urgency, default=None)
    if found is None:
        raise Refused("common/not_now")
    if turn.person is not None and turn.person.id in who.on_duty(turn, report.area_id):
        tasks.tell(turn.session, found.id, turn.person.id, found.rung, turn.now)  # seeing it on duty is being told
    return found.id


def situation(turn: Turn, path: Fields, form: Fields) -> Answer:
    """One of the nine situations, or none of them: a person decides, the rules only suggest."""
    sight = whole(turn, int(path["report"]))
    chosen = int(choice(form, "situation", {*labels("situation"), *labels("situation_none")}))
    cases.confirm_situation(turn, sight.report, chosen)
    turn.say("pages/kept")
    return _back(path)


def step(turn: Turn, path: Fields, form: Fields) -> Answer:
    """Something that was done, with a note, at a time of its own."""
    case = case_of(turn, int(path["report"]))
    kind = choice(form, "kind", labels("case_step"))
    note = words(form, "note", _LONGEST_NOTE, needed=False)
    at = moment(turn, form, "at")
    receipt = receipt_noted(note or "") if kind == "police_receipt" else None
    cases.record_step(turn, case, kind, note, at, receipt)
    turn.say("cases/step_kept", number=case.number, kind=kind, receipt=receipt, at=at)
    return _back(path)


def receipt(turn: Turn, path: Fields, form: Fields) -> Answer:
    """The number the police gave."""
    sight = whole(turn, int(path["report"]))
    number = words(form, "number", _LONGEST_NUMBER)
    if sight.report.police_receipt != number:
        police.keep_receipt(turn, sight.report, str(number))
        if sight.case is not None:
            cases.record_step(turn, sight.case, "police_receipt")
    turn.say("pages/kept")
    return _back(path)


def set_aside(turn: Turn, path: Fields, form: Fields) -> Answer:
    """Not about a child: one person says so, with a reason; once somebody has it, two."""
    sight = whole(turn, int(path["report"]))
    why = words(form, "why", _LONGEST_NOTE)
    if sight.case is not None and sight.case.stage != CaseStage.CLOSED:
        done = approvals.set_aside(turn, sight.case, str(why))
        turn.say("cases/case_set_aside", number=sight.case.number, done=done)
        return _back(path)
    if sight.report.stage != ReportStage.SET_ASIDE:
        drafts.set_aside(turn, sight.report.id, str(why))
    turn.say("cases/set_aside")
    return _back(path)


def approve(turn: Turn, path: Fields, form: Fields) -> Answer:
    """The second person's word on what the first proposed for a red case."""
    case = case_of(turn, int(path["report"]))
    what, agreed = case.pending, choice(form, "agreed", labels("yes_no")) == "yes"
    approvals.answer_proposal(turn, case, agreed=agreed)
    turn.say("cases/approved", number=case.number, what=what, agreed=agreed)
    return _back(path)


def assign(turn: Turn, path: Fields, form: Fields) -> Answer:
    """Which village child officer."""
    case = case_of(turn, int(path["report"]))
    offered = AssignFlow.questions["officer"].options(turn, AssignFlow(about={"case": case.id}))
    officer = choice(form, "officer", [one.code for one in offered])
    too_much = case_flows.over(turn, AssignFlow({"officer": officer}, {"case": case.id}))
    if too_much and not form.get("sure"):
        turn.say("cases/over", over=too_much)
        return _back(path)
    return _done(turn, path, AssignFlow, {"officer": officer})


def level(turn: Turn, path: Fields, form: Fields) -> Answer:
    """The level, with a reason."""
    answers = {"level": choice(form, "level", approvals.LEVELS), "why": words(form, "why", _LONGEST_NOTE)}
    return _done(turn, path, LevelFlow, answers)


def close(turn: Turn, path: Fields, form: Fields) -> Answer:
    """Why it can be closed."""
    return _done(turn, path, CloseFlow, {"why": words(form, "why", _LONGEST_NOTE)})


def message(turn: Turn, path: Fields, form: Fields) -> Answer:
    """What the reporter shall read."""
    return _done(turn, path, WordsToReporter, {"words": words(form, "words", WordsToReporter.words.limit)})


def gist(turn: Turn, path: Fields, form: Fields) -> Answer:
    """What a voice message or a picture says, in the listener's words."""
    return _done(turn, path, GistFlow, {"words": words(form, "words", _LONGEST_NOTE)})


def _done(turn: Turn, path: Fields, flow: type[Flow], answers: dict[str, Any]) -> Goto:
    """A form is a flow with all its answers given at once."""
    case = case_of(turn, int(path["report"]))
    flow(answers=answers, about={"case": case.id}).finish(turn)
    return _back(path)
