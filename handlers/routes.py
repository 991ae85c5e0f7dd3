"""The table of contents: words, events, tasks, flows → functions. Everything the bot does can be found from here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from handlers import (
    alarms,
    approvals,
    bursts,
    case_flows,
    case_looks,
    cases,
    delivery,
    digest,
    drafts,
    people,
    police,
    progress,
    reports,
    subscriptions,
    tasklist,
    verification,
    visits,
)
from handlers.account import UNREADABLE, Account
from handlers.conversation import CONTROL, Flow, current, is_bare_digit, is_plain_answer, stale
from handlers.kinds import TaskKind
from handlers.message import Message
from handlers.questions import Unclear
from handlers.turn import Refused, Turn
from messages import Command, command

COMMANDS: Mapping[str, Callable[[Turn, Command], None]] = {
    **reports.COMMANDS,
    **progress.COMMANDS,
    **tasklist.COMMANDS,
    **case_flows.COMMANDS,
    **case_looks.COMMANDS,
    **visits.COMMANDS,
    **digest.COMMANDS,
    **people.COMMANDS,
}
"""Words of words.toml and menu keys."""

FLOWS: tuple[type[Flow], ...] = (
    *reports.FLOWS,
    *progress.FLOWS,
    *case_flows.FLOWS,
    *visits.FLOWS,
    *people.FLOWS,
)

_NEVER_LISTED = frozenset({"burst", "police_receipt", "digest", "absence"})
"""Kinds that the bot or the reporter has to do with: nobody picks them from a list."""
TASKS: Mapping[str, TaskKind] = {
    **{
        name: kind if kind.pick or name in _NEVER_LISTED else replace(kind, pick=case_flows.pick)
        for table in (alarms.TASKS, bursts.TASKS, drafts.TASKS, police.TASKS, cases.TASKS, approvals.TASKS)
        for name, kind in table.items()
    },
    **visits.TASKS,
    **digest.TASKS,
    **people.TASKS,
    **verification.TASKS,
}

_ASIDE = frozenset({"who_sees_me", "need_permission", "wrong_report", "help", "duty", "what_is", "lost"})
"""Commands answered at any moment without leaving the flow."""
_ANSWERS = frozenset({"yes", "no", "no_number", "all_fine", "not_met", "phone_contact", "same_child", "other_child"})
"""Words that mean something only to an open question."""


def handle(turn: Turn, message: Message) -> None:
    """One message or event: events and commands, then the answer to the open question, then free words (design 4)."""
    turn.kinds = TASKS
    if message.kind == "event":
        act = EVENTS.get(message.event or "")
        if act is not None:
            act(turn, message)
        return
    _hear(turn, message)
    if message.kind == "file":
        turn.say("common/no_files")
    elif message.media_id and not turn.policy.fetches:
        turn.say("originals/not_here")


def _hear(turn: Turn, message: Message) -> None:
    tapped = _tapped_flow(message)
    said = command(message.text or "") if message.kind == "text" and not tapped else None
    flow = current(turn, FLOWS)
    if flow is not None and not (said and _leaves(said, flow)):
        _hear_in(flow, turn, message, said)
    elif tapped:
        turn.say("common/too_late")
    elif said and said.word in COMMANDS and _for_this_person(turn, said):
        COMMANDS[said.word](turn, said)
    elif said and said.word in {"no", "no_number"} and police.none_yet(turn):
        return
    elif said and said.word in CONTROL | _ANSWERS:
        turn.say("common/nothing_open")
    elif is_plain_answer(turn, message):
        _hear_digit(turn, message)
    elif not (message.kind == "text" and police.heard_receipt(turn, message.text or "")):
        _hear_freely(turn, message)


def _hear_in(flow: Flow, turn: Turn, message: Message, said: Command | None) -> None:
    """A message while a question is open; what the flow leaves unheard when it ends is heard as free words."""
    if said and said.word in _ASIDE:
        COMMANDS[said.word](turn, said)
    elif (message.kind in UNREADABLE or turn.policy.numbers.is_emergency(message.text)) and flow.passes_on_originals:
        flow.pass_on(turn)
        reports.first_words(turn, message)
    elif said or not _asks_progress(turn, flow, message):
        flow.hear(turn, message, said)
        if flow.passed_on and not (said or is_plain_answer(turn, message)):
            reports.first_words(turn, message)


def _hear_digit(turn: Turn, message: Message) -> None:
    """A digit or a tap outside flows: it names something of the list shown last, and is no account by itself.

    But the first words of anybody are a report, whatever they are.
    """
    if is_bare_digit(message) and _picks(turn):
        _pick(turn, int((message.text or "0").strip()))
    elif not (turn.roles or Account.of(turn)):
        reports.first_words(turn, message)
    else:
        turn.say("common/nothing_open")


def _hear_freely(turn: Turn, message: Message) -> None:
    """A question for progress, or a report: a new one, or more of the last one."""
    if not progress.asked_in_own_words(turn, message):
        reports.first_words(turn, message)


def _asks_progress(turn: Turn, flow: Flow, message: Message) -> bool:
    """Whether a reporter asks how it stands instead of answering."""
    question = flow.open_question(turn) if flow.name == "reports" and progress.is_query(message) else None
    if question is None:
        return False
    try:
        flow.questions[question].read(turn, flow, message, None)
    except Unclear:
        return progress.asked_in_own_words(turn, message)
    return False


def _tapped_flow(message: Message) -> bool:
    """Whether a link of some flow's question was tapped; other links stand for the words they show."""
    if not message.menu_id:
        return False
    name, _, question = message.menu_id.partition(".")
    return any(flow.name == name and question in flow.questions for flow in FLOWS)


def _leaves(said: Command, flow: Flow) -> bool:
    """Whether a command ends the flow it came in: not the flow's own words, and no answer that sounds like one."""
    if said.word in CONTROL | _ANSWERS | _ASIDE:
        return False
    if said.word == "claim":
        return bool(said.numbers) or flow.name != "reports"
    if said.word == "set_aside":
        return bool(said.numbers) or flow.name != "case_read"
    if said.word == "more":
        return flow.next() != "child"  # the children to choose from have pages of their own
    return not (flow.name == "reports" and said.word in {"report", "supplement"})


def _for_this_person(turn: Turn, said: Command) -> bool:
    """Staff words of somebody who is no staff are an account like any other ("I go" may begin a sentence)."""
    if said.word in _STAFF_WORDS and turn.person is None:
        return said.word in {"my_tasks", "digest"} or bool(said.numbers)
    return True


_STAFF_WORDS = frozenset(
    {
        *tasklist.COMMANDS,
        *case_flows.COMMANDS,
        *case_looks.COMMANDS,
        *visits.COMMANDS,
        "digest",
        "list",
        "leave",
        "away",
    }
    | {"at_work", "away_list"}
)


def _picks(turn: Turn) -> bool:
    asked = turn.talk.asked if turn.talk else None
    return bool(asked and asked.startswith(("tasks", "digest")))


def _pick(turn: Turn, number: int) -> None:
    """A bare digit answers only the list shown last; when it may belong to something else, the list comes again."""
    asked = turn.talk.asked or "" if turn.talk else ""
    if stale(turn):
        turn.say("common/again")
        COMMANDS["my_tasks" if asked.startswith("tasks") else "digest"](turn, Command("my_tasks"))
    elif asked.startswith("digest"):
        COMMANDS["list"](turn, Command("list", str(number), (number,)))
    else:
        task = tasklist.task_of_number(turn, number)
        kind = TASKS[task.kind]
        if kind.pick is None:
            raise Refused("tasks/nothing_to_answer")
        kind.pick(turn, task)


def _clicked(turn: Turn, message: Message) -> None:
    """A menu key; one of an old menu, which phones show for another day, is answered with what there is."""
    key = message.event_key or ""
    key = key if key in COMMANDS else "help"
    COMMANDS[key](turn, Command(key))


EVENTS: Mapping[str, Callable[[Turn, Message], None]] = {
    **people.EVENTS,
    **verification.EVENTS,
    **subscriptions.EVENTS,
    "click": _clicked,
    "templatesendjobfinish": delivery.reported,
}
"""Events that something follows from; the door acknowledges all others without a turn."""


def due_failed(turn: Turn, kind: str, subject_id: int) -> None:
    """A due task failed for the first time; it is tried again, but what the staff must hear is not left waiting."""
    if kind == "burst":
        bursts.wake_staff(turn, subject_id)


def unread_message(turn: Turn, inbox_id: int, *, parked: bool) -> None:
    """A message whose turn failed is on the duty list at once (design 3.6)."""
    alarms.open_unread(turn, inbox_id, parked=parked)


def asks_for_more(message: Message) -> bool:
    """Whether somebody only wants to read on."""
    said = command(message.text or "") if message.kind == "text" else None
    return said is not None and said.word == "more"


def is_from_a_person(message: Message) -> bool:
    """Whether somebody waits for an answer: messages do, most events do not."""
    return message.kind != "event"
