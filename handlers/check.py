"""What `tongban check` lists: open records for which, at this minute, nobody is there who must act (design 1, 5).

A holder whom no channel reaches counts as nobody. Sentences hold ids only. The list should be empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from handlers import plans, who
from handlers.turn import Turn
from handlers.workdays import CHINA
from storage import check, loads, silences
from storage.people import Role

GRACE = timedelta(minutes=1)
"""A report may be this old before something has to be asked of somebody."""
MISSING = {
    "lost": ("lost_media", "the platform no longer has it"),
    "refused": ("refused_media", "it is larger than the county allows"),
}
"""State of an original that will not come → kind of finding, and why."""


@dataclass(frozen=True)
class Finding:
    """One record for which nobody acts."""

    kind: str
    subject: str
    id: int
    sentence: str


def findings(turn: Turn) -> list[Finding]:
    """Everything that nobody acts for now."""
    return [*_tasks(turn), *_reports(turn), *_children(turn), *_machinery(turn)]


def _tasks(turn: Turn) -> Iterator[Finding]:
    reached = _Roles(turn)
    for task in check.held_by_unreachable(turn.connection, telephone=_by_telephone(turn)):
        if not (task.role and reached(task.area_id, task.role)):
            yield _of("task", task.id, "unreachable_holder", f"{task.kind}: person {task.person_id} cannot be reached")
    for task in check.waiting_for_role(turn.connection):
        if task.role is None:
            yield _of("task", task.id, "nobody", f"{task.kind}: asked of no person and no role")
        elif not reached(task.area_id, task.role):
            what = f"{task.kind}: role {task.role} reaches nobody in area {task.area_id}"
            yield _of("task", task.id, "empty_role", what)
    for task in check.waiting_for_lost_reporter(turn.connection):
        yield _of("task", task.id, "lost_reporter", f"{task.kind}: its reporter can no longer be asked")
    for case in check.cases_without_holder(turn.connection, telephone=_by_telephone(turn)):
        yield _of("case", case, "unreachable_holder", "its holder cannot be reached")
    for case in check.cases_without_task(turn.connection):
        yield _of("case", case, "unwatched_case", "it is open and nothing is asked of anybody")


def _reports(turn: Turn) -> Iterator[Finding]:
    for report in check.reports_without_task(turn.connection, turn.now - GRACE):
        yield _of("report", report, "unwatched_report", "nobody took it and nobody is asked to")
    for report in check.reports_without_case(turn.connection):
        yield _of("report", report, "no_case", "it was taken but has no open case")
    for original in check.missing_media(turn.connection, turn.now):
        kind, why = MISSING[original.state]
        yield _of("media", original.id, kind, f"{why} (report {original.report_id})")
    for original in check.media_without_rendition(turn.connection, turn.now):
        what = f"only its file can be had, no preview or player (report {original.report_id})"
        yield _of("media", original.id, "no_rendition", what)


def _children(turn: Turn) -> Iterator[Finding]:
    for child, side in check.sides_without_visit(turn.connection, plans.REQUIRED):
        yield _of("child", child, "no_visit_planned", f"no visit is planned for its {side}")
    for child in check.children_without_pair(turn.connection):
        yield _of("child", child, "no_pair", "nobody follows it")
    for person in loads.over(turn.session, turn.policy.most_children, turn.policy.most_cases):
        have = loads.of(turn.session, person)
        what = f"has {len(have.children)} children and {len(have.cases)} open cases, more than the county allows"
        yield _of("person", person, "over_limit", what)


def _machinery(turn: Turn) -> Iterator[Finding]:
    for message in check.parked_messages(turn.connection):
        what = f"its turn was given up ({message.error}); run it again with `tongban replay`"
        yield _of("inbox", message.id, "parked_message", what)
    for message in check.unlisted_messages(turn.connection):
        yield _of("inbox", message.id, "unlisted_message", f"its turn failed ({message.error}) and nobody was told")
    for task in check.parked_tasks(turn.connection):
        yield _of("task", task.id, "parked_task", f"{task.kind} failed and is not looked at again ({task.error})")
    for message in check.unseen_messages(turn.connection, turn.now):
        what = f"{message.kind} is {message.state} and its reader was not heard since"
        yield _of("outbox", message.id, "unseen_message", what)
    for one in silences.between(turn.connection, turn.now - check.SEEN_FOR, turn.now):
        since, until = (at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M") for at in (one.since, one.until))
        what = f"nothing ran from {since} to {until}; WeChat refused what people wrote meanwhile"
        yield _of("silence", one.id, "silence", what)


def _of(subject: str, number: int, kind: str, what: str) -> Finding:
    return Finding(kind, subject, number, f"{subject} {number}: {what}.")


def _by_telephone(turn: Turn) -> bool:
    return bool(turn.policy.by_telephone("task"))


class _Roles:
    """Whether a role of an area reaches anybody; asked once for each pair, since many tasks share it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._reachable = check.reachable_people(turn.connection, telephone=_by_telephone(turn))
        self._known: dict[tuple[int, str], bool] = {}

    def __call__(self, area_id: int, role: str) -> bool:
        known = self._known.get((area_id, role))
        if known is None:
            known = self._known[area_id, role] = self._reaches(area_id, role)
        return known

    def _reaches(self, area_id: int, role: str) -> bool:
        if role == "duty":  # the whole ladder of an alarm
            return any(who.rung(self._turn, area_id, number) for number in range(who.RUNGS))
        held = who.supervisors(self._turn, area_id, Role(role)) if role in set(Role) else []
        return not self._reachable.isdisjoint(held)
