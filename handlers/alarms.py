"""Alarms: a matter climbs its ladder until one person takes it; nobody on a rung is itself an alarm."""

from datetime import timedelta

from handlers import who
from handlers.kinds import TaskKind
from handlers.turn import Card, Turn
from messages import label, render
from storage import areas, people, reports, tasks
from storage.outbox import OutboxKind
from storage.people import Role
from storage.reports import Report
from storage.tasks import Task, TaskState

ORDINARY, URGENT, RED = 0, 1, 2
"""Task.urgency."""
CLIMBING = ("alarm", "listen", "unread_message")
"""Kinds that the claim word takes."""


def open_alarm(turn: Turn, report_id: int, area_id: int, urgency: int) -> None:
    """Alarm about a report; a second cause only makes it more urgent."""
    number = turn.open_task(
        "alarm", "report", report_id, area_id, due_at=turn.now + _claim_time(turn), next_at=turn.now, role="duty",
        urgency=urgency,
    )  # fmt: skip
    task = turn.session.get_one(Task, number)
    if task.state == TaskState.OPEN and task.urgency < urgency:
        task.urgency, task.rung, task.next_at = urgency, 0, turn.now


def open_listening(turn: Turn, report_id: int, area_id: int) -> None:
    """Somebody must listen to or look at what no rule can read."""
    turn.open_task(
        "listen", "report", report_id, area_id, due_at=turn.now + _claim_time(turn), next_at=turn.now, role="duty",
        urgency=URGENT,
    )  # fmt: skip


def open_benefit(turn: Turn, report_id: int, area_id: int) -> None:
    """A question about a benefit is the village officer's; where there is none, the duty person's."""
    officer = who.officer_of(turn, area_id)
    due_at = turn.now + timedelta(days=3)
    turn.open_task(
        "benefit", "report", report_id, area_id, due_at=due_at, next_at=turn.now, person_id=officer,
        role=None if officer else "duty",
    )  # fmt: skip


def open_unread(turn: Turn, inbox_id: int, *, parked: bool) -> None:
    """A message whose turn failed: its raw words are on the duty list at once."""
    person = turn.person
    area = person.area_id if person and person.area_id else turn.county_id()
    turn.open_task(
        "unread_message", "inbox", inbox_id, area, due_at=turn.now + _claim_time(turn), next_at=turn.now, role="duty",
        urgency=URGENT, again="parked" if parked else "",
    )  # fmt: skip


def climb(turn: Turn, task: Task) -> None:
    """The next rung that reaches somebody; after the last one everybody again, with two telephone numbers."""
    if task.state != TaskState.OPEN:
        return
    minutes = turn.policy.alarm_ladder_minutes
    while task.rung < len(minutes):
        number, task.rung = task.rung, task.rung + 1
        if _tell_rung(turn, task, number):
            gap = minutes[number + 1] - minutes[number] if number + 1 < len(minutes) else minutes[-1] - minutes[-2]
            task.next_at = turn.now + timedelta(minutes=gap)
            return
    _last_rung(turn, task)


def _tell_rung(turn: Turn, task: Task, number: int) -> bool:
    found = who.rung(turn, task.area_id, number)
    if not found and number != 1:  # a roster without a stand-in is no gap, an empty post is
        _empty_rung(turn, task.area_id, number)
    if number == 0 and task.urgency == RED and turn.policy.red_county_at_once:
        last = who.RUNGS - 1
        found = list(dict.fromkeys([*found, *who.rung(turn, task.area_id, last)]))
    return any([_tell(turn, task, person, number, found) for person in found])


def _tell(turn: Turn, task: Task, person_id: int, number: int, others: list[int]) -> bool:
    """One person is alarmed, and reads who else was."""
    contact = people.reachable(turn.session, person_id)
    if contact is None:
        return False
    if tasks.tell(turn.session, task.id, person_id, number, turn.now):
        until = turn.now + timedelta(days=turn.policy.shown_number_days)
        shown = tasks.number_for(turn.session, contact, "task", task.id, turn.now, until)
        also = [name for one in others if one != person_id and (name := name_of(turn, one))]
        turn.push_to(
            contact, OutboxKind.ALARM, "alarms/alarm", card=_card(turn, task), number=shown, kind=task.kind,
            urgency=task.urgency, place=place_of(turn, task.area_id), also=also, rung=number,
        )  # fmt: skip
    return True


def _last_rung(turn: Turn, task: Task) -> None:
    """Nobody took it: everybody who was told hears it again with two numbers to ring, until somebody does."""
    told = tasks.told(turn.session, task.id)
    everybody = dict.fromkeys([*told, *who.supervisors(turn, task.area_id, Role.COUNTY_SUPERVISOR)])
    task.rung += 1
    for person in everybody:
        contact = people.reachable(turn.session, person)
        if contact is not None and tasks.tell(turn.session, task.id, person, task.rung, turn.now):
            until = turn.now + timedelta(days=turn.policy.shown_number_days)
            turn.push_to(
                contact, OutboxKind.ALARM, "alarms/last_rung", card=_card(turn, task),
                number=tasks.number_for(turn.session, contact, "task", task.id, turn.now, until),
                numbers=turn.policy.numbers.last_rung, place=place_of(turn, task.area_id),
            )  # fmt: skip
    task.next_at = turn.now + timedelta(minutes=turn.policy.unclaimed_after_minutes)


def _empty_rung(turn: Turn, area_id: int, number: int) -> None:
    """A rung without anybody reachable: the county must fill the post."""
    day = turn.now.date().isoformat()
    turn.open_task(
        "empty_rung", "area", area_id, area_id, due_at=turn.now + timedelta(days=1), next_at=turn.now,
        role=Role.COUNTY_SUPERVISOR, urgency=URGENT, again=f"{number}:{day}",
    )  # fmt: skip


def remind_county(turn: Turn, task: Task) -> None:
    """A matter of the county supervisors themselves: each is told, daily, until it is done."""
    for person in who.supervisors(turn, task.area_id, Role.COUNTY_SUPERVISOR):
        contact = people.reachable(turn.session, person)
        if contact is not None:
            tasks.tell(turn.session, task.id, person, task.rung, turn.now)
            turn.push_to(
                contact, OutboxKind.NOTICE, "alarms/empty_rung", card=_card(turn, task),
                place=place_of(turn, task.area_id),
            )  # fmt: skip
    task.rung += 1
    task.next_at = turn.now + timedelta(days=1)


def tell_holder_of_more(turn: Turn, report_id: int) -> None:
    """Something was added to a report that somebody already has."""
    report = turn.session.get_one(Report, report_id)
    holder = reports.holder_of(turn.session, report)
    if holder is not None:
        turn.push(holder, OutboxKind.NOTICE, "alarms/more", card=report_card(report, "alarms/card_more"))


def holder_lost(turn: Turn, person_id: int) -> None:
    """Somebody can no longer be reached: what they hold goes to the stand-in, or climbs as an alarm of its own."""
    person = turn.session.get(people.Person, person_id)
    held = tasks.live_of_person(turn.session, person_id)
    stand_in = person.stand_in_id if person else None
    if stand_in and people.reachable(turn.session, stand_in) is not None:
        tasks.hand_over(turn.connection, person_id, stand_in)
        return
    for area_id in {task.area_id for task in held}:
        _empty_rung(turn, area_id, 0)


def place_of(turn: Turn, area_id: int) -> str:
    """Township (or county) and village, as staff know them."""
    chain = [area for area in reversed(areas.chain(turn.session, area_id)) if area.level != areas.AreaLevel.GROUP]
    return "".join(area.name for area in chain[1:]) or (chain[0].name if chain else "")


def name_of(turn: Turn, person_id: int | None) -> str | None:
    """A colleague's name."""
    person = turn.session.get(people.Person, person_id) if person_id else None
    return person.name if person else None


def report_card(report: Report, name: str) -> Card:
    """A card that opens the report's page; its words are neutral and short."""
    return Card("alarm", {"what": render(name), "number": f"R{report.id}"}, f"/m/case/{report.id}")


def _card(turn: Turn, task: Task) -> Card:
    what = render("alarms/card", urgency=task.urgency, kind=task.kind)
    path = f"/m/case/{task.subject_id}" if task.subject == "report" else "/m/tasks"
    values = {"what": what, "number": f"R{task.subject_id}", "place": place_of(turn, task.area_id)[:20]}
    return Card("alarm", values, path)


def _claim_time(turn: Turn) -> timedelta:
    return timedelta(minutes=turn.policy.unclaimed_after_minutes)


def line(turn: Turn, task: Task) -> str:
    """How an alarm reads in the list of tasks."""
    return render(
        "alarms/line", kind=label("task_kind", task.kind), urgency=task.urgency,
        place=place_of(turn, task.area_id), opened=task.opened_at, now=turn.now,
    )  # fmt: skip


TASKS = {
    "alarm": TaskKind(due=climb, line=line),
    "listen": TaskKind(due=climb, line=line),
    "unread_message": TaskKind(due=climb, line=line),
    "empty_rung": TaskKind(due=remind_county, line=line),
    "unreachable": TaskKind(due=remind_county, line=line),
}
