"""Who may see a report on a page. Whoever may not reads the same as about one that does not exist."""

from dataclasses import dataclass

from handlers import cases, who
from handlers.turn import Refused, Turn
from storage import tasks
from storage.cases import Case, CaseStage
from storage.people import STAFF
from storage.reports import Report, ReportStage


@dataclass(frozen=True)
class Sight:
    """A report and its case, as far as the speaking person may see them."""

    report: Report
    case: Case | None
    whole: bool
    """False for somebody who was told about it while another person has it: only who that is."""

    @property
    def unclaimed(self) -> bool:
        """Whether it waits for somebody to claim it."""
        nobody_has_it = self.case is None or self.case.stage == CaseStage.CLOSED  # it came back after it was closed
        return nobody_has_it and self.report.stage in {ReportStage.DRAFT, ReportStage.FILED}


def look_at(turn: Turn, report_id: int) -> Sight:
    """Before anybody took it: who was told, is on duty, or covers the area; then the holder, officer, supervisors."""
    person = turn.require(*STAFF)
    report = turn.session.get(Report, report_id)
    if report is None:
        raise Refused("common/not_yours")
    case = turn.session.get(Case, report.case_id) if report.case_id else None
    told = person.id in tasks.told_about(turn.session, "report", report_id)
    if case is None:
        if not (told or person.id in who.on_duty(turn, report.area_id) or who.covers(turn, report.area_id)):
            raise Refused("common/not_yours")
        return Sight(report, None, whole=True)
    has = _has(turn, case.id)
    if not has and not told:
        raise Refused("common/not_yours")
    return Sight(report, case, whole=has)


def whole(turn: Turn, report_id: int) -> Sight:
    """The same for acts and media: there is no half sight."""
    found = look_at(turn, report_id)
    if not found.whole:
        raise Refused("common/not_yours")
    return found


def case_of(turn: Turn, report_id: int) -> Case:
    """The case of a report, for acts that need one."""
    case = whole(turn, report_id).case
    if case is None:
        raise Refused("pages/claim_first")
    return case


def _has(turn: Turn, case_id: int) -> bool:
    try:
        cases.held_case(turn, case_id)
    except Refused:
        return False
    return True
