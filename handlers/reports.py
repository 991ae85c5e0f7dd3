"""Reporting: the first message of anybody, in any words, is already a report; what follows is appended to it.

While a report is open, anything that is not plainly an answer is more of the account, never a wrong answer.
"""

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from handlers import account as accounts
from handlers import alarms, police
from handlers.account import UNREADABLE, Account
from handlers.conversation import Flow, close, show
from handlers.message import Message
from handlers.questions import Words, YesNo
from handlers.report_questions import CallBack, PoliceTold
from handlers.turn import Turn
from messages import Command
from storage import reporters, reports, sealing, tasks
from storage.reports import Report

RECEIPT_DIGITS = 12
QUIET_KINDS = frozenset({"greeting", "advert", "question", "benefit"})
"""Kept and listed, but they wake nobody (benefit: a task of the village officer)."""


def _in_danger(flow: "Reporting") -> bool:
    return bool(flow.about.get("danger")) or flow.answers.get("danger") == "yes"


def _at_leisure(flow: "Reporting") -> bool:
    return not _in_danger(flow)


class Reporting(Flow, name="reports"):
    """At most seven questions; in immediate danger only three."""

    danger = YesNo(when=lambda flow: not flow.about.get("danger"))
    what = Words(when=lambda flow: _at_leisure(flow) and not flow.about.get("told"))
    child = Words(when=_at_leisure)
    where = Words()
    suspect = Words(when=_at_leisure)
    police = PoliceTold()
    call_back = CallBack()

    def values(self, turn: Turn) -> dict[str, Any]:
        """Telephone numbers, and whether it is happening now."""
        return {"numbers": turn.policy.numbers, "danger": _in_danger(self)}

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """Media are more of the account at any moment; words are an answer or more of the account."""
        if message.kind == "text":
            super().hear(turn, message, command)
        else:
            self._more(turn, message)

    def answered(self, turn: Turn, question: str) -> None:
        """Keep the answer with the report; words are also part of the account, as they came."""
        account = Account.of(turn)
        if account is None or turn.message is None:
            return
        if self.questions[question].free and self.answers[question] is not None:
            account = accounts.add(turn, account, turn.message, answers=self.answers)
        else:
            accounts.note(turn, account, self.answers)
        if question == "danger" and self.answers["danger"] == "yes":
            turn.say("reports/in_danger", numbers=turn.policy.numbers)
            _raise_alarm(turn, account)
        elif account.in_danger and not _in_danger(self):
            self._now_in_danger(turn, account)
        _mark_replied(turn)

    def unread(self, turn: Turn, question: str) -> None:
        """More of the account: one reply per burst, and the question at most twice."""
        if turn.message is not None:
            self._more(turn, turn.message, question)

    def cancelled(self, turn: Turn) -> None:
        """What was told stays and is looked at; only the asking ends."""
        turn.say("reports/cancelled")

    def finish(self, turn: Turn) -> None:
        """Everything asked: the receipt, and the alarm where there is none yet."""
        account = Account.of(turn)
        if account is not None:
            finish(turn, account, self.answers)

    def _more(self, turn: Turn, message: Message, question: str | None = None) -> None:
        account = Account.of(turn)
        if account is None:
            close(turn)
            first_words(turn, message)
            return
        before = account
        account = accounts.add(turn, account, message, answers=self.answers)
        if account.told:
            self.about["told"] = True
        if message.kind in UNREADABLE:
            alarms.open_listening(turn, account.report, account.area)
        if account.in_danger and not before.in_danger and not _in_danger(self):
            self._now_in_danger(turn, account)
            self.advance(turn)
        elif before.was_answered_just_now(turn):
            self.keep(turn)
            return
        else:
            turn.say("reports/more_kept")
            self.put(turn, question) if question else self.advance(turn)
        _mark_replied(turn)

    def _now_in_danger(self, turn: Turn, account: Account) -> None:
        self.about["danger"] = True
        turn.say("reports/in_danger", numbers=turn.policy.numbers)
        _raise_alarm(turn, account)


class WhichChild(Flow, name="which_child"):
    """Asked once when somebody writes again after a long silence."""

    same = YesNo(skippable=False)

    def answered(self, turn: Turn, question: str) -> None:
        """The same child: both accounts become one, under the older report."""
        if self.answers[question] != "yes":
            return
        older, newer = int(self.about["older"]["report"]), int(self.about["newer"])
        reports.merge(turn.session, newer, older)
        for task in tasks.live_of_subject(turn.session, "report", newer):
            tasks.end(turn.connection, task.id, turn.now, tasks.TaskState.CANCELLED)
        Account(**self.about["older"] | {"heard": turn.now.isoformat()}).keep(turn)
        turn.audit("merge_by_reporter", "report", older)

    def unread(self, turn: Turn, question: str) -> None:  # noqa: ARG002 - there is one question
        """More of the new account: taken as another child, which loses nothing."""
        close(turn)
        if turn.message is not None:
            more(turn, turn.message)

    def finish(self, turn: Turn) -> None:
        """Go on with the report that it now is."""
        if self.answers.get("same") == "yes":
            turn.say("reports/added")
        else:
            account = Account.of(turn)
            if account is not None:
                _ask(turn, account)


FLOWS: tuple[type[Flow], ...] = (Reporting, WhichChild)


def first_words(turn: Turn, message: Message) -> None:
    """A message that is no command and answers nothing: a new report, or more of the last one."""
    account = Account.of(turn)
    if account is None:
        _begin(turn, message)
    elif account.silent_since(turn.now) > timedelta(hours=turn.policy.report_open_hours):
        _begin(turn, message, older=account)
    else:
        more(turn, message)


def more(turn: Turn, message: Message) -> None:
    """More of the last report, outside its questions."""
    account = Account.of(turn)
    if account is None:
        _begin(turn, message)
        return
    before = account
    account = accounts.add(turn, account, message)
    if message.kind in UNREADABLE:
        alarms.open_listening(turn, account.report, account.area)
    if account.in_danger and not before.in_danger:
        _ask(turn, account)
    elif account.kind not in QUIET_KINDS and before.kind in QUIET_KINDS:
        _watch(turn, account)
        _ask(turn, account)
    elif account.kind in QUIET_KINDS:
        _quiet_reply(turn, account)
    elif not before.was_answered_just_now(turn):
        alarms.tell_holder_of_more(turn, account.report)
        turn.say("reports/added")
    else:
        return
    _mark_replied(turn)


def _begin(turn: Turn, message: Message, older: Account | None = None) -> None:
    account = accounts.begin(turn, message)
    if account.kind in QUIET_KINDS:
        _quiet_reply(turn, account)
        return
    _watch(turn, account)
    if message.kind in UNREADABLE:
        alarms.open_listening(turn, account.report, account.area)
    if older is not None and not account.in_danger:
        WhichChild.start(turn, older=asdict(older), newer=account.report)
    else:
        _ask(turn, account)
    _mark_replied(turn)


def _ask(turn: Turn, account: Account) -> None:
    """Danger first, then the first question."""
    if account.in_danger:
        turn.say("reports/in_danger", numbers=turn.policy.numbers)
        _raise_alarm(turn, account)
    else:
        turn.say("reports/heard", numbers=turn.policy.numbers)
    Reporting.start(turn, danger=account.in_danger, told=account.told)


def _quiet_reply(turn: Turn, account: Account) -> None:
    """What wakes nobody is answered in a line."""
    if account.kind == "benefit":
        alarms.open_benefit(turn, account.report, account.area)
    turn.say(f"reports/{account.kind}", numbers=turn.policy.numbers)


def _watch(turn: Turn, account: Account) -> None:
    """The draft is on the duty list, and silence is noticed."""
    quiet = turn.now + timedelta(minutes=turn.policy.report_quiet_minutes)
    turn.open_task(
        "draft_report", "report", account.report, account.area, due_at=quiet, next_at=quiet, role="duty"
    )


def _raise_alarm(turn: Turn, account: Account) -> None:
    urgency = alarms.RED if account.in_danger or _said_danger(turn) else alarms.URGENT
    alarms.open_alarm(turn, account.report, account.area, urgency)


def _said_danger(turn: Turn) -> bool:
    state = turn.talk.answers.get("flow") if turn.talk else None
    return bool(state and state["answers"].get("danger") == "yes")


def finish(turn: Turn, account: Account, answers: dict[str, Any]) -> None:
    """File the report: receipt, reporter's wishes, what the police know, the alarm."""
    report = turn.session.get_one(Report, account.report)
    if report.finished_at is not None:
        turn.say("reports/added")
        return
    receipt = "".join(str(secrets.randbelow(10)) for _ in range(RECEIPT_DIGITS))
    report.receipt_index = sealing.ring().receipt_index(receipt)
    report.finished_at = turn.now
    if report.stage == reports.ReportStage.DRAFT:
        report.file(turn.session, by=None, at=turn.now)
    _note_wishes(turn, account.report, answers.get("call_back"))
    police.note(turn, report, answers.get("police"))
    for task in tasks.live_of_subject(turn.session, "report", account.report, ["draft_report"]):
        tasks.end(turn.connection, task.id, turn.now)
    danger = account.in_danger or answers.get("danger") == "yes"
    alarms.open_alarm(turn, account.report, account.area, alarms.RED if danger else alarms.URGENT)
    turn.holds_receipt = True
    turn.say(
        "reports/received", receipt=receipt, danger=danger, police_told=report.police_told_at is not None,
        numbers=turn.policy.numbers,
    )  # fmt: skip


def _note_wishes(turn: Turn, report_id: int, wish: str | None) -> None:
    reporter = reporters.of(turn.session, report_id)
    if wish == "anonymous":
        reporter.kind = "anonymous"
    elif wish:
        reporter.kind = "named"
        reporter.callback = wish if wish.isdecimal() else None


def open_from_visit(turn: Turn, child_id: int, words: str) -> None:
    """A visit found a problem in a red place: its words open a report in the next message."""
    account = accounts.begin(turn, Message("text", text=words))
    account = Account(**vars(account) | {"kind": "report", "told": True})
    account.keep(turn)
    reports.about_child(turn.session, account.report, child_id)
    _watch(turn, account)
    turn.say("reports/from_visit", numbers=turn.policy.numbers)
    Reporting.start(turn, danger=account.in_danger, told=True)


def _mark_replied(turn: Turn) -> None:
    account = Account.of(turn)
    if account is not None and turn.said:
        Account(**vars(account) | {"replied": turn.now.isoformat()}).keep(turn)


def report(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone; no tap creates a report
    """The report word: say that any words will do; an open report goes on."""
    turn.say("reports/begin", numbers=turn.policy.numbers)
    show(turn, "reports.begin")


def _answer(name: str) -> Any:  # noqa: ANN401 - a command handler
    def say(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone
        turn.say(name, numbers=turn.policy.numbers)

    return say


COMMANDS = {
    "report": report,
    "who_sees_me": _answer("reports/who_sees_me"),
    "need_permission": _answer("reports/need_permission"),
    "wrong_report": _answer("reports/wrong_report"),
}
