import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Dialect, default

from storage import sealing
from storage.ciphers import SEALERS, Cipher
from storage.database import Sealed, SealedJson
from storage.sealing import HEADER_BYTES, Key, KeyRing, SealError
from tests.support.ring import ring_of, using

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DIALECT: Dialect = default.DefaultDialect()
TAG_BYTES = 16


each_cipher = pytest.mark.parametrize("cipher", Cipher)


@each_cipher
@given(st.binary(max_size=300))
def test_what_was_sealed_opens_again_at_its_own_place(cipher: Cipher, plain: bytes) -> None:
    ring = ring_of(1, 2, cipher=cipher)
    assert ring.open("child.name", ring.seal("child.name", plain)) == plain


@each_cipher
@given(st.binary(max_size=100))
def test_a_sealed_value_is_version_key_nonce_and_text_with_tag(cipher: Cipher, plain: bytes) -> None:
    sealed = ring_of(1, 515, cipher=cipher).seal("child.name", plain)
    assert sealed[:3] == b"\x01\x02\x03"
    assert len(sealed) == HEADER_BYTES + len(plain) + TAG_BYTES


@each_cipher
@given(st.binary(max_size=60), st.data())
def test_one_changed_bit_anywhere_is_noticed(cipher: Cipher, plain: bytes, data: st.DataObject) -> None:
    ring = ring_of(1, cipher=cipher)
    sealed = bytearray(ring.seal("child.name", plain))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealError):
        ring.open("child.name", bytes(sealed))


@each_cipher
@given(st.binary(max_size=60))
def test_a_value_that_was_cut_off_is_noticed(cipher: Cipher, plain: bytes) -> None:
    ring = ring_of(1, cipher=cipher)
    sealed = ring.seal("child.name", plain)
    for length in (0, 1, HEADER_BYTES, len(sealed) - 1):
        with pytest.raises(SealError):
            ring.open("child.name", sealed[:length])


@each_cipher
def test_a_value_moved_to_another_column_does_not_open(cipher: Cipher) -> None:
    ring = ring_of(1, cipher=cipher)
    with pytest.raises(SealError, match=r"child\.name was altered or sealed elsewhere"):
        ring.open("child.name", ring.seal("person.name", b"x"))


def test_sm4_seals_as_the_standard_shows() -> None:
    """RFC 8998, appendix A.1."""
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210") + b"what else is derived is not used"
    nonce, associated = bytes.fromhex("00001234567800000000ABCD"), bytes.fromhex("FEEDFACEDEADBEEF" * 2 + "ABADDAD2")
    plain = b"".join(bytes([byte]) * 8 for byte in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")
    wanted = (
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D83DE3541E4C2B58177E065A9BF7B62EC"
    )  # fmt: skip
    sealer = SEALERS[Cipher.SM4](key)
    assert sealer.encrypt(nonce, plain, associated).hex().upper() == wanted
    assert sealer.decrypt(nonce, bytes.fromhex(wanted), associated) == plain


def test_a_ring_opens_what_either_cipher_sealed() -> None:
    aes, sm4 = ring_of(1), ring_of(1, cipher=Cipher.SM4)
    both = KeyRing([aes.keys[1], Key(2, sm4.keys[1].secret, "2026-11-25", Cipher.SM4)])
    sealed = aes.seal("child.name", b"x")
    assert both.open("child.name", sealed) == b"x"
    assert both.open("child.name", both.seal("child.name", b"y")) == b"y"
    with pytest.raises(SealError):
        sm4.open("child.name", sealed)


def test_another_secret_under_the_same_number_does_not_open() -> None:
    other = KeyRing([Key(1, b"z" * 32, "2026-11-24")])
    with pytest.raises(SealError):
        other.open("child.name", ring_of(1).seal("child.name", b"x"))


def test_a_missing_key_is_named() -> None:
    with pytest.raises(SealError, match="key 2 is not in the key file"):
        ring_of(1).open("child.name", ring_of(1, 2).seal("child.name", b"x"))


def test_equal_words_do_not_look_equal_when_sealed() -> None:
    ring = ring_of(1)
    assert ring.seal("child.name", b"same") != ring.seal("child.name", b"same")


def test_the_blind_index_is_equal_for_equal_values_of_one_purpose_only() -> None:
    ring = ring_of(1)
    assert ring.index("openid", "o-1") == ring.index("openid", "o-1")
    assert ring.index("openid", "o-1") != ring.index("phone", "o-1")
    assert ring.index("openid", "o-1") != ring.index("openid", "o-2")
    assert ring.receipt_index("123456789012") != ring.index("receipt", "123456789012")


def test_a_new_key_leaves_the_blind_index_as_it_was() -> None:
    assert ring_of(1, 2).index("openid", "o-1") == ring_of(1).index("openid", "o-1")
    assert ring_of(1, 2).receipt_index("1234") == ring_of(1).receipt_index("1234")


def test_the_secret_is_not_in_what_a_key_prints() -> None:
    assert "zzz" not in repr(Key(1, b"z" * 32, "2026-11-24"))


# --- column types


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_comes_back_even_with_lone_surrogates(words: str) -> None:
    with using(ring_of(1)):
        column = Sealed("entry.text")
        assert column.process_result_value(column.process_bind_param(words, DIALECT), DIALECT) == words


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_answers_come_back(answers: object) -> None:
    with using(ring_of(1)):
        column = SealedJson("report.answers")
        expected = answers
        assert column.process_result_value(column.process_bind_param([answers], DIALECT), DIALECT) == [expected]


# --- the key file


def test_a_new_key_file_is_for_its_owner_only_and_a_second_key_seals(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    assert sealing.append_new_key(path, NOW) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = sealing.read_key_file(path)
    assert sealing.append_new_key(path, NOW) == 2
    both = sealing.read_key_file(path)
    assert both.newest.id == 2
    assert both.newest.made == "2026-11-24"
    assert both.open("a.b", first.seal("a.b", b"x")) == b"x"


def test_a_key_is_added_on_a_line_of_its_own_though_somebody_edited_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    sealing.append_new_key(path, NOW)
    path.write_text(path.read_text().rstrip("\n"))
    sealing.append_new_key(path, NOW)
    assert sorted(sealing.read_key_file(path).keys) == [1, 2]


def test_a_running_bot_takes_up_a_key_when_it_meets_its_first_value(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    sealing.append_new_key(path, NOW)
    running = sealing.read_key_file(path)
    sealing.append_new_key(path, NOW)
    other = sealing.read_key_file(path)
    assert sealing.key_id(running.seal("a.b", b"x")) == 1
    assert running.open("a.b", other.seal("a.b", b"new")) == b"new"
    assert sealing.key_id(running.seal("a.b", b"x")) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "holds no key"),
        ("1 2026-11-24 c2hvcnQ=\n", "a line that is not a key"),
        ("0 2026-11-24 " + "A" * 43 + "=\n", "a line that is not a key"),
        ("one two\n", "a line that is not a key"),
        (("1 2026-11-24 " + "A" * 43 + "=\n") * 2, "two keys of one number"),
    ],
)
def test_a_bad_key_file_is_refused_with_one_clear_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(SealError, match=sentence):
        sealing.read_key_file(path)


def test_a_missing_key_file_tells_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="tongban keys new"):
        sealing.read_key_file(tmp_path / "none")
