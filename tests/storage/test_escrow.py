"""The keys on three sheets of paper: any two give them back, one tells nothing, and what was mistyped is named."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import escrow, shares
from storage.ciphers import Cipher
from storage.sealing import MOST_KEYS, SECRET_BYTES, Key

BYTES = st.integers(0, 255)
KEYS = st.lists(
    st.builds(
        Key, st.integers(1, MOST_KEYS), st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
        st.dates().map(str), st.sampled_from(Cipher),
    ),
    min_size=1, max_size=3, unique_by=lambda key: key.id,
)  # fmt: skip
ONE = [Key(1, bytes(range(32)), "2026-11-25", Cipher.SM4)]


# The field and the shares.


@pytest.mark.parametrize(
    ("left", "right", "product"),
    [(0x57, 0x83, 0xC1), (0x57, 0x13, 0xFE), (0x57, 0x02, 0xAE), (0x53, 0xCA, 0x01), (0, 0x53, 0), (1, 0x53, 0x53)],
)
def test_products_are_those_that_the_standard_gives(left: int, right: int, product: int) -> None:
    """FIPS 197, 4.2 and 4.2.1; 53 and CA are its best known pair of inverses."""
    assert shares.times(left, right) == shares.times(right, left) == product


def test_every_element_but_nought_has_an_inverse() -> None:
    assert all(shares.times(one, shares.inverse(one)) == 1 for one in range(1, 256))


@given(BYTES, BYTES, BYTES)
def test_products_distribute_over_sums(one: int, two: int, three: int) -> None:
    assert shares.times(one, two ^ three) == shares.times(one, two) ^ shares.times(one, three)


def test_shares_are_the_points_of_a_line_by_hand() -> None:
    # 0x42 with slope 0x80: 80*1 = 80, 80*2 = 1B (it leaves the byte), 80*3 = 9B.
    assert shares.shares_with(b"\x42", b"\x80") == {1: b"\xc2", 2: b"\x59", 3: b"\xd9"}


@given(st.binary(), st.permutations(shares.SHARES))
def test_any_two_shares_give_the_secret(secret: bytes, order: list[int]) -> None:
    split = shares.split(secret)
    assert shares.join({number: split[number] for number in order[:2]}) == secret


def test_one_share_alone_can_belong_to_every_secret() -> None:
    every = bytes(range(256))
    for secret in every[::5]:
        drawn = shares.shares_with(bytes([secret]) * 256, every)
        assert all(sorted(share) == list(every) for share in drawn.values()), "each value as likely as any other"


@pytest.mark.parametrize(
    "given_ones", [{}, {1: b"a"}, {1: b"a", 2: b"b", 3: b"c"}, {1: b"a", 4: b"b"}, {1: b"a", 2: b""}]
)
def test_what_is_not_two_shares_is_refused(given_ones: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="shares"):
        shares.join(given_ones)


# The sheets.


@given(KEYS)
def test_any_two_sheets_give_the_keys_when_they_are_typed(held: list[Key]) -> None:
    printed = [sheet.lines() for sheet in escrow.sheets_of(held)]
    for one, two in combinations(printed, 2):
        typed = [line[:3] + line[3:].lower().replace("0", "o").replace("1", "l").replace(" ", "") for line in two[1:-1]]
        typed = [two[0].lower(), *typed, two[-1]]
        again = escrow.keys_of(escrow.Sheet.read(["Tongban", "", *one, ""]), escrow.Sheet.read(typed))
        assert again == sorted(held, key=lambda key: key.id)


def test_no_sheet_holds_a_key_and_no_two_sets_are_alike() -> None:
    first, second = escrow.sheets_of(ONE), escrow.sheets_of(ONE)
    assert len({sheet.share for sheet in (*first, *second)}) == 6
    assert all(ONE[0].secret[:4] not in sheet.share for sheet in first)
    assert len(first[0].lines()) == 8, "six lines to type for one key"


@given(st.data())
def test_a_mistyped_letter_is_named_with_its_sheet_and_line(data: st.DataObject) -> None:
    sheet = data.draw(st.sampled_from(escrow.sheets_of(ONE)))
    lines = sheet.lines()
    place = data.draw(st.integers(1, len(lines) - 2))
    # The last letters of a short line hold bits that mean nothing.
    at = data.draw(st.sampled_from([at for at, letter in enumerate(lines[place]) if letter != " " and 4 <= at < 13]))
    letter = data.draw(st.sampled_from(sorted(set(escrow._LETTERS) - {lines[place][at]})))
    lines[place] = lines[place][:at] + letter + lines[place][at + 1 :]
    with pytest.raises(escrow.Mistyped, match=f"sheet {sheet.number}, line {place:02d}"):
        escrow.Sheet.read(lines)


def test_lines_that_are_missing_swapped_or_from_another_sheet_are_named() -> None:
    one, two, _ = (sheet.lines() for sheet in escrow.sheets_of(ONE))
    other = escrow.sheets_of(ONE)[0].lines()

    def said(lines: list[str]) -> str:
        with pytest.raises(escrow.Mistyped) as error:
            escrow.Sheet.read(lines)
        return str(error.value)

    swapped = [*one[:2], f"02. {one[3][4:]}", f"03. {one[2][4:]}", *one[4:]]
    assert said(swapped) == "sheet 1, line 02 was mistyped"
    assert said([*one[:3], *one[4:]]) == "sheet 1, line 03 is missing"
    assert said([*one[:3], two[3], *one[4:]]) == "sheet 1, line 03 was mistyped"
    assert said([*one[:3], other[3], *one[4:]]) == "sheet 1, line 03 was mistyped"
    assert said([*one[:3], f"{one[3]} 7", *one[4:]]).startswith("sheet 1, line 03 was mistyped")
    assert said([*one[:3], one[3].replace(one[3][5], "U"), *one[4:]]) == "sheet 1, line 03: U is never on a sheet"
    assert said(one[:-1]) == "sheet 1: the last line, END … LINES, is missing"
    assert said(one[1:]) == "there is no line like SHEET 1 OF 3  SET AB12"


def test_sheets_that_do_not_go_together_are_refused() -> None:
    first, second = escrow.sheets_of(ONE), escrow.sheets_of(ONE)
    with pytest.raises(escrow.Mistyped, match="of two sets"):
        escrow.keys_of(first[0], second[1])
    with pytest.raises(escrow.Mistyped, match="sheet 2 twice"):
        escrow.keys_of(first[1], first[1])
    forged = escrow.Sheet(second[1].number, first[1].set, second[1].share)
    with pytest.raises(escrow.Mistyped, match="do not give keys"):
        escrow.keys_of(first[0], forged)
