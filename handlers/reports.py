"""Reporting: the first message of anybody, in any words, is already a report; what follows is appended to it.

While a report is open, anything that is not plainly an answer is more of the account, never a wrong answer. What the
words mean for the staff is looked at right after the turn, in `handlers.bursts`: a reporter's turn does little.
"""

import secrets
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from handlers import account as accounts
from handlers import report_told, who
from handlers.account import AT_ONCE, SPOKEN, UNREADABLE, Account
from handlers.conversation import Flow, close, current, is_plain_answer, show
from handlers.message import Message
from handlers.questions import Choice, Words
from handlers.report_questions import NUMBER_PLEASE, CallBack, DangerNow, PoliceTold, in_danger
from handlers.report_told import Understood, unless_told
from handlers.turn import Turn
from messages import Command, label
from storage import inbox, reporters, reports, sealing, tasks
from storage.people import STAFF
from storage.reports import Report

RECEIPT_DIGITS = 12


def _at_leisure(flow: "Reporting") -> bool:
    return not in_danger(flow)


class Reporting(Flow, name="reports"):
    """At most seven questions; in immediate danger only three."""

    keeps_words, passes_on_originals = True, False
    danger = DangerNow(when=lambda flow: not flow.about.get("danger"))
    what = Words(when=lambda flow: _at_leisure(flow) and not flow.about.get("told"))
    understood = Understood()
    child = Words(when=unless_told("child", _at_leisure))
    where = Words(when=unless_told("where"))
    suspect = Words(when=unless_told("suspect", _at_leisure))
    police = PoliceTold()
    call_back = CallBack()

    def values(self, turn: Turn) -> dict[str, Any]:
        """Telephone numbers, and whether it is happening now."""
        return {"numbers": turn.policy.numbers, "danger": in_danger(self)}

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """Media are more of the account at any moment; a voice answers a question for words, a pin says where."""
        question = self.open_question(turn)
        if command and command.word == "report":
            self.repeat(turn)
        elif message.kind == "text":
            super().hear(turn, message, command)
        elif message.kind == "location":
            self._shown(turn, message, "where")
        elif message.kind in SPOKEN and question and self.questions[question].free:
            self._shown(turn, message, question)
        else:
            self._more(turn, message)
        accounts.mark_replied(turn)

    def _shown(self, turn: Turn, message: Message, question: str) -> None:
        """An answer by voice or pin: what it says stands in the account, the answer only says how it was given."""
        self.answers[question] = " ".join(filter(None, (label("entry_kind", message.kind), message.label)))
        self.answered(turn, question)
        self.advance(turn)

    def answered(self, turn: Turn, question: str) -> None:
        """Keep the answer with the report; words are also part of the account, as they came."""
        if question == "understood":
            report_told.is_wrong(self)
            return
        before = account = Account.of(turn)
        if before is None or account is None or turn.message is None:
            return
        if self.answers[question] == NUMBER_PLEASE:
            del self.answers[question]  # it is put once more
            turn.say("reports/number_please")
            return
        words = self.questions[question].free and self.answers[question] is not None
        if words:
            account = accounts.grow(turn, account, turn.message)
            self.number_given(turn.message)
        if question == "danger" and self.answers["danger"] == "yes":
            account = account.endangered()
        news = account.in_danger and not before.in_danger
        if news:
            self._now_in_danger(turn)
        look = news or self.next() is None or (words and not account.placed) or turn.message.kind in UNREADABLE
        accounts.note(turn, account, self.answers, follow=AT_ONCE if look else None)

    def unread(self, turn: Turn, question: str | None) -> None:
        """More of the account: one reply per burst, and the question at most twice; a digit is none of it."""
        if turn.message is None or is_plain_answer(turn, turn.message):
            super().unread(turn, question)
        else:
            self._more(turn, turn.message, question)

    def cancelled(self, turn: Turn) -> None:
        """What was told stays and is looked at; only the asking ends."""
        turn.say("reports/cancelled")

    def finish(self, turn: Turn) -> None:
        """Everything asked: the receipt."""
        account = Account.of(turn)
        if account is not None:
            _finish(turn, account, self.answers, danger=in_danger(self))

    def _more(self, turn: Turn, message: Message, question: str | None = None) -> None:
        before = Account.of(turn)
        if before is None:
            close(turn)
            first_words(turn, message)
            return
        silent = before.in_burst(turn)
        account = accounts.grow(turn, before, message)
        self.about["told"] = self.about.get("told") or account.told
        self.number_given(message)
        report_told.hear(turn, self, message)
        news = account.in_danger and not before.in_danger
        accounts.note(turn, account, self.answers, follow=_follow(turn, message, at_once=news))
        if news:
            self._now_in_danger(turn)
            self.advance(turn)
        elif silent:
            self.keep(turn)
        else:
            self.go_on(turn, question)

    def number_given(self, message: Message) -> None:
        """A telephone number in the account is where to ring back; it is not asked for again."""
        number = accounts.number_in(message)
        if number:
            self.answers.setdefault("call_back", number)

    def go_on(self, turn: Turn, question: str | None = None) -> None:
        """The one reply to what was added: it is kept, and the open question again, unless it was put twice."""
        turn.say("reports/more_kept")
        report_told.show(turn, self)
        if question:
            self.put(turn, question)
        else:
            self.advance(turn)

    def _now_in_danger(self, turn: Turn) -> None:
        self.about["danger"] = True
        turn.say_first("reports/in_danger", numbers=turn.policy.numbers)


class WhichChild(Flow, name="which_child"):
    """Asked once when somebody writes again after a long silence."""

    keeps_words, passes_on_originals = True, False
    same = Choice(
        "which_child", said_as={"same_child": "yes", "other_child": "no", "yes": "yes", "no": "no"}, skippable=False
    )

    def answered(self, turn: Turn, question: str) -> None:
        """The same child: both accounts become one, under the older report."""
        newer = Account.of(turn)
        if self.answers[question] == "yes" and newer is not None:
            joined = Account(**self.about["older"]).joined(newer)
            merge(turn, newer.report, joined.report)
            accounts.note(turn, joined, None, follow=AT_ONCE)

    def unread(self, turn: Turn, question: str | None) -> None:
        """More of the new account: taken as another child, which loses nothing."""
        if turn.message is None or is_plain_answer(turn, turn.message):
            super().unread(turn, question)
            return
        close(turn)
        more(turn, turn.message)

    def unfinished(self, turn: Turn) -> None:
        """Taken as another child too."""
        self.finish(turn)

    def finish(self, turn: Turn) -> None:
        """Go on with the report that it now is."""
        account = Account.of(turn)
        if self.answers.get("same") == "yes":
            turn.say("reports/added")
        elif account is not None:
            _ask(turn, account)
        accounts.mark_replied(turn)


FLOWS: tuple[type[Flow], ...] = (Reporting, WhichChild)


def merge(turn: Turn, newer: int, older: int) -> None:
    """The reporter says that both are about one child: what was opened for the newer report ends."""
    reports.merge(turn.session, newer, older)
    number = reporters.callback_of(turn.connection, newer)
    if number:
        reporters.leave_number(turn.connection, older, number)
    for task in tasks.live_of_subject(turn.session, "report", newer):
        tasks.end(turn.connection, task.id, turn.now, tasks.TaskState.CANCELLED)
    turn.session.flush()  # what follows goes past the ORM
    turn.audit("merge_by_reporter", "report", older)


def first_words(turn: Turn, message: Message) -> None:
    """A message that is no command and answers nothing: a new report, or more of the last one."""
    account = Account.of(turn)
    if account is None:
        _begin(turn, message)
    elif account.silent_since(turn.now) > timedelta(hours=turn.policy.report_open_hours) or _went_on(turn, account):
        _begin(turn, message, older=None if account.quiet else account)
    else:
        more(turn, message)


def _went_on(turn: Turn, account: Account) -> bool:
    """Whether somebody who works on cases said something else since their own report: the words may be about a case.

    So they are not added unasked. What the bot answered does not matter: a refused command has undone all it did.
    """
    if turn.talk is None or turn.inbox_id is None or not turn.roles.keys() & STAFF:
        return False
    before = inbox.came_before(turn.connection, turn.talk.contact_id, turn.inbox_id)
    return before is not None and before > max(map(datetime.fromisoformat, (account.heard, account.replied)))


def more(turn: Turn, message: Message) -> None:
    """More of the last report, outside its questions."""
    before = Account.of(turn)
    if before is None:
        _begin(turn, message)
        return
    silent = before.in_burst(turn)
    account = accounts.grow(turn, before, message)
    news = account.in_danger and not before.in_danger
    woken = before.quiet and not account.quiet
    accounts.note(turn, account, None, follow=_follow(turn, message, at_once=news or woken))
    if news or woken:
        _ask(turn, account)
    elif account.quiet:
        _quiet_reply(turn, account)
    elif not silent:
        turn.say("reports/added")
        accounts.mark_replied(turn, thanks=True)
        return
    accounts.mark_replied(turn)


def _begin(turn: Turn, message: Message, older: Account | None = None) -> None:
    account = accounts.begin(turn, message)
    if account.quiet:
        _quiet_reply(turn, account)
    elif older is not None and not account.in_danger:
        _heard(turn, account, "reports/heard_again")
        WhichChild.start(turn, older=asdict(older), newer=account.report)
    else:
        _ask(turn, account)


def _follow(turn: Turn, message: Message, *, at_once: bool) -> timedelta:
    """What others must do is looked at when the burst is over; danger and what no rule can read do not wait."""
    account = Account.of(turn)
    if at_once or message.kind in UNREADABLE or not (account and account.placed):
        return AT_ONCE
    return timedelta(seconds=turn.policy.burst_seconds)


def _ask(turn: Turn, account: Account) -> None:
    """Danger first, then the first question."""
    _heard(turn, account, "reports/heard")
    _start(turn, danger=account.in_danger, told=account.told)


def _start(turn: Turn, *, danger: bool, told: bool) -> None:
    flow = Reporting(about={"danger": danger, "told": told})
    if turn.message is not None:
        flow.number_given(turn.message)
        report_told.hear(turn, flow, turn.message)
        report_told.show(turn, flow)
    flow.advance(turn)


def _heard(turn: Turn, account: Account, name: str) -> None:
    turn.say_first("reports/in_danger" if account.in_danger else name, numbers=turn.policy.numbers)


def _quiet_reply(turn: Turn, account: Account) -> None:
    """What wakes nobody is answered in a line."""
    if account.kind == "benefit":
        area_id = turn.session.get_one(Report, account.report).area_id
        turn.say("reports/benefit", numbers=turn.policy.numbers, officer=who.officer_of(turn, area_id) is not None)
    else:
        turn.say(f"reports/{account.kind}", numbers=turn.policy.numbers)


def _finish(turn: Turn, account: Account, answers: dict[str, Any], *, danger: bool) -> None:
    """File the report: the receipt and the reporter's wishes now, the alarm and the police right after this turn."""
    receipt = "".join(str(secrets.randbelow(10)) for _ in range(RECEIPT_DIGITS))
    _note_wishes(turn, account.report, answers.get("call_back"))
    if not reports.finish(turn.connection, account.report, turn.now, sealing.ring().receipt_index(receipt)):
        turn.say("reports/added")
        return
    replace(account, finished=True).keep(turn)
    turn.holds_receipt = True
    turn.say(
        "reports/received", receipt=receipt, danger=danger, police_told=(answers.get("police") or "").startswith("yes"),
        numbers=turn.policy.numbers,
    )  # fmt: skip


def _note_wishes(turn: Turn, report_id: int, wish: str | None) -> None:
    if wish == "anonymous":
        reporters.wish(turn.connection, report_id, "anonymous", None)
    elif wish:
        reporters.wish(turn.connection, report_id, "named", wish if wish.isdecimal() else None)


def open_from_visit(turn: Turn, child_id: int, words: str) -> None:
    """A visit found a problem in a red place: its words open a report in the next message."""
    account = accounts.begin(turn, Message("text", text=words))
    account = replace(account, kind=account.kind if account.in_danger else "report", told=True)
    accounts.note(turn, account, None, follow=AT_ONCE)
    reports.about_child(turn.session, account.report, child_id)
    _heard(turn, account, "reports/from_visit")
    _start(turn, danger=account.in_danger, told=True)


def report(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone; no tap creates a report
    """The report word: say that any words will do; an open report goes on."""
    turn.say("reports/begin", numbers=turn.policy.numbers)
    flow = current(turn, FLOWS)
    if flow is not None:
        flow.repeat(turn)
    else:
        show(turn, "reports.begin")


def _answer(name: str) -> Callable[[Turn, Command], None]:
    def say(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone
        turn.say(name, numbers=turn.policy.numbers)

    return say


COMMANDS = {
    "report": report,
    "who_sees_me": _answer("reports/who_sees_me"),
    "need_permission": _answer("reports/need_permission"),
    "wrong_report": _answer("reports/wrong_report"),
}
