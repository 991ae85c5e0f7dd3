"""The pages as those who open them would see them: what is on them, who may, what a form does, what is logged."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event, select

from bot.fetcher import give_up
from bot.inbound import KINDS
from handlers import pages, routes
from handlers.page import Act, Answer, Download, Goto, Page
from handlers.reports import Reporting
from handlers.turn import Refused, Turn
from handlers.workdays import local_day
from messages import label, labels, render_page
from storage import contacts, media, renditions
from storage.areas import AreaLevel
from storage.audit import Audit
from storage.cases import Case, CaseStage
from storage.children import Side
from storage.lifecycle import moves
from storage.media import MediaState
from storage.people import Role
from storage.reports import Report, ReportStage
from storage.visits import Visit
from tests.support.databases import Databases, SqliteDatabases
from tests.support.visiting import Village, make_tables, village
from tests.world import Phone, World

__all__ = ["village"]
FIRST_WORDS = "柳湾村有个娃身上青一块紫一块的，\n问他不说话  <b>怕</b>"
PHONE = "13912345678"


@dataclass
class Opened:
    """A page as it was answered."""

    answer: Answer
    said: str

    @property
    def text(self) -> str:
        """The page's HTML."""
        assert isinstance(self.answer, Page)
        return render_page(self.answer.name, form="a word", notice=self.said, **self.answer.values)

    @property
    def to(self) -> str:
        """Where the form leads."""
        assert isinstance(self.answer, Goto)
        return self.answer.path


def browse(world: World, who: str, method: str, path: str, **form: str) -> Opened:
    """Open a page, or send a form, as the person of that name; through the table of pages."""
    act, parts = find(method, path)

    def work(connection: Connection) -> Opened:
        known = contacts.known(connection, f"o-{who}")
        talk = contacts.talk_with(connection, known[0], world.now) if known else None
        turn = Turn(connection, world.now, world.policy, talk, kinds=routes.TASKS)
        try:
            answer = act(turn, parts, form)
            turn.settle()
        finally:
            turn.abandon()
        if talk is not None:
            contacts.keep(connection, talk)
        return Opened(answer, "\n\n".join(turn.said))

    opened: Opened = world.run(work)
    world.settle()
    return opened


def find(method: str, path: str) -> tuple[Act, dict[str, str]]:
    """The function of a page and the parts of its address."""
    for route in pages.PAGES:
        shape = re.sub(r"{(\w+):((?:[^{}]|{\d+(?:,\d+)?})+)}", r"(?P<\1>\2)", route.pattern)
        found = re.fullmatch(shape, path)
        if found and route.method == method:
            return route.act, found.groupdict()
    raise AssertionError(path)


@dataclass
class County:
    """A county in which one person has reported something."""

    world: World
    reporter: Phone

    def get(self, who: str, path: str = "/m/case/1", **query: str) -> Opened:
        """Open a page."""
        return browse(self.world, who, "GET", path, **query)

    def post(self, who: str, act: str, **form: str) -> Opened:
        """Send a form of the case page."""
        return browse(self.world, who, "POST", f"/m/case/1/{act}", **form)

    def report(self) -> Report:
        """The report."""
        found: Report = self.world.turn(lambda turn: turn.session.get_one(Report, 1))
        return found

    def case(self) -> Case:
        """Its case."""
        found: Case = self.world.turn(lambda turn: turn.session.get_one(Case, 1))
        return found

    def looks(self, act: str) -> int:
        """How often something was logged."""
        return len(self.world.turn(lambda turn: list(turn.session.scalars(select(Audit).where(Audit.act == act)))))


@pytest.fixture
def county(sqlite_databases: SqliteDatabases) -> Iterator[County]:
    """A county on SQLite."""
    yield from settle(sqlite_databases)


@pytest.fixture
def each(databases: Databases) -> Iterator[County]:
    """The same on each kind of database, for what depends on it."""
    yield from settle(databases)


def settle(databases: Databases) -> Iterator[County]:
    """Staff with roles, a duty person with a stand-in, a villager who reported and was asked nothing yet."""
    world = World.on(databases.copy(make_tables))
    whole = world.area("青溪县", AreaLevel.COUNTY)
    township = world.area("石桥镇", AreaLevel.TOWNSHIP, whole)
    other = world.area("杨柳镇", AreaLevel.TOWNSHIP, whole)
    village = world.area("柳湾村", AreaLevel.VILLAGE, township)
    duty = world.person("韦敏", Role.AGENCY_LIAISON, other)
    deputy = world.person("贺兰", Role.AGENCY_LIAISON, other)
    world.person("何平", Role.VILLAGE_CHILD_OFFICER, village)
    world.person("田敏", Role.TOWNSHIP_CHILD_SUPERVISOR, township)
    world.person("范宁", Role.COUNTY_SUPERVISOR, whole)
    world.person("苏琴", Role.COUNTY_SUPERVISOR, whole)
    world.person("冯远", Role.TOWNSHIP_CHILD_SUPERVISOR, other)
    world.person("梁静", Role.MANDATED_REPORTER, township)
    world.duty(township, duty, deputy)
    reporter = world.phone("villager")
    reporter.says(FIRST_WORDS)
    yield County(world, reporter)
    world.close()


def finish_report(county: County) -> None:
    """The villager answers the questions; the last one with a telephone number."""
    for words in ("2", "小名豆豆，七八岁", "在他家，跟他舅", "他舅", "2", PHONE):
        county.reporter.says(words)
    assert "回执号" in county.reporter.last


def claimed(county: County, who: str = "韦敏") -> None:
    """The report has a holder."""
    finish_report(county)
    county.post(who, "claim")


def test_the_page_shows_the_words_to_the_letter_to_whoever_may_take_it_and_logs_the_look(each: County) -> None:
    for number, who in enumerate(("韦敏", "贺兰", "何平", "田敏", "范宁"), 1):
        shown = each.get(who).text
        assert "柳湾村有个娃身上青一块紫一块的，\n问他不说话  &lt;b&gt;怕&lt;/b&gt;" in shown
        assert "我接了" in shown
        assert "4 多处受伤、疑遭殴打虐待欺凌" in shown
        assert each.looks("look") == number


@pytest.mark.parametrize("who", ["冯远", "梁静", "villager", "nobody"])
def test_whoever_may_not_see_it_reads_the_same_as_about_one_that_does_not_exist(county: County, who: str) -> None:
    for path in ("/m/case/1", "/m/case/999", "/m/media/999"):
        with pytest.raises(Refused, match="common/not_yours"):
            county.get(who, path)
    with pytest.raises(Refused, match="common/not_yours"):
        county.post(who, "claim")
    assert county.looks("look") == 0


def test_nothing_on_the_page_tells_who_reported_nor_their_number(county: County) -> None:
    finish_report(county)
    for who in ("韦敏", "范宁"):
        shown = county.get(who).text
        assert PHONE not in shown
        assert "villager" not in shown
        assert "愿意被联系（不显示是谁）" in shown
        assert "留了电话" in shown
        assert "小名豆豆，七八岁" in shown


def test_claiming_on_the_page_opens_the_case_and_the_second_one_reads_who_has_it(each: County) -> None:
    finish_report(each)
    first = each.post("韦敏", "claim")
    assert first.to == "/m/case/1"
    assert first.said.startswith("您已接下，个案 G2611-0001")
    assert each.reporter.last == "您上次说的事，已有人在办。"
    second = each.post("田敏", "claim")
    assert second.said.startswith("已由 韦敏 在")
    assert each.post("韦敏", "claim").said == "这件您已经接了。"
    shown = each.get("韦敏").text
    assert "我接了</button>" not in shown
    assert "韦敏 接手" in shown
    assert len(each.world.turn(lambda turn: list(turn.session.scalars(select(Case))))) == 1


def test_whoever_was_told_sees_only_the_holder_once_somebody_has_it(county: County) -> None:
    finish_report(county)
    county.world.pass_(minutes=31)
    county.post("韦敏", "claim")
    logged = county.looks("look")
    shown = county.get("贺兰").text
    assert "已由 韦敏 在" in shown
    assert "青一块" not in shown
    assert county.looks("look") == logged
    with pytest.raises(Refused, match="common/not_yours"):
        county.post("贺兰", "step", kind="child_seen")
    assert "青一块" in county.get("田敏").text


def test_an_act_that_needs_a_case_asks_for_a_claim_first(county: County) -> None:
    with pytest.raises(Refused, match="pages/claim_first"):
        county.post("韦敏", "step", kind="child_seen")


def test_a_step_is_kept_with_its_note_and_the_time_it_happened(county: County) -> None:
    claimed(county)
    done = county.post("韦敏", "step", kind="child_seen", note="在舅家见到，\r\n没有新伤", at="2026-11-23T08:30")
    assert done.said == "G2611-0001 已记：见到孩子（11月23日 周一 08:30）。"
    shown = county.get("韦敏").text
    assert "11月23日 周一 08:30 韦敏" in shown
    assert "见到孩子：在舅家见到，\n没有新伤" in shown
    assert county.case().stage == "visited"


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"kind": "danced"}, "pages/fill_in"),
        ({}, "pages/fill_in"),
        ({"kind": "doctor", "at": "yesterday"}, "pages/fill_in"),
        ({"kind": "doctor", "at": "2026-11-24T08:30"}, "pages/not_yet"),
    ],
)
def test_a_step_that_is_not_offered_or_lies_ahead_is_refused(
    county: County, form: dict[str, str], refusal: str
) -> None:
    claimed(county)
    with pytest.raises(Refused, match=refusal):
        county.post("韦敏", "step", **form)


def test_the_officer_of_the_place_is_offered_first_and_gets_the_case(county: County) -> None:
    claimed(county)
    shown = county.get("韦敏").text
    officer = county.world.turn(lambda turn: _id(turn, "何平"))
    assert f'<option value="{officer}">何平 石桥镇柳湾村</option>' in shown
    assert county.post("韦敏", "assign", officer=str(officer)).said == "G2611-0001 已派给 何平。"
    assert "青一块" in county.get("何平").text
    with pytest.raises(Refused, match="pages/fill_in"):
        county.post("韦敏", "assign", officer="999")


def _id(turn: Turn, name: str) -> int:
    known = contacts.known(turn.connection, f"o-{name}")
    assert known is not None
    assert known[1] is not None
    return known[1]


def test_a_person_confirms_one_of_the_nine_or_none(county: County) -> None:
    county.post("田敏", "situation", situation="4")
    assert county.report().situation == 4
    claimed(county)
    assert county.case().situation == 4
    assert county.post("韦敏", "situation", situation="0").said == "已保存。"
    assert (county.report().situation, county.case().situation) == (0, 0)
    county.post("韦敏", "situation", situation="0")
    assert county.looks("situation") == 2
    with pytest.raises(Refused, match="pages/fill_in"):
        county.post("韦敏", "situation", situation="10")


def test_once_somebody_has_it_the_holder_or_who_supervises_confirms_the_situation(county: County) -> None:
    assert "确认情形" in county.get("田敏").text
    claimed(county)
    county.post("韦敏", "assign", officer=str(county.world.turn(lambda turn: _id(turn, "何平"))))
    shown = county.get("何平").text
    assert "确认情形" not in shown
    assert "<dt>情形</dt><dd>还没确认</dd>" in shown
    with pytest.raises(Refused, match="cases/holder_only"):
        county.post("何平", "situation", situation="4")
    assert county.report().situation is None
    for who, code in (("韦敏", 4), ("田敏", 5)):
        assert "确认情形" in county.get(who).text
        county.post(who, "situation", situation=str(code))
        assert (county.report().situation, county.case().situation) == (code, code)


def test_a_receipt_in_the_note_of_its_step_is_kept_like_that_of_its_form(county: County) -> None:
    claimed(county)
    said = county.post("韦敏", "step", kind="police_receipt", note="老严给的 A20261123001").said
    assert said == "G2611-0001 已记：拿到110或派出所回执，编号 A20261123001。"
    assert county.report().police_receipt == "A20261123001"


def test_what_somebody_has_is_set_aside_by_two(each: County) -> None:
    claimed(each)
    assert "搁置要第二个人同意" in each.post("韦敏", "aside", why="是作文").said
    assert (each.report().stage, each.case().stage) == (ReportStage.ACCEPTED, CaseStage.OPEN)
    assert "韦敏 提出搁置：是作文" in each.get("韦敏").text
    assert each.post("范宁", "approve", agreed="yes").said == "G2611-0001 已搁置。"
    assert (each.report().stage, each.case().stage) == (ReportStage.SET_ASIDE, CaseStage.CLOSED)
    assert "搁置：是作文" in each.get("韦敏").text
    assert "搁置" in each.post("韦敏", "aside", why="是作文").said, "the same once more changes nothing"
    assert (each.report().stage, each.case().stage) == (ReportStage.SET_ASIDE, CaseStage.CLOSED)


def test_what_comes_back_after_its_case_was_closed_can_be_set_aside_or_claimed_again(each: County) -> None:
    claimed(each)
    each.post("韦敏", "step", kind="child_seen")
    each.post("韦敏", "close", why="孩子已由外婆带")
    for words, act, done in (("补充 谢谢你们", "aside", "已搁置"), ("补充 他又被打了", "claim", "您已接下")):
        each.reporter.says(words)
        each.world.pass_(minutes=1)
        assert each.report().stage == ReportStage.FILED
        assert done in each.post("韦敏", act, **({"why": "只是道谢"} if act == "aside" else {})).said
    assert (each.report().stage, each.case().stage) == (ReportStage.ACCEPTED, CaseStage.OPEN)


def test_lowering_and_closing_a_red_case_needs_a_second_person(each: County) -> None:
    claimed(each)
    each.post("韦敏", "level", level="red", why="有人看见在打")
    assert each.case().level == "red"
    assert "要第二个人同意" in each.post("韦敏", "level", level="blue", why="已经搬走").said
    assert each.case().level == "red"
    shown = each.get("韦敏").text
    assert "韦敏 提出降为蓝色：已经搬走" in shown
    assert "同意</button>" not in shown
    with pytest.raises(Refused, match="common/not_yours"):
        each.post("韦敏", "approve", agreed="yes")
    assert "同意</button>" in each.get("范宁").text
    assert each.post("范宁", "approve", agreed="yes").said == "G2611-0001 已降为蓝色。"
    assert each.case().level == "blue"
    with pytest.raises(Refused, match="common/not_now"):
        each.post("苏琴", "approve", agreed="yes")


def test_a_case_is_closed_with_a_reason_after_the_child_was_seen(county: County) -> None:
    claimed(county)
    assert "才能结案" in county.get("韦敏").text
    with pytest.raises(Refused, match="cases/not_seen_yet"):
        county.post("韦敏", "close", why="好了")
    county.post("韦敏", "step", kind="child_seen")
    assert county.post("韦敏", "close", why="孩子已由外婆带").said == "G2611-0001 已结案。"
    shown = county.get("韦敏").text
    assert "结案：孩子已由外婆带" in shown
    assert "记一步" not in shown


def test_words_to_the_reporter_go_to_the_phone_that_reported(county: County) -> None:
    claimed(county)
    said = county.post("韦敏", "message", words="谢谢您，已经有人去看").said
    assert said == "已转给报告人（不知道是谁）。"
    assert "谢谢您，已经有人去看" in county.reporter.last
    assert "谢谢您，已经有人去看" in county.get("韦敏").text


def test_the_number_to_ring_back_is_for_the_holder_alone_and_each_look_at_it_is_logged(county: County) -> None:
    claimed(county)
    assert PHONE in county.post("韦敏", "callback").text
    assert PHONE in county.post("韦敏", "callback").text
    assert county.looks("look_callback") == 2
    for who in ("范宁", "田敏"):
        assert "看报告人留的电话" not in county.get(who).text
        with pytest.raises(Refused, match="common/not_yours"):
            county.post(who, "callback")
    assert county.looks("look_callback") == 2


def test_the_police_receipt_is_kept_and_the_reporter_is_not_asked_for_it_any_more(county: County) -> None:
    claimed(county)
    county.post("韦敏", "receipt", number="A20261123001")
    assert county.report().police_receipt == "A20261123001"
    assert "回执 A20261123001" in county.get("韦敏").text
    read = len(county.reporter.reads)
    county.world.pass_(minutes=30)
    assert not any("110" in words for words in county.reporter.reads[read:])


def test_what_is_no_report_is_set_aside_with_a_reason_unless_it_sounds_dangerous(county: County) -> None:
    with pytest.raises(Refused, match="pages/fill_in"):
        county.post("韦敏", "aside", why="  ")
    county.post("韦敏", "aside", why="打错了")
    assert county.report().stage == "set_aside"
    assert "搁置：打错了" in county.get("韦敏").text
    county.world.phone("second").says("快点，柳湾村有人正在拿棍子打娃，娃在哭喊救命")
    assert "不能一个人搁置" in county.get("韦敏", "/m/case/2").text
    with pytest.raises(Refused, match="cases/danger_needs_two"):
        browse(county.world, "韦敏", "POST", "/m/case/2/aside", why="打错了")


def send_picture(county: County, kind: str = "image", content_type: str = "image/jpeg") -> int:
    """A picture comes with the report and is fetched; its id."""
    county.reporter.says(None, kind=kind, media_id=f"m-{kind}")

    def fetch(turn: Turn) -> int:
        [row] = media.claim(turn.connection, turn.now, turn.now + timedelta(minutes=1), 10)
        media.keep(turn.connection, row.id, media.Original.of(b"0123456789", content_type), turn.now)
        return int(row.id)

    number: int = county.world.turn(fetch)
    return number


def test_a_picture_is_not_even_loaded_before_it_is_asked_for(each: County) -> None:
    number = send_picture(each)
    veiled = each.get("韦敏").text
    assert "照片已遮住" in veiled
    assert 'src="/m/media/' not in veiled
    assert f'<img src="/m/media/{number}"' in each.get("韦敏", show=str(number)).text
    assert each.looks("look_media") == 0
    found = each.get("韦敏", f"/m/media/{number}").answer
    assert found == Download(b"0123456789", "image/jpeg", f"R1-{number}.jpg", inline=True)
    assert each.looks("look_media") == 1
    with pytest.raises(Refused, match="common/not_yours"):
        each.get("冯远", f"/m/media/{number}")


def test_a_voice_has_a_player_and_a_file_and_what_cannot_be_shown_is_only_handed_over(county: County) -> None:
    voice = send_picture(county, "voice", "audio/amr")
    page = send_picture(county, "file", "text/html")
    shown = county.get("韦敏").text
    assert f'<audio controls preload="none" src="/m/media/{voice}">' in shown
    assert f'href="/m/media/{voice}?save"' in shown
    saved = county.get("韦敏", f"/m/media/{voice}", save="").answer
    assert saved == Download(b"0123456789", "audio/amr", f"R1-{voice}.amr")
    handed = county.get("韦敏", f"/m/media/{page}").answer
    assert handed == Download(b"0123456789", "application/octet-stream", f"R1-{page}.bin")


def render_it(county: County, number: int, content: bytes, content_type: str) -> None:
    """The rendition of an original is made."""

    def make(turn: Turn) -> None:
        renditions.expect(turn.connection, number, turn.now)
        renditions.keep(turn.connection, number, content, content_type, turn.now)

    county.world.turn(make)


def test_a_picture_is_a_blur_until_it_is_tapped_and_the_blur_is_no_look(each: County) -> None:
    number = send_picture(each)
    render_it(each, number, b"a blur", "image/jpeg")
    veiled = each.get("韦敏").text
    assert '<img src="data:image/jpeg;base64,YSBibHVy" alt=""><span>照片已遮住' in veiled
    assert f'<a class="veiled" href="/m/case/1?show={number}#m{number}">' in veiled
    assert 'src="/m/media/' not in veiled
    shown = each.get("韦敏", show=str(number)).text
    assert f'<img src="/m/media/{number}"' in shown
    assert "data:image" not in shown
    assert each.looks("look_media") == 0
    each.get("韦敏", f"/m/media/{number}")
    assert each.looks("look_media") == 1


def test_a_voice_is_played_as_what_every_browser_plays_and_each_listening_is_logged(each: County) -> None:
    number = send_picture(each, "voice", "audio/amr")
    render_it(each, number, b"an mp3", "audio/mpeg")
    shown = each.get("韦敏").text
    assert f'<audio controls preload="none" src="/m/media/{number}?play">' in shown
    assert f'href="/m/media/{number}?save"' in shown
    played = each.get("韦敏", f"/m/media/{number}", play="").answer
    assert played == Download(b"an mp3", "audio/mpeg", f"R1-{number}.mp3", inline=True)
    saved = each.get("韦敏", f"/m/media/{number}", save="").answer
    assert saved == Download(b"0123456789", "audio/amr", f"R1-{number}.amr")
    assert each.looks("look_media") == 2
    with pytest.raises(Refused, match="common/not_yours"):
        each.get("冯远", f"/m/media/{number}", play="")


def test_a_voice_is_played_without_opening_its_original(county: County) -> None:
    """The original may be many megabytes, sealed."""
    number = send_picture(county, "voice", "audio/amr")
    render_it(county, number, b"an mp3", "audio/mpeg")
    statements: list[str] = []
    event.listen(county.world.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    county.get("韦敏", f"/m/media/{number}", play="")
    read = {name for one in statements for name in re.findall(r"(?:media|rendition)\.content\b", one)}
    assert read == {"rendition.content"}


def test_what_could_not_be_fetched_says_why_and_whether_it_was_asked_for_again(county: County) -> None:
    for name in ("m-1", "m-2"):
        county.reporter.says(None, kind="image", media_id=name)
    county.world.turn(lambda turn: give_up(turn.connection, 1, MediaState.LOST, turn.now, turn.policy))
    county.world.turn(lambda turn: media.give_up(turn.connection, 2, MediaState.REFUSED))
    shown = county.get("韦敏").text
    assert "没取到，微信里已经没有了。已发消息请对方再发一次，不一定看得到。" in shown
    assert "太大，收不下。</p>" in shown
    assert "我接了" in shown


def test_an_original_that_is_not_fetched_yet_says_so(county: County) -> None:
    county.reporter.says(None, kind="image", media_id="m-1")
    assert "还没从微信取到" in county.get("韦敏").text


def test_a_pin_is_shown_with_its_place_and_the_gist_of_a_voice_is_kept_as_ours(county: County) -> None:
    county.reporter.says(None, kind="location", latitude=26.1234, longitude=110.5, label="柳湾村 小卖部")
    claimed(county)
    county.post("韦敏", "gist", words="娃说怕回家")
    shown = county.get("韦敏").text
    assert "柳湾村 小卖部\n纬度 26.1234，经度 110.5" in shown
    assert "我们 · 听写的大意" in shown
    assert "娃说怕回家" in shown


def test_the_tasks_are_those_of_the_chat_in_its_order_and_lead_to_their_pages(county: County) -> None:
    finish_report(county)
    county.world.phone("second").says("快点，柳湾村有人正在拿棍子打娃，娃在哭喊救命")
    shown = county.get("韦敏", "/m/tasks").text
    assert shown.index('href="/m/case/2"') < shown.index('href="/m/case/1"')
    assert "要马上办" in shown
    county.post("韦敏", "claim")
    assert 'href="/m/case/1"' in county.get("韦敏", "/m/tasks").text
    with pytest.raises(Refused, match="tasks/only_staff"):
        county.get("villager", "/m/tasks")
    assert "您现在没有待办" in county.get("梁静", "/m/tasks").text


def test_the_digest_page_has_each_number_with_its_meaning_and_its_list(county: County) -> None:
    shown = county.get("田敏", "/m/digest/2026-11-23").text
    assert "石桥镇日报" in shown
    assert label("figure_meaning", "new_reports") in shown
    county.world.pass_(days=1)
    assert "R1" in county.get("田敏", "/m/digest/2026-11-24").text
    for path in ("/m/digest/2026-12-24", "/m/digest/2026-13-01"):
        with pytest.raises(Refused, match="digest/no_such_day"):
            county.get("田敏", path)
    with pytest.raises(Refused, match="common/not_yours"):
        county.get("何平", "/m/digest/2026-11-23")


def visit_task(village: Village) -> int:
    village.pair(village.child, village.officer)
    village.pair(village.child, village.teacher, Side.TEACHER)
    [task] = [task for task in village.tasks() if task.person_id == village.officer.id]
    return task.id


def test_a_visit_is_filed_by_one_form_like_by_the_chat(village: Village) -> None:
    task = visit_task(village)
    shown = browse(village.world, "何平", "GET", f"/m/visit/{task}").text
    assert "记走访：3组 王某 9岁" in shown
    assert "王小宝" not in shown
    told = {"kind": "seen", "guardianship": "fine", "body_and_mind": "worry", "body_and_mind_words": "夜里睡不好"}
    done = browse(village.world, "何平", "POST", f"/m/visit/{task}", **told)
    assert done.to == "/m/tasks"
    assert done.said.startswith("记好了：3组 王某 9岁，见到孩子。")
    again = browse(village.world, "何平", "POST", f"/m/visit/{task}", **told)
    assert "已经记过了" in again.said
    [visit] = village.visits()
    assert (visit.guardianship, visit.body_and_mind, visit.notes) == ("fine", "worry", {"body_and_mind": "夜里睡不好"})


def test_a_visit_that_found_a_problem_goes_on_as_a_report_in_the_chat(village: Village) -> None:
    task, phone = visit_task(village), village.phone(village.officer)
    told = {"kind": "seen", "guardianship": "problem", "guardianship_words": "他爸喝醉了打他", "body_and_mind": "fine"}
    done = browse(village.world, "何平", "POST", f"/m/visit/{task}", **told)
    assert "请回微信聊天" in done.said
    assert "这个情况已单独报上去" in phone.last
    [report] = village.turn(lambda turn: list(turn.session.scalars(select(Report))))
    assert report.child_id == village.child.id
    assert "没看懂" not in phone.says("1")


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "flew"},
        {"kind": "not_met"},
        {"kind": "seen"},
        {"kind": "seen", "guardianship": "fine"},
        {"kind": "seen", "guardianship": "worry", "body_and_mind": "fine"},
        {"kind": "seen", "guardianship": "fine", "body_and_mind": "fine", "day": "tomorrow"},
    ],
)
def test_a_visit_with_something_missing_is_refused(village: Village, told: dict[str, str]) -> None:
    task = visit_task(village)
    with pytest.raises(Refused, match="pages/fill_in"):
        browse(village.world, "何平", "POST", f"/m/visit/{task}", **told)
    assert village.visits() == []


def test_a_vain_try_says_when_somebody_goes_again(village: Village) -> None:
    task = visit_task(village)
    told = {"kind": "not_met", "why": "away"}
    with pytest.raises(Refused, match="pages/fill_in"):
        browse(village.world, "何平", "POST", f"/m/visit/{task}", **told, next_try="2020-01-01")
    today = local_day(village.world.now)
    browse(village.world, "何平", "POST", f"/m/visit/{task}", **told, next_try=(today + timedelta(days=1)).isoformat())
    assert today + timedelta(days=1) in [local_day(one.due_at) for one in village.tasks()]


def test_a_vain_try_needs_a_reason_and_nobody_else_may_file_it(village: Village) -> None:
    task = visit_task(village)
    browse(village.world, "何平", "POST", f"/m/visit/{task}", kind="not_met", why="away", day="2026-11-22")
    [visit] = village.visits()
    assert (visit.kind, visit.notes, str(visit.happened_on)) == ("not_met", {"why": "away"}, "2026-11-22")
    for who in ("范宁", "nobody"):
        with pytest.raises(Refused):
            browse(village.world, who, "GET", f"/m/visit/{task}")
    assert isinstance(visit, Visit)


def test_every_code_that_may_stand_on_the_page_has_a_word() -> None:
    wanted = {
        "report_stage": {*map(str, ReportStage)},
        "case_stage": {*map(str, CaseStage)},
        "entry_kind": {*KINDS, "gist"} - {"event"},
        "history_move": {f"{row.__tablename__}_{one.name}" for row in (Report, Case) for one in moves(row)}
        | {"set_level"},
        "report_question": set(Reporting.questions),
    }
    assert {kind: codes - labels(kind).keys() for kind, codes in wanted.items()} == {kind: set() for kind in wanted}
