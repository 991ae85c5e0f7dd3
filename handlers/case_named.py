"""What a command is about: the number that was shown, or the only matter the person has."""

from collections.abc import Callable

from handlers import cases, tasklist
from handlers.conversation import Flow
from handlers.turn import Refused, Turn
from messages import Command, labels
from storage import cases as case_rows
from storage import reports, tasks
from storage.cases import Case
from storage.people import STAFF, Person
from storage.reports import Report
from storage.tasks import Task


def on_case(flow: type[Flow], question: str) -> Callable[[Turn, Command], None]:
    """A command that starts a flow about one case; words after it answer `question`."""

    def run(turn: Turn, command: Command) -> None:
        case, words = case_meant(turn, command)
        started = flow(about={"case": case.id})
        code = _code(words)
        if words and question in {"words", "why"}:
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


def case_meant(turn: Turn, command: Command) -> tuple[Case, str]:
    """The case, and the words after its number."""
    person = turn.require(*STAFF)
    numbered, words = task_named(turn, command)
    if numbered is not None:
        return case_of(turn, numbered), words
    mine = case_rows.held_by(turn.session, person.id)
    if len(mine) == 1:
        return turn.session.get_one(Case, mine[0]), words
    if not mine:
        raise Refused("cases/none")
    held = [task for one in mine for task in tasks.live_of_subject(turn.session, "case", one)]
    tasklist.show_tasks(turn, held, "tasks/which_case")
    raise Refused("cases/name_one")


def what_is_meant(turn: Turn, command: Command) -> tuple[Task | Case, str]:
    """A report that waits to be claimed (by its task), or a case; and the words after its number."""
    person = turn.require(*STAFF)
    numbered, words = task_named(turn, command)
    if numbered is not None and numbered.subject != "report":
        return case_of(turn, numbered), words
    waiting = [numbered] if numbered else _unclaimed(turn, person)
    if len(waiting) == 1 and (numbered or not case_rows.held_by(turn.session, person.id)):
        cases.may_take(turn, waiting[0])
        return waiting[0], words
    if waiting:
        raise Refused("cases/name_one")
    return case_meant(turn, command)


def _unclaimed(turn: Turn, person: Person) -> list[Task]:
    """One task of each report that this person was told about and nobody has."""
    waiting = tasks.told_and_open(turn.session, person.id)
    return list({task.subject_id: task for task in waiting if task.subject == "report"}.values())


def reports_meant(turn: Turn, command: Command) -> tuple[list[Report], Case | None]:
    """The same as its reports: of a case all that belong to it."""
    meant, _ = what_is_meant(turn, command)
    if isinstance(meant, Task):
        return [turn.session.get_one(Report, meant.subject_id)], None
    return reports.of_case(turn.session, meant.id), meant


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
