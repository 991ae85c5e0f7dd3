"""What a command is about: the number that was shown, or the only matter the person has."""

from collections.abc import Callable
from contextlib import suppress

from handlers import cases, tasklist
from handlers.conversation import Flow
from handlers.questions import Choice, Unclear
from handlers.report_sight import whole
from handlers.turn import Refused, Turn
from messages import Command
from storage import cases as case_rows
from storage import reports, tasks
from storage.cases import Case
from storage.people import STAFF, Person
from storage.reports import Report
from storage.tasks import Task


def on_case(flow: type[Flow], question: str) -> Callable[[Turn, Command], None]:
    """A command that starts a flow about one case; words after it answer `question`."""

    def run(turn: Turn, command: Command) -> None:
        meant = case_meant(turn, command)
        if meant is None:
            return
        case, words = meant
        started = flow(about={"case": case.id})
        first = flow.questions[question]
        if words and isinstance(first, Choice):
            with suppress(Unclear):  # then it is asked
                started.answers[question] = first.take(turn, started, words)
        elif words:
            started.answers[question] = words
        started.advance(turn)

    return run


def case_meant(turn: Turn, command: Command) -> tuple[Case, str] | None:
    """The case, and the words after its number; None: the person holds several, and was shown which."""
    person = turn.require(*STAFF)
    numbered, words = task_named(turn, command)
    if numbered is not None:
        return case_of(turn, numbered), words
    mine = case_rows.held_by(turn.session, person.id)
    if len(mine) == 1:
        return turn.session.get_one(Case, mine[0]), words
    if not mine:
        raise Refused("cases/none")
    _ask_which(turn, [], mine)
    return None


def _ask_which(turn: Turn, waiting: list[Task], held: list[int]) -> None:
    """Show what it may be about, under the numbers that make it plain."""
    by_case = (cases.task_of(turn, one) for one in held)
    tasklist.show_tasks(turn, [*waiting, *(task for task in by_case if task)], "tasks/which_case")


def what_is_meant(turn: Turn, command: Command) -> tuple[Task | Case, str] | None:
    """A report that waits to be claimed (by its task), or a case, and the words after its number; None as above."""
    person = turn.require(*STAFF)
    numbered, words = task_named(turn, command)
    if numbered is not None and numbered.subject != "report":
        return case_of(turn, numbered), words
    waiting = [numbered] if numbered else _unclaimed(turn, person)
    held = [] if numbered else case_rows.held_by(turn.session, person.id)
    if len(waiting) == 1 and not held:
        cases.may_take(turn, waiting[0])
        return waiting[0], words
    if waiting:
        _ask_which(turn, waiting, held)
        return None
    return case_meant(turn, command)


def _unclaimed(turn: Turn, person: Person) -> list[Task]:
    """One task of each report that this person was told about and nobody has."""
    waiting = tasks.told_and_open(turn.session, person.id)
    return list({task.subject_id: task for task in waiting if task.subject == "report"}.values())


def reports_meant(turn: Turn, command: Command) -> tuple[list[Report], Case | None] | None:
    """The same as its reports, of a case all that belong to it, which the person may see whole (as on the page)."""
    found = what_is_meant(turn, command)
    if found is None:
        return None
    meant, _ = found
    if isinstance(meant, Task):
        return [whole(turn, meant.subject_id).report], None
    return [whole(turn, report.id).report for report in reports.of_case(turn.session, meant.id)], meant


def task_named(turn: Turn, command: Command) -> tuple[Task | None, str]:
    """The task whose number follows the command, and the words after it."""
    words = command.argument
    for number in command.numbers[:1]:
        words = words.lstrip()[len(str(number)) :].strip()
        return tasklist.task_of_number(turn, number), words
    return None, words


def case_of(turn: Turn, task: Task) -> Case:
    """The case that a task is about."""
    if task.subject != "case":
        raise Refused("cases/not_a_case")
    return cases.held_case(turn, task.subject_id)
