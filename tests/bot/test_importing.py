"""Files as offices send them: workbooks, old workbooks, text; and files that would blow up the machine."""

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from sqlalchemy import select

from bot.importing import NotAList, read, write_faulty
from handlers import import_rows
from handlers.import_cells import Cell
from storage import sealing
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Person
from tests.support.commands import Tongban, command_line
from tests.world import MONDAY_MORNING, World

HEADER: list[Cell] = ["姓名", "手机", "身份", "乡镇", "村"]
ROW: list[Cell] = ["赵国华", "13900000001", "儿童主任", "柳湾镇", "石坪村"]


def workbook(path: Path, *sheets: tuple[str, list[list[Cell]]]) -> Path:
    with xlsxwriter.Workbook(str(path)) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets:
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, date):
                        page.write_datetime(number, column, cell, day)
                    else:
                        page.write(number, column, cell)
    return path


def test_every_sheet_of_a_workbook_is_read_from_its_first_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("一", [[None], [None, "b", 3]]), ("二", [[date(2015, 9, 1), 13900000001]]))
    assert read(path) == [
        ("一", [["", "", ""], ["", "b", 3.0]]),
        ("二", [[date(2015, 9, 1), 13900000001.0]]),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_text_is_read_in_the_encodings_that_offices_use(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([HEADER, ROW])
    path = tmp_path / "a.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    assert read(path) == [("", [HEADER, ROW])]


def test_a_formula_is_never_run_and_comes_back_as_text(tmp_path: Path) -> None:
    formula = "=cmd|' /C calc'!A0"
    path = tmp_path / "a.csv"
    path.write_text(f"{','.join(map(str, HEADER))}\n{formula},1,2,3,4\n", encoding="utf-8")
    listed = import_rows.listed("people", read(path))
    assert listed is not None
    out = tmp_path / "faulty.xlsx"
    write_faulty(out, listed, [(listed.lines[0], "手机号不对")])
    with zipfile.ZipFile(out) as package:
        assert b"<f>" not in package.read("xl/worksheets/sheet1.xml")
    assert read(out)[0][1] == [[*HEADER, "原因"], [formula, "1", "2", "3", "4", "手机号不对"]]


def test_faulty_rows_come_back_under_their_own_columns_and_can_be_read_again(tmp_path: Path) -> None:
    sheets = read(
        workbook(
            tmp_path / "a.xlsx",
            ("柳湾镇", [["花名册"], HEADER, ROW, ["钱秀芳", 13900000002, "儿童主任"]]),
            ("荷塘镇", [["手机", "姓名", "身份"], [1, "孙", "老师"]]),
        )
    )
    listed = import_rows.listed("people", sheets)
    assert listed is not None
    out = tmp_path / "faulty.xlsx"
    write_faulty(out, listed, [(line, "原因甲") for line in listed.lines[1:]])
    assert read(out) == [
        ("柳湾镇", [[*HEADER, "原因"], ["钱秀芳", "13900000002", "儿童主任", "柳湾镇", "石坪村", "原因甲"]]),
        ("荷塘镇", [["手机", "姓名", "身份", "原因"], ["1", "孙", "老师", "原因甲"]]),
    ]
    again = import_rows.listed("people", read(out))
    assert again is not None
    write_faulty(out, again, [(line, "原因乙") for line in again.lines])
    assert read(out)[1][1] == [["手机", "姓名", "身份", "原因"], ["1", "孙", "老师", "原因乙"]]


def bomb(path: Path) -> None:
    """A sheet of 300 MB of spaces in a file of 0.3 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * 300_000_000)


def far_cell(path: Path) -> None:
    """Two cells so far apart that the grid between them has ten thousand million."""
    workbook(path, ("一", [["a"]]))
    entries = {}
    with zipfile.ZipFile(path) as package:
        entries = {name: package.read(name) for name in package.namelist()}
    cell = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    entries["xl/worksheets/sheet1.xml"] = entries["xl/worksheets/sheet1.xml"].replace(b"</sheetData>", cell)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in entries.items():
            package.writestr(name, content)


def long_text(path: Path) -> None:
    path.write_text("a,b\n" * 70_000, encoding="utf-8")


def picture(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" * 50)


def broken_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + b"x" * 500)


def broken_xls(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 2000)


@pytest.mark.parametrize("make", [bomb, far_cell, long_text, picture, broken_zip, broken_xls])
def test_a_file_that_is_no_list_is_refused_with_a_sentence(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a.xlsx"
    make(path)
    with pytest.raises(NotAList, match=r"^(the file|a sheet) "):
        read(path)


@pytest.fixture
def tongban(tmp_path: Path) -> Tongban:
    """The command line on an empty migrated database."""
    url, keys = f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "a.keys"
    sealing.append_new_key(keys, MONDAY_MORNING)
    upgrade(url)
    return command_line(url, keys)


def test_an_operator_imports_corrects_and_imports_again(tmp_path: Path, tongban: Tongban) -> None:
    path = workbook(tmp_path / "a.xlsx", ("一", [HEADER, ROW, ["钱秀芳", 1, "儿童主任", "柳湾镇", "石坪村"]]))
    out = str(tmp_path / "faulty.xlsx")
    options = ("--create-areas", "--county", "青禾县", "--faulty", out)
    code, said = tongban("import", "people", str(path), *options)
    assert (code, said.splitlines()[0]) == (0, "1 new, 0 changed, 0 unchanged, 1 faulty, 0 no longer listed (kept).")
    rows = read(Path(out))[0][1]
    assert rows[1][-1] == "手机号不对：1"
    rows[1][1] = "13900000002"
    code, said = tongban("import", "people", str(workbook(tmp_path / "b.xlsx", ("一", rows))), "--dry-run")
    assert said.splitlines()[0] == "Dry run: 1 new, 0 changed, 0 unchanged, 0 faulty, 1 no longer listed (kept)."
    assert tongban("import", "people", str(tmp_path / "b.xlsx"))[1].startswith("1 new")
    assert tongban("import", "people", str(path))[1].startswith("0 new, 0 changed, 1 unchanged, 1 faulty")


def test_a_file_that_is_no_list_is_wrong_use(tmp_path: Path, tongban: Tongban) -> None:
    picture(tmp_path / "a.jpg")
    code, said = tongban("import", "children", str(tmp_path / "a.jpg"))
    assert code == 2
    assert len(said.strip().splitlines()) == 1


def test_an_operator_adds_invites_lists_and_lets_leave(tmp_path: Path, tongban: Tongban) -> None:
    path = workbook(tmp_path / "a.xlsx", ("一", [HEADER, ROW]))
    tongban("import", "people", str(path), "--create-areas", "--county", "青禾县")
    added = ("people", "add", "钱秀芳", "13900000002", "county_supervisor")
    assert tongban(*added) == (0, "added\n")
    assert tongban(*added) == (0, "unchanged\n")
    code, said = tongban("people", "invite", "--all")
    assert code == 0
    assert [line.split("\t")[:2] for line in said.splitlines()] == [["青禾县", "钱秀芳"], ["柳湾镇石坪村", "赵国华"]]
    assert tongban("people", "invite", "无此人")[0] == 2
    one = tongban("people", "invite", "13900000001")[1].strip().split("\t")[-1]

    world = World(connect(f"sqlite:///{tmp_path / 'a.db'}"))
    sealing.use(sealing.read_key_file(tmp_path / "a.keys"))
    assert "绑定好了" in world.phone("甲").says(f"绑定 {one}")
    world.close()
    assert "柳湾镇石坪村\t赵国华\tvillage_child_officer\tbound" in tongban("people", "list")[1]
    assert tongban("people", "leave", "赵国华")[0] == 0
    assert "赵国华" not in tongban("people", "list")[1]
    assert tongban("people", "leave", "无此人")[0] == 2

    engine = connect(f"sqlite:///{tmp_path / 'a.db'}")
    sealing.use(sealing.read_key_file(tmp_path / "a.keys"))
    with engine.connect() as connection:
        left = connection.execute(select(Person.left_at).order_by(Person.id)).scalars().all()
    engine.dispose()
    assert [moment is None for moment in left] == [False, True]
