"""Escrow sheets: the keys on three sheets of paper, of which any two give them back when somebody types them in.

A line holds ten bytes as letters and digits that are not mistaken for one another, then a check of the line with its
place, so that a line that was mistyped, or stands on the wrong sheet, is named.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from storage import shares
from storage.ciphers import Cipher
from storage.sealing import SECRET_BYTES, Key, SealError

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O and U, and what looks like another is read as it."""
_TO_OURS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _LETTERS)
_FROM_OURS = str.maketrans(_LETTERS, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_READ_AS = str.maketrans("OIL", "011")
_LINE: Final = 10
_CHECK: Final = 4
"""Letters of a line's check: one mistyped line in a million is not found by it."""
_SUM: Final = 8
"""Bytes of the check of all of it."""
_DAY: Final = len("2026-11-25")
_KEY: Final = 2 + _DAY + 1 + SECRET_BYTES
"""Bytes of a key: number, day, cipher, secret."""
_CIPHERS: Final = (Cipher.AES, Cipher.SM4)
_HEAD = re.compile(r"^SHEET +(\d) +OF +3 +SET +(\w+)$")
_TYPED = re.compile(r"^(\d+)[ .:]+(.*)$")


class Mistyped(SealError):  # noqa: N818 - reads as a sentence where it is caught
    """A sheet cannot be used as it was typed; the text names the sheet and the line."""


@dataclass(frozen=True)
class Sheet:
    """One of the three: its number, the set's name, and its share."""

    number: int
    set: str
    share: bytes

    def lines(self) -> list[str]:
        """What is printed, and typed in again."""
        cut = [self.share[at : at + _LINE] for at in range(0, len(self.share), _LINE)]
        return [
            f"SHEET {self.number} OF 3  SET {self.set}",
            *(
                f"{place:02d}. {_grouped(_written(part) + self._check(place, part))}"
                for place, part in enumerate(cut, 1)
            ),
            f"END {len(cut)} LINES",
        ]

    def _check(self, place: int, part: bytes) -> str:
        told = f"{self.set} {self.number} {place} ".encode() + part
        return _written(hashlib.sha256(told).digest())[:_CHECK]

    @classmethod
    def read(cls, typed: Iterable[str]) -> "Sheet":
        """The sheet that was typed, with whatever stands around it; raises Mistyped."""
        given = [line.strip().upper() for line in typed]
        head = next((found for line in given if (found := _HEAD.match(line))), None)
        if head is None:
            raise Mistyped("there is no line like SHEET 1 OF 3  SET AB12")
        number, name = int(head[1]), head[2].translate(_READ_AS)
        parts = {int(found[1]): found[2] for line in given if (found := _TYPED.match(line))}
        ends = next((int(found[1]) for line in given if (found := re.match(r"^END (\d+) LINES$", line))), None)
        if ends is None:
            raise Mistyped(f"sheet {number}: the last line, END … LINES, is missing")
        sheet = cls(number, name, b"")
        return cls(number, name, b"".join(sheet._line(place, parts.get(place)) for place in range(1, ends + 1)))

    def _line(self, place: int, typed: str | None) -> bytes:
        where = f"sheet {self.number}, line {place:02d}"
        if typed is None:
            raise Mistyped(f"{where} is missing")
        letters = re.sub(r"[\s-]", "", typed).translate(_READ_AS)
        if set(letters) - set(_LETTERS):
            raise Mistyped(f"{where}: {min(set(letters) - set(_LETTERS))} is never on a sheet")
        try:
            part = _meant(letters[:-_CHECK])
        except ValueError:
            raise Mistyped(f"{where} was mistyped: a letter is missing, or one too many") from None
        if self._check(place, part) != letters[-_CHECK:]:
            raise Mistyped(f"{where} was mistyped")
        return part


def sheets_of(keys: Sequence[Key]) -> list[Sheet]:
    """Three sheets for these keys, under a name of their own: sheets of two sets do not go together."""
    plain = b"".join(
        key.id.to_bytes(2, "big")
        + f"{key.made:<{_DAY}.{_DAY}}".encode()
        + bytes([_CIPHERS.index(key.cipher)])
        + key.secret
        for key in sorted(keys, key=lambda one: one.id)
    )
    name = "".join(secrets.choice(_LETTERS) for _ in range(4))
    split = shares.split(hashlib.sha256(plain).digest()[:_SUM] + plain)
    return [Sheet(number, name, share) for number, share in split.items()]


def keys_of(one: Sheet, two: Sheet) -> list[Key]:
    """The keys of two sheets; raises Mistyped."""
    if one.set != two.set:
        raise Mistyped(f"the sheets are of two sets, {one.set} and {two.set}: both must be of one")
    if one.number == two.number:
        raise Mistyped(f"this is sheet {one.number} twice: two different ones are needed")
    try:
        whole = shares.join({one.number: one.share, two.number: two.share})
    except ValueError as error:
        raise Mistyped(f"{error}") from error
    check, plain = whole[:_SUM], whole[_SUM:]
    if hashlib.sha256(plain).digest()[:_SUM] != check or len(plain) % _KEY:
        raise Mistyped("the two sheets do not give keys: one of them is not what was printed")
    return [_key(plain[at : at + _KEY]) for at in range(0, len(plain), _KEY)]


def _key(packed: bytes) -> Key:
    made, cipher = packed[2 : 2 + _DAY].decode("ascii"), _CIPHERS[packed[2 + _DAY]]
    return Key(int.from_bytes(packed[:2], "big"), packed[-SECRET_BYTES:], made.strip(), cipher)


def _grouped(letters: str) -> str:
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _written(part: bytes) -> str:
    return base64.b32encode(part).decode().rstrip("=").translate(_TO_OURS)


def _meant(letters: str) -> bytes:
    padded = letters.translate(_FROM_OURS)
    return base64.b32decode(padded + "=" * (-len(padded) % 8))
