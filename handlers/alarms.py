"""Alarms: a matter climbs its ladder until one person takes it; nobody on a rung is itself an alarm."""

from datetime import timedelta

from handlers import who
from handlers.kinds import TaskKind
from handlers.turn import Card, Turn
from handlers.workdays import in_window
from messages import label, render
from storage import areas, contacts, outbox, people, reports, shown_numbers, tasks
from storage.outbox import OutboxKind
from storage.people import Role
from storage.reports import Report
from storage.tasks import Task, TaskState

ORDINARY, URGENT, RED = 0, 1, 2
"""Task.urgency."""
WECHAT_FIRST = ("template", "subscribe", "custom")
"""A red alarm comes as a card, which a muted chat shows too; by words only where the account has no cards."""
CLAIM_KEY = "1"
"""The digit that claims an alarm on the telephone."""
CLIMBING = ("alarm", "listen", "unread_message")
"""Kinds that the claim word takes."""
_DOUBLED = 3
"""How often the gap between two cards of the last rung is doubled: from half an hour to four hours."""


def open_alarm(turn: Turn, report_id: int, area_id: int, urgency: int) -> None:
    """Alarm about a report; a second cause only makes it more urgent, and starts its ladder anew."""
    live = tasks.live_of_subject(turn.session, "report", report_id, ["alarm"])
    if not live:
        once = tasks.once_opened(turn.session, "report", report_id, "alarm")
        turn.open_task(
            "alarm", "report", report_id, area_id, due_at=turn.now + _claim_time(turn), next_at=turn.now, role="duty",
            urgency=urgency, again=turn.now.isoformat() if once else "",
        )  # fmt: skip
    for task in live:
        if task.state == TaskState.OPEN and task.urgency < urgency:
            task.urgency = urgency
            _climb_anew(turn, task)


def start_anew(turn: Turn, report_id: int) -> None:
    """The report turned out to belong elsewhere: whoever is on duty there hears it now."""
    for task in tasks.live_of_subject(turn.session, "report", report_id, CLIMBING):
        if task.state == TaskState.OPEN:
            _climb_anew(turn, task)


def _climb_anew(turn: Turn, task: Task) -> None:
    tasks.climb_anew(turn.connection, task.id)
    task.rung, task.next_at = 0, turn.now


def open_listening(turn: Turn, report_id: int, area_id: int) -> None:
    """Somebody must listen to or look at what no rule can read."""
    turn.open_task(
        "listen", "report", report_id, area_id, due_at=turn.now + _claim_time(turn), next_at=turn.now, role="duty",
        urgency=URGENT,
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
    if task.state == TaskState.CLAIMED:
        _if_silent(turn, task)
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


def _if_silent(turn: Turn, task: Task) -> None:
    """What somebody took and does not read is everybody's again."""
    until = (task.claimed_at or task.opened_at) + timedelta(hours=turn.policy.silence_hours)
    if until > turn.now and turn.reach(task.person_id) is not None:
        task.next_at = until
        return
    task.state, task.person_id, task.claimed_at = TaskState.OPEN, None, None
    _climb_anew(turn, task)


def _tell_rung(turn: Turn, task: Task, number: int) -> bool:
    found = who.rung(turn, task.area_id, number)
    if not found and who.is_a_post(turn, task.area_id, number):
        open_empty_rung(turn, task.area_id, number)
    red = number == 0 and task.urgency == RED and turn.policy.red_county_at_once
    county = who.rung(turn, task.area_id, who.RUNGS - 1) if red else []
    everybody = list(dict.fromkeys([*found, *county]))
    told = [*tasks.told(turn.session, task.id), *everybody]
    reached = [person for person in everybody if _tell(turn, task, person, number, told)]
    return not set(found).isdisjoint(reached)  # the county is told besides: it does not stand in for an empty post


def _tell(turn: Turn, task: Task, person_id: int, number: int, told: list[int]) -> bool:
    """One person is alarmed, and reads who else was or had been."""
    contact = turn.reach(person_id, "alarm")
    if contact is None:
        return False
    if tasks.tell(turn.session, task.id, person_id, number, turn.now):
        also = [name for one in dict.fromkeys(told) if one != person_id and (name := name_of(turn, one))]
        words = render(
            "alarms/alarm", number=_number(turn, task, contact), kind=task.kind, urgency=task.urgency,
            place=place_of(turn, task.area_id), also=also, rung=number,
        )  # fmt: skip
        _alarm(turn, task, person_id, contact, words)
    return True


def _alarm(turn: Turn, task: Task, person_id: int, contact: int, words: str) -> None:
    """By WeChat, and a red one at the same moment by telephone too: accepted by the platform is not seen.

    Of several rows about one thing the first speaks for all when it does not arrive.
    """
    card, claimed_by = _card(turn, task), {"text": words, "keys": CLAIM_KEY, "task": task.id}
    rings = turn.policy.by_telephone("alarm") if task.urgency == RED and turn.policy.red_by_telephone else ()
    if not rings or turn.session.get_one(people.Person, person_id).phone is None:
        turn.push_content(contact, OutboxKind.ALARM, claimed_by, card)
        return
    reached = people.reachable(turn.session, person_id) is not None
    wechat = sorted(turn.policy.by_wechat(), key=WECHAT_FIRST.index) if reached else []
    ways = [*([wechat] if wechat else []), *([way] for way in rings)]
    for number, by in enumerate(ways):
        mark = {"besides": True} if number else {"rang": bool(wechat)}
        turn.push_content(contact, OutboxKind.ALARM, claimed_by | {"by": by} | mark, card)


def _last_rung(turn: Turn, task: Task) -> None:
    """Nobody took it: everybody who was told hears it again with two numbers to ring, until somebody does.

    What is red comes again every half hour. Anything else comes ever more seldom, and not at night: whoever is woken
    by it for hours mutes the account, and then hears the next red one as little.
    """
    told = tasks.told(turn.session, task.id)
    everybody = dict.fromkeys([*told, *who.supervisors(turn, task.area_id, Role.COUNTY_SUPERVISOR)])
    task.rung += 1
    for person in everybody:
        contact = turn.reach(person, "alarm")
        if contact is not None and tasks.tell(turn.session, task.id, person, task.rung, turn.now):
            words = render(
                "alarms/last_rung", number=_number(turn, task, contact), numbers=turn.policy.numbers.last_rung,
                place=place_of(turn, task.area_id),
            )  # fmt: skip
            _alarm(turn, task, person, contact, words)
    task.next_at = turn.now + _claim_time(turn)
    if task.urgency != RED:
        again = task.rung - len(turn.policy.alarm_ladder_minutes)
        task.next_at = in_window(turn.policy, turn.now + _claim_time(turn) * 2 ** min(again - 1, _DOUBLED))


def _number(turn: Turn, task: Task, contact: int) -> int:
    until = turn.now + timedelta(days=turn.policy.shown_number_days)
    return shown_numbers.number_for(turn.connection, contact, "task", task.id, turn.now, until)


def open_empty_rung(turn: Turn, area_id: int, number: int) -> None:
    """A rung without anybody reachable: the county must fill the post."""
    live = tasks.live_of_subject(turn.session, "area", area_id, ["empty_rung"])
    if not any(_rung_of(task) == number for task in live):
        turn.open_task(
            "empty_rung", "area", area_id, area_id, due_at=turn.now + timedelta(days=1), next_at=turn.now,
            role=Role.COUNTY_SUPERVISOR, urgency=URGENT, again=f"{number}:{turn.now.isoformat()}",
        )  # fmt: skip


def _rung_of(task: Task) -> int:
    """The rung that an empty-rung task is about; it stands in its key."""
    return int(task.key.split(":")[3])


def remind_county(turn: Turn, task: Task) -> None:
    """A matter of the county supervisors themselves: each is told, daily, as long as it is true."""
    if _is_over(turn, task):
        tasks.end(turn.connection, task.id, turn.now)
        return
    tell_county(turn, task)


def tell_county(turn: Turn, task: Task) -> None:
    """Each county supervisor is told, and again tomorrow."""
    for person in who.supervisors(turn, task.area_id, Role.COUNTY_SUPERVISOR):
        contact = turn.reach(person)
        if contact is not None and tasks.tell(turn.session, task.id, person, task.rung, turn.now):
            turn.push_to(
                contact, OutboxKind.NOTICE, "alarms/empty_rung", card=_card(turn, task), kind=task.kind,
                place=place_of(turn, task.area_id),
            )  # fmt: skip
    task.rung += 1
    task.next_at = in_window(turn.policy, turn.now + timedelta(days=1))


def _is_over(turn: Turn, task: Task) -> bool:
    if task.kind == "unreachable":
        gone = people.person_of(turn.session, task.subject_id) is None
        return gone or _is_reached_again(turn, task)
    number = _rung_of(task)
    return bool(who.rung(turn, task.area_id, number)) or not who.is_a_post(turn, task.area_id, number)


def _is_reached_again(turn: Turn, task: Task) -> bool:
    """Whether there is a way to the person, and something was said by it or heard since they were listed."""
    if turn.reach(task.subject_id, "alarm") is None:
        return False
    theirs = contacts.of_person(turn.connection, task.subject_id)
    return contacts.heard_since(turn.connection, theirs, task.opened_at) or outbox.reached_since(
        turn.connection, theirs, task.opened_at
    )


def explain(turn: Turn, task: Task) -> None:
    """What the county must do about an empty post or somebody who cannot be reached."""
    person = people.person_of(turn.session, task.subject_id) if task.kind == "unreachable" else None
    waits = len(tasks.live_of_person(turn.session, person.id)) if person else 0
    turn.say(
        "alarms/fill_post", place=place_of(turn, task.area_id), who=person.name if person else None,
        phone=person.phone if person else None, waits=waits,
    )  # fmt: skip


def tell_holder_of_more(turn: Turn, report: Report) -> None:
    """Something was added to a report that somebody already has."""
    holder = reports.holder_of(turn.session, report)
    if holder is not None:
        turn.push(holder, OutboxKind.NOTICE, "alarms/more", card=report_card(report, "alarms/card_more"))


def person_lost(turn: Turn, person_id: int) -> None:
    """Somebody cannot be reached: alarms of which nobody reachable was told climb at once."""
    for task in tasks.told_and_open(turn.session, person_id):
        reachable = {one for one in tasks.told(turn.session, task.id) if turn.reach(one, "alarm") is not None}
        if task.urgency == RED and task.rung < who.RUNGS:  # the county was told besides, it is not its turn yet
            reachable -= set(who.rung(turn, task.area_id, who.RUNGS - 1))
        if task.kind in CLIMBING and not reachable:
            task.next_at = turn.now


def list_unreachable(turn: Turn, person: people.Person) -> bool:
    """A person whom no channel reaches is on the county's list at once; False when they are on it already."""
    is_new = not tasks.live_of_subject(turn.session, "person", person.id, ["unreachable"])
    if is_new:
        turn.open_task(
            "unreachable", "person", person.id, person.area_id or turn.county_id(), due_at=turn.now,
            next_at=turn.now, role=Role.COUNTY_SUPERVISOR, urgency=URGENT, again=turn.now.isoformat(),
        )  # fmt: skip
    return is_new


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
    again = task.kind in CLIMBING and task.rung > len(turn.policy.alarm_ladder_minutes)
    what = render("alarms/card", urgency=task.urgency, kind=task.kind, again=again)
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
    "empty_rung": TaskKind(due=remind_county, line=line, pick=explain),
    "unreachable": TaskKind(due=remind_county, line=line, pick=explain),
}
