"""The digest: what a supervisor must do today, then the figures of their own area; the list behind each number.

It names no child and no reporter. Numbers and lists come from the same queries (storage.figures).
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from handlers import digest_words as words
from handlers import figures, silences
from handlers.conversation import show
from handlers.figures import Figure
from handlers.kinds import TaskKind
from handlers.prompts import LATE_AFTER
from handlers.turn import Card, Refused, Turn
from handlers.workdays import at, local_day
from messages import Command, render
from storage import areas, people, tasks
from storage import figures as stored
from storage.areas import Area
from storage.figures import Span
from storage.outbox import OutboxKind
from storage.people import Role
from storage.tasks import Task, TaskState

SUPERVISORS = (Role.COUNTY_SUPERVISOR, Role.TOWNSHIP_CHILD_SUPERVISOR)
READERS = (*SUPERVISORS, Role.AUDITOR)
LIST_LINES = 15
PAGE_LINES = 200
"""Lines of a list on the page; what is more is counted there."""


# The daily task of each supervisor.


def ensure_digests(turn: Turn) -> int:
    """Open the digest task of every supervisor who can be reached and has none; how many were opened."""
    county = areas.county(turn.session)
    if county is None:
        return 0
    have = stored.people_with_live(turn.connection, "digest")
    found = {
        person.id for role in SUPERVISORS for person in people.holders_below(turn.session, role, county.path, turn.now)
    }
    missing = [one for one in sorted(found - have) if people.reachable(turn.session, one) is not None]
    for person_id in missing:
        _open_next(turn, person_id, county.id)
    return len(missing)


def send(turn: Turn, task: Task) -> None:
    """Send the digest of the latest day and open the next day's; late ones say so, missed ones are named.

    Before the hour of today's digest nothing is sent: by then there is a fresher one.
    """
    area = _supervised(turn, task.subject_id)
    contact = people.reachable(turn.session, task.subject_id)
    if area is None or contact is None or task.person_id != task.subject_id:
        tasks.end(turn.connection, task.id, turn.now, TaskState.CANCELLED)  # `ensure_digests` opens it again in time
        return
    today = local_day(turn.now)
    moment, asked_for = at(today, turn.policy.digest_at), local_day(task.due_at)
    if turn.now < moment or today < asked_for:
        task.next_at = at(max(today, asked_for), turn.policy.digest_at)
        return
    looked_at = figures.span(turn, area, moment)
    before, read = turn.ahead or (None, {})
    counted = read if before == looked_at else figures.count(turn, looked_at)
    to_do = words.to_do(turn, looked_at, counted, task.subject_id)
    late, silent = turn.now - moment > LATE_AFTER, silences.of_day(turn, moment)
    if silent or not words.quiet(counted, to_do):
        text = words.text(area, looked_at, counted, to_do, late=late, missed=(today - asked_for).days, silent=silent)
        _push(turn, contact, area, counted, text)
    elif turn.policy.quiet_digest:
        _push(turn, contact, area, counted, render("digest/quiet", moment=moment, area=area.name, late=late))
    tasks.end(turn.connection, task.id, turn.now)
    _open_next(turn, task.subject_id, task.area_id)


def read_ahead(turn: Turn, task: Task) -> tuple[Span, dict[str, Figure]] | None:
    """The figures of the digest that `send` will send: of a moment that is over, so they are the same by then."""
    area, moment = _supervised(turn, task.subject_id), at(local_day(turn.now), turn.policy.digest_at)
    if area is None or turn.now < moment:
        return None
    looked_at = figures.span(turn, area, moment)
    return looked_at, figures.count(turn, looked_at)


def _open_next(turn: Turn, person_id: int, county_id: int) -> None:
    """The first digest that is not yet due."""
    day = local_day(turn.now)
    if at(day, turn.policy.digest_at) <= turn.now:
        day += timedelta(days=1)
    due_at = at(day, turn.policy.digest_at)
    area = _supervised(turn, person_id)
    turn.open_task(
        "digest", "person", person_id, area.id if area else county_id, due_at=due_at, next_at=due_at,
        person_id=person_id, again=day.isoformat(),
    )  # fmt: skip


def _push(turn: Turn, contact: int, area: Area, counted: dict[str, Figure], text: str) -> None:
    day = local_day(turn.now).isoformat()
    alarms, overdue = counted["unclaimed_alarms"].count, counted["tasks_overdue"].count
    short = {
        "what": render("digest/card", count=alarms, overdue=overdue)[:20],
        "number": day, "when": day, "place": area.name[:20],
        "count": str(counted["new_reports"].count),
    }  # fmt: skip
    card = Card("digest", short, f"/m/digest/{day}")
    turn.push_to(contact, OutboxKind.DIGEST, "digest/pushed", card=card, text=text)


def _supervised(turn: Turn, person_id: int, roles: Sequence[Role] = SUPERVISORS) -> Area | None:
    """The highest area that a person supervises (or may read about); None when there is none, or the person left."""
    if people.person_of(turn.session, person_id) is None:
        return None
    held = [one.area_id for one in people.roles_of(turn.session, person_id, turn.now) if one.role in roles]
    found = [turn.session.get_one(Area, one) for one in held if one is not None]
    return min(found, key=lambda area: (len(area.path), area.id), default=None)


# Asking for it.


def digest(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone
    """The figures as they stand now; a number opens its list."""
    person = turn.require(*READERS)
    area = _own_area(turn)
    looked_at = figures.span(turn, area, turn.now)
    counted = figures.count(turn, looked_at)
    must, silent = words.to_do(turn, looked_at, counted, person.id), silences.of_day(turn, turn.now)
    turn.said.append(words.text(area, looked_at, counted, must, silent=silent))
    turn.say("digest/how")
    _shown(turn, looked_at.moment)
    turn.audit("digest", "area", area.id)


def open_list(turn: Turn, command: Command) -> None:
    """The list behind a figure, page by page, as it stood when the digest was shown."""
    turn.require(*READERS)
    code, page = _asked_for(command)
    if code is None:
        turn.say("digest/which", names=words.names())
        _shown(turn, _moment_shown(turn))
        return
    area = _own_area(turn)
    looked_at = figures.span(turn, area, _moment_shown(turn))
    total = sum(many for _, _, many in stored.counted(turn.connection, figures.BEHIND[code], looked_at))
    start = (page - 1) * LIST_LINES
    turn.say(
        "digest/list", code=code, total=total, moment=looked_at.moment, left=max(0, total - start - LIST_LINES),
        lines=figures.lines(turn, looked_at, code, LIST_LINES, start), number=figures.number_of(code),
        next_page=page + 1, day=looked_at.day,
    )  # fmt: skip
    _shown(turn, looked_at.moment)
    turn.audit("digest_list", "area", area.id, code)


def what_is(turn: Turn, command: Command) -> None:
    """The definition of a figure, and the version of the county's rules it is counted by."""
    code = figures.named(command.argument)
    if code is None:
        turn.say("digest/which", names=words.names())
        return
    turn.say("digest/what_is", **words.meaning(turn, code))


def digest_page(turn: Turn, day: date) -> dict[str, Any]:
    """Values of the page /m/digest/{date}: the digest of that morning, each number with its definition and its list.

    Keys: day, moment, area, version, to_do and silent (sentences), figures. Of each figure: number, code, figure (its
    name), value, rate (of unattended_rate only), meaning, minutes, version, places, details, lines (`Line` as a dict),
    left (how many lines are not there).
    """
    person = turn.require(*READERS)
    if day > local_day(turn.now):
        raise Refused("digest/no_such_day")
    area = _own_area(turn)
    looked_at = figures.span(turn, area, min(at(day, turn.policy.digest_at), turn.now))
    counted = figures.count(turn, looked_at)
    turn.audit("digest_page", "area", area.id, day.isoformat())
    return {
        "day": day, "moment": looked_at.moment, "area": area.name, "version": turn.policy.version,
        "to_do": words.to_do(turn, looked_at, counted, person.id),
        "silent": [render("silences/line", **one) for one in silences.of_day(turn, looked_at.moment)],
        "figures": [_on_page(turn, looked_at, one, words.rate(counted)) for one in counted.values()],
    }  # fmt: skip


def _on_page(turn: Turn, looked_at: Span, one: Figure, rate: float) -> dict[str, Any]:
    return {
        "number": one.number, "value": one.count, "rate": rate if one.code == "unattended_rate" else None,
        "places": one.places, "details": words.details(one), **words.meaning(turn, one.code),
        "lines": [asdict(line) for line in figures.lines(turn, looked_at, one.code, PAGE_LINES)],
        "left": max(0, one.count - PAGE_LINES),
    }  # fmt: skip


def _own_area(turn: Turn) -> Area:
    area = _supervised(turn, turn.require(*READERS).id, READERS)
    if area is None:
        raise Refused("common/not_yours")
    return area


def _asked_for(command: Command) -> tuple[str | None, int]:
    """The figure that is meant, by number or by name, and the page of its list."""
    if command.numbers:
        return figures.NUMBERS.get(command.numbers[0]), max([1, *command.numbers[1:2]])
    name, _, page = command.argument.rpartition(" ")
    if not (name and page.isdecimal()):
        name, page = command.argument, "1"
    code = figures.named(name)
    code = figures.ALSO.get(code or "", code)
    return (code if code in figures.BEHIND else None), max(1, int(page))


def _shown(turn: Turn, moment: datetime) -> None:
    """A bare digit now opens a list, as of the digest that was shown."""
    show(turn, f"digest:{moment.isoformat()}")


def _moment_shown(turn: Turn) -> datetime:
    """When the digest shown last was counted; now, when none was shown within the hour."""
    talk = turn.talk
    fresh = timedelta(minutes=turn.policy.question_fresh_minutes)
    if talk and talk.asked and talk.asked.startswith("digest:") and talk.asked_at and turn.now - talk.asked_at <= fresh:
        return datetime.fromisoformat(talk.asked.removeprefix("digest:"))
    return turn.now


def line(turn: Turn, task: Task) -> str:  # noqa: ARG001 - one sentence for all
    """How it reads in a list of tasks."""
    return render("digest/line", due=task.due_at)


COMMANDS = {"digest": digest, "list": open_list, "what_is": what_is}
TASKS = {"digest": TaskKind(due=send, line=line, ahead=read_ahead)}
