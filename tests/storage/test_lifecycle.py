from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.cases import Case, CaseStage, next_number, note_level
from storage.lifecycle import NotAllowed, diagram, history, moves
from storage.reports import Report, ReportStage
from tests.storage.conftest import NOW, Ids, settle_county

LIFECYCLES: list[tuple[type, type[StrEnum], StrEnum]] = [
    (Report, ReportStage, ReportStage.DRAFT),
    (Case, CaseStage, CaseStage.OPEN),
]


def new_case(ids: Ids, number: str = "G2611-0001") -> Case:
    return Case(number=number, area_id=ids.county, level="red", holder_id=ids.person, opened_at=NOW)


@pytest.mark.parametrize(("row", "stages", "first"), LIFECYCLES)
def test_every_stage_can_be_reached_from_the_first(row: type, stages: type[StrEnum], first: StrEnum) -> None:
    reached = {first}
    for _ in stages:
        reached |= {move.to for move in moves(row) if reached & set(move.before)}
    assert reached == set(stages)


@given(st.lists(st.sampled_from([move.name for move in moves(Case)]), max_size=12))
def test_any_order_of_words_makes_only_the_moves_of_the_diagram(names: list[str]) -> None:
    allowed = {(before, move.name): move.to for move in moves(Case) for before in move.before}
    stage: StrEnum = CaseStage.OPEN
    for name in names:
        stage = allowed.get((stage, name), stage)
    assert stage in CaseStage
    assert f"{CaseStage.VISITED} --> {CaseStage.CLOSED}: close" in diagram(Case)


def test_a_move_keeps_who_when_and_why(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        case = new_case(ids)
        session.add(case)
        case.see(session, by=ids.person, at=NOW, why="见到孩子了")
    with Session(engine) as session:
        case = session.get_one(Case, 1)
        [step] = history(session, "case", case.id)
        assert case.stage == CaseStage.VISITED
        assert (step.move, step.before, step.after, step.by_id, step.at, step.why) == (
            "see", "open", "visited", ids.person, NOW, "见到孩子了",
        )  # fmt: skip


def test_a_move_from_the_wrong_stage_is_not_allowed_and_changes_nothing(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        case = new_case(ids)
        session.add(case)
        with pytest.raises(NotAllowed, match="case cannot close from open"):
            case.close(session, by=ids.person, at=NOW)
        assert case.stage == CaseStage.OPEN
        assert history(session, "case", case.id) == []


def test_a_level_change_is_in_the_history_too(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        case = new_case(ids)
        session.add(case)
        session.flush()
        note_level(session, case, "orange", by=ids.person, at=NOW, why="家里有人照看")
        session.flush()
        [step] = history(session, "case", case.id)
        assert (case.level, step.move, step.before, step.after) == ("orange", "set_level", "red", "orange")


def test_case_numbers_go_on_and_begin_anew_each_month(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        assert next_number(session, "2611") == "G2611-0001"
        session.add(new_case(ids, "G2611-0009"))
        assert next_number(session, "2611") == "G2611-0010"
        session.add(new_case(ids, "G2611-10000"))
        assert next_number(session, "2611") == "G2611-10001"
        assert next_number(session, "2612") == "G2612-0001"


@pytest.mark.postgres
def test_of_two_who_close_at_once_the_second_is_told(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)
    with Session(postgres_engine) as session, session.begin():
        case = new_case(ids)
        session.add(case)
        case.see(session, by=ids.person, at=NOW)
    with Session(postgres_engine) as one, Session(postgres_engine) as other:
        seen_by_other = other.get_one(Case, 1)
        one.get_one(Case, 1).close(one, by=ids.person, at=NOW)
        one.commit()
        assert seen_by_other.stage == CaseStage.VISITED, "what the other had read before"
        with pytest.raises(NotAllowed, match="case cannot propose_closing from closed"):
            seen_by_other.propose_closing(other, by=ids.other, at=NOW)
