"""`tongban keys`, as an operator uses it on a database with names in it."""

import csv
import getpass
import os
import re
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select, type_coerce

from storage import sealing
from storage.audit import Audit
from storage.ciphers import Cipher
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Person
from tests.support.commands import Tongban, command_line
from tests.support.databases import Databases

NAMES = ("赵国华", "钱秀芳", "孙长顺")


@pytest.fixture
def database(databases: Databases) -> str:
    return databases.copy(upgrade)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "tongban.keys"


@pytest.fixture
def tongban(database: str, keys: Path) -> Tongban:
    return command_line(database, keys)


def names(url: str) -> tuple[list[str], set[int]]:
    """The names of all people, and the keys that seal them."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            sealed = connection.execute(select(type_coerce(Person.name, LargeBinary))).scalars().all()
            opened = connection.execute(select(Person.name)).scalars().all()
    finally:
        engine.dispose()
    return sorted(opened), {sealing.key_id(bytes(one)) for one in sealed}


def listed(said: str) -> list[tuple[str, str, bool]]:
    """Each key's number and cipher, and whether it is the one that seals."""
    lines = [re.fullmatch(r"(\d+)  \d{4}-\d{2}-\d{2}  (\S+)(  seals)?", line) for line in said.splitlines()]
    return [(line[1], line[2], line[3] is not None) for line in lines if line]


@pytest.mark.parametrize("cipher", Cipher)
def test_an_operator_makes_a_key_and_seals_anew_with_it(
    tmp_path: Path, database: str, keys: Path, tongban: Tongban, cipher: Cipher
) -> None:
    people = tmp_path / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [
                ("姓名", "手机", "身份", "乡镇", "村"),
                *((name, f"1390000000{n}", "儿童主任", "柳湾镇", "石坪村") for n, name in enumerate(NAMES)),
            ]
        )
    assert tongban("keys", "new")[1].startswith(f"Key 1 is in {keys}.")
    assert keys.stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert tongban("import", "people", str(people), "--create-areas", "--county", "青禾县")[0] == 0
    assert names(database) == (sorted(NAMES), {1})
    tongban = command_line(database, keys, f'cipher = "{cipher}"')
    assert tongban("keys", "new")[1].startswith("Key 2")
    code, said = tongban("keys", "list")
    assert (code, listed(said)) == (0, [("1", "aes-256-gcm", False), ("2", cipher, True)])
    for secret in re.findall(r"\S{40,}", keys.read_text(encoding="ascii")):
        assert secret not in said
    code, said = tongban("keys", "rotate")
    assert code == 0
    assert int(re.findall(r"Sealed (\d+) values anew", said)[0]) >= len(NAMES)
    assert names(database) == (sorted(NAMES), {2})
    assert tongban("keys", "rotate")[1].startswith("Sealed 0 values anew")


def test_without_a_key_file_every_command_says_so_in_one_sentence(keys: Path, tongban: Tongban) -> None:
    for words in (("keys", "list"), ("keys", "rotate"), ("check",)):
        code, said = tongban(*words)
        assert code == 2
        assert said == f"tongban: cannot read the key file {keys}: make one with `tongban keys new`.\n"


def test_a_damaged_key_file_is_named_and_its_content_is_not(keys: Path, tongban: Tongban) -> None:
    tongban("keys", "new")
    whole = keys.read_text(encoding="ascii")
    keys.write_text(whole + "2 2026-11-24 not-a-key-at-all\n", encoding="ascii")
    code, said = tongban("keys", "list")
    assert (code, said) == (2, f"tongban: the key file {keys} has a line that is not a key.\n")
    assert tongban("keys", "new")[0] == 2, "a key behind a damaged line could not be read either"
    assert keys.read_text(encoding="ascii").endswith("not-a-key-at-all\n")


def test_escrow_sheets_bring_the_keys_back_on_another_machine(
    database: str, keys: Path, tongban: Tongban, tmp_path: Path
) -> None:
    tongban("keys", "new")
    tongban("keys", "new")
    folder = tmp_path / "sheets"
    code, said = tongban("keys", "export", str(folder))
    assert code == 0, said
    sheets = sorted(folder.iterdir())
    assert [path.name for path in sheets] == ["sheet-1.txt", "sheet-2.txt", "sheet-3.txt"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in sheets)
    assert all("keys 1, 2" in path.read_text(encoding="ascii") for path in sheets)
    secrets = re.findall(r"\S{40,}", keys.read_text(encoding="ascii"))
    assert len(secrets) == 2
    assert not any(secret in path.read_text(encoding="ascii") for path in sheets for secret in secrets)
    assert tongban("keys", "export", str(folder))[0] == 2, "sheets are never written over"
    engine = connect(database)
    with engine.connect() as connection:
        acts = connection.execute(select(Audit.act, Audit.os_user).where(Audit.act == "keys export")).all()
    engine.dispose()
    assert [tuple(row) for row in acts] == [("keys export", getpass.getuser())]

    code, said = tongban("keys", "recover", str(sheets[0]), str(sheets[2]))
    assert (code, "is there already" in said) == (2, True)
    again = tmp_path / "again.keys"
    assert tongban("keys", "recover", str(sheets[2]), str(sheets[0]), "--to", str(again))[0] == 0
    assert again.read_text(encoding="ascii") == keys.read_text(encoding="ascii")
    assert again.stat().st_mode & 0o077 == 0


def test_a_sheet_with_a_typing_error_is_named_and_no_file_is_made(tongban: Tongban, tmp_path: Path) -> None:
    tongban("keys", "new")
    folder = tmp_path / "sheets"
    tongban("keys", "export", str(folder))
    bad = folder / "sheet-2.txt"
    lines = bad.read_text(encoding="ascii").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("04."))
    lines[at] = lines[at][:-1] + ("7" if lines[at][-1] != "7" else "8")
    bad.write_text("\n".join(lines), encoding="ascii")
    again = tmp_path / "again.keys"
    said = tongban("keys", "recover", str(folder / "sheet-1.txt"), str(bad), "--to", str(again))
    assert said == (2, "tongban: sheet 2, line 04 was mistyped\n")
    assert not again.exists()


def test_what_a_command_writes_is_for_its_own_user_alone(tmp_path: Path) -> None:
    tongban = command_line(f"sqlite:///{tmp_path}/tongban.db", tmp_path / "tongban.keys")
    before = os.umask(0o022)
    try:
        assert tongban("keys", "new")[0] == 0
        assert tongban("migrate")[0] == 0
        tongban("backup", str(tmp_path / "copy"))
    finally:
        os.umask(before)
    written = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir() if path.name != "config.toml"}
    assert {"tongban.db", "tongban.keys", "copy"} <= written.keys()
    assert set(written.values()) == {0}
