"""Leave by words: one's own or, for supervisors, somebody else's; back again; who is away; who acts meanwhile."""

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from handlers import absences, alarms, leaving, moving, reports, roster, who
from handlers.conversation import Flow, is_plain_answer
from handlers.kinds import TaskKind
from handlers.message import Message
from handlers.plans import END_OF_DAY
from handlers.questions import Choice, Question, Unclear, YesNo
from handlers.turn import Refused, Turn
from handlers.visit_questions import day_to_come
from handlers.workdays import at, local_day
from messages import Command, pattern
from storage import absences as rows
from storage import loads, people
from storage.absences import Absence
from storage.people import STAFF, Person
from storage.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Sequence


class DayToCome(Question[date]):
    """Today or a day to come, by its word or date; not before what `after` names."""

    def __init__(self, after: str = "") -> None:
        super().__init__(skippable=False)
        self.after = after

    def recall(self, value: str) -> date:
        """The date."""
        return date.fromisoformat(value)

    def read(self, turn: Turn, flow: Flow, message: Message, command: Command | None) -> str:  # noqa: ARG002
        """The day's ISO form."""
        if message.kind != "text" or is_plain_answer(turn, message):
            raise Unclear
        day = day_to_come(message.text or "", local_day(turn.now)).isoformat()
        if day < flow.answers.get(self.after, ""):
            raise Unclear
        return day


class Away(Flow, name="away"):
    """From when to when, confirmed with who acts meanwhile."""

    since = DayToCome()
    until = DayToCome(after="since")
    sure = YesNo(skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:
        """Who is away, whether that is the speaker, and who would act."""
        person = turn.session.get_one(Person, self.about["person"])
        stand_in = leaving.stand_in_of(turn, person)
        room = stand_in is not None and moving.has_room(turn, stand_in.id, loads.of(turn.session, person.id))
        return {
            "who": None if turn.person and person.id == turn.person.id else person.name,
            "to": stand_in.name if stand_in and room else None,
            "since": _moment(self.since), "until": _moment(self.until),
        }  # fmt: skip

    def finish(self, turn: Turn) -> None:
        """Keep it."""
        if self.sure != "yes" or not (self.since and self.until):
            turn.say("away/not_kept")
            return
        person = _theirs(turn, self.about["person"])
        absence = absences.announce(turn, person, self.since, self.until)
        acting = absences.deputy(turn, absence, person)
        turn.say("away/kept", since=_moment(self.since), until=_moment(self.until), to=acting.name if acting else None)


def _moment(day: date | None) -> datetime | None:
    """A day as texts write it."""
    return at(day, END_OF_DAY) if day else None


def on_away(turn: Turn, command: Command) -> None:
    """The word alone, with days, or (supervisors) with a name; other words after it are no leave."""
    person = turn.person
    if person is None:
        raise Refused("leaving/not_bound")
    said, flow = command.argument.strip(), Away(about={"person": person.id})
    named, _, rest = said.partition(" ")
    if said and not _days(turn, flow, said):
        other = roster.find(turn, named) if turn.roles else None
        if other is None or (rest and not _days(turn, flow, rest)):
            if turn.message is not None:
                reports.first_words(turn, turn.message)
            return
        flow.about["person"] = _theirs(turn, other.id).id
    flow.advance(turn)


def _days(turn: Turn, flow: Away, words: str) -> bool:
    """Whether words name the days; kept as the flow's answers if so."""
    first, *last = re.split(pattern("till"), words, maxsplit=1)
    today = local_day(turn.now)
    try:
        since = day_to_come(first, today)
        until = day_to_come(last[0], today) if last else since
    except Unclear:
        return False
    flow.answers |= {"since": since.isoformat(), "until": max(since, until).isoformat()}
    return True


def on_back(turn: Turn, command: Command) -> None:
    """Back before the day, or (supervisors) somebody else is."""
    if turn.person is None:
        raise Refused("leaving/not_bound")
    said = command.argument.strip()
    other = roster.find(turn, said) if said else turn.person
    if other is None:
        raise Refused("away/nobody_so_called")
    absence = rows.open_of(turn.session, _theirs(turn, other.id).id)
    if absence is None:
        raise Refused("away/not_away")
    absences.back(turn, absence)
    turn.say("away/back", who=None if other.id == turn.person.id else other.name)


def _theirs(turn: Turn, person_id: int) -> Person:
    """The person, if it is the speaker or somebody whose area they supervise; else there is no such person."""
    person = people.person_of(turn.session, person_id)
    mine = turn.person is not None and person_id == turn.person.id
    if person is None or not (mine or _supervises(turn, person)):
        raise Refused("away/nobody_so_called")
    return person


def _supervises(turn: Turn, person: Person) -> bool:
    return bool(turn.roles.keys() & set(moving.SUPERVISORS)) and who.covers(turn, leaving.area_of(turn, person))


def on_list(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """Who of one's area is away, from when to when, and who acts."""
    turn.require(*STAFF)
    found = [
        {"who": person.name, "since": absence.since, "until": absences.last_day(absence), "to": to.name if to else None,
         "now": absence.began_at is not None, "place": alarms.place_of(turn, leaving.area_of(turn, person))}
        for absence, person, to in absences.away(turn)
        if who.covers(turn, leaving.area_of(turn, person))
    ]  # fmt: skip
    turn.say("away/list", rows=found)


class StandIn(Flow, name="stand_in"):
    """A supervisor names who acts for somebody who is away."""

    deputy = Choice(among=lambda turn, flow: _candidates(turn, flow), skippable=False)  # noqa: PLW0108 - defined below
    sure = YesNo(when=lambda flow: flow.about.get("over"), skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:
        """Who is away, until when, and what the deputy would have where it is too much."""
        absence = turn.session.get_one(Absence, self.about["absence"])
        person = turn.session.get_one(Person, absence.person_id)
        return {"who": person.name, "until": absences.last_day(absence), "over": self.about.get("over")}

    def answered(self, turn: Turn, question: str) -> None:
        """Whoever has enough is given more only by somebody who knows it; else another is chosen."""
        absence = turn.session.get_one(Absence, self.about["absence"])
        self.about["over"] = moving.over(turn, self.deputy, loads.of(turn.session, absence.person_id))
        if question == "sure" and self.sure != "yes":
            self.answers, self.about["over"] = {}, None

    def finish(self, turn: Turn) -> None:
        """Name them."""
        absence = turn.session.get_one(Absence, self.about["absence"])
        person = _theirs(turn, absence.person_id)
        chosen = people.person_of(turn.session, int(self.deputy or 0))
        if chosen is None or turn.reach(chosen.id) is None:
            raise Refused("leaving/not_reachable")
        if absence.ended_at is not None:
            raise Refused("away/not_away")
        absences.name(turn, absence, chosen)
        turn.say("stand_in/done", who=person.name, to=chosen.name)


def _candidates(turn: Turn, flow: StandIn) -> "Sequence[tuple[str, str]]":
    absence = turn.session.get_one(Absence, flow.about["absence"])
    return leaving.candidates(turn, turn.session.get_one(Person, absence.person_id))


def _pick(turn: Turn, task: Task) -> None:
    flow = StandIn(about={"absence": task.subject_id})
    if _candidates(turn, flow):
        flow.advance(turn)
    else:
        turn.say("handover/nobody")


COMMANDS = {"away": on_away, "at_work": on_back, "away_list": on_list}
FLOWS = (Away, StandIn)
TASKS = {
    "absence": TaskKind(due=absences.due, line=absences.line),
    "stand_in": TaskKind(due=absences.ask_supervisor, line=absences.line, pick=_pick),
}
