"""Sealing of personal content: the key ring, the sealed value's frame, and the keyed blind index.

A sealed value is `version(1) key id(2) nonce(12) ciphertext+tag`; its associated data is `table.column`,
so a value cannot be moved to another column unnoticed. The blind index is an HMAC under a key of its own
(HKDF from the same secret), over the normalised value, per purpose.
"""

import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.ciphers import SEALERS, TAG_BYTES, Cipher, Sealer

VERSION: Final = 1
SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = 3 + NONCE_BYTES
MOST_KEYS: Final = 0xFFFF
_HEAD: Final = "# Tongban keys. Without this file the database cannot be read. Keep copies apart from backups.\n"


class SealError(Exception):
    """A sealed value cannot be opened with the keys at hand."""


@dataclass(frozen=True)
class Key:
    """One secret of the key file: id 1..65535, 32 secret bytes, the day it was made, and what it seals with."""

    id: int
    secret: bytes = field(repr=False)
    made: str
    cipher: Cipher = Cipher.AES

    def __post_init__(self) -> None:
        if not 1 <= self.id <= MOST_KEYS or len(self.secret) != SECRET_BYTES:
            raise ValueError("not a key")

    def derive(self, purpose: str, salt: bytes | None = None) -> bytes:
        """A 32-byte key for one purpose, and with a `salt` for one file alone (HKDF-SHA-256)."""
        return HKDF(SHA256(), SECRET_BYTES, salt=salt, info=purpose.encode()).derive(self.secret)


class KeyRing:
    """All keys of a key file: the newest seals, every one opens, the first one indexes.

    A ring that knows its file reads it again when it meets a value of a key it does not know: so a running bot takes
    up a new key as soon as somebody else has sealed with it. `reread` does the same at once.
    """

    def __init__(self, keys: list[Key], path: Path | None = None) -> None:
        self._path = path
        self._take(keys)
        # The index key never rotates silently: a new one would make every look-up miss (ecosystem.md 8).
        oldest = min(keys, key=lambda key: key.id)
        self._index_key = oldest.derive("tongban index")
        self._receipt_key = oldest.derive("tongban receipt")

    def _take(self, keys: list[Key]) -> None:
        if not keys:
            raise SealError("the key file holds no key")
        if len({key.id for key in keys}) < len(keys):
            raise SealError("the key file holds two keys of one number")
        self._sealers = {key.id: SEALERS[key.cipher](key.derive("tongban seal")) for key in keys}
        self.keys = {key.id: key for key in keys}
        self.newest = max(keys, key=lambda key: key.id)

    def reread(self) -> None:
        """Take up the keys that were added to the key file since; raises SealError when it cannot be read."""
        if self._path is not None:
            self._take(_keys_of(self._path))

    def seal(self, place: str, plain: bytes) -> bytes:
        """Seal bytes for `table.column`."""
        newest = self.newest.id  # asked once: another thread may take up a newer key meanwhile
        nonce = os.urandom(NONCE_BYTES)
        header = bytes([VERSION]) + newest.to_bytes(2, "big")
        return header + nonce + self._sealers[newest].encrypt(nonce, plain, place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """The plain bytes; raises SealError when the key is missing or the value was altered or moved."""
        if len(sealed) < HEADER_BYTES + TAG_BYTES or sealed[0] != VERSION:
            raise SealError("not a sealed value")
        number = key_id(sealed)
        if number not in self._sealers:
            self.reread()
        sealer = self._sealers.get(number)
        if sealer is None:
            raise SealError(f"key {number} is not in the key file")
        try:
            return sealer.decrypt(sealed[3:HEADER_BYTES], sealed[HEADER_BYTES:], place.encode())
        except InvalidTag as error:
            raise SealError(f"a value of {place} was altered or sealed elsewhere") from error

    def sealer_of_file(self, number: int, salt: bytes) -> Sealer:
        """What seals and opens one file, by a key that no other file has; SealError when the key is missing."""
        if number not in self.keys:
            self.reread()
        key = self.keys.get(number)
        if key is None:
            raise SealError(f"key {number} is not in the key file")
        return SEALERS[key.cipher](key.derive("tongban copy", salt))

    def index(self, purpose: str, value: str) -> bytes:
        """The 32-byte blind index of a normalised value: equal values of one purpose give equal bytes."""
        return hmac.digest(self._index_key, f"{purpose}\0{value}".encode(), hashlib.sha256)

    def receipt_index(self, digits: str) -> bytes:
        """The index of a receipt, under a key of its own."""
        return hmac.digest(self._receipt_key, digits.encode(), hashlib.sha256)


# One process serves one county with one key ring. Column types are built at import, long before the key file
# is read, so the ring is looked up when a value is sealed, and only `use` may set it.
_ring: KeyRing | None = None
_lock = threading.Lock()


def use(ring: KeyRing) -> None:
    """Make this the process's key ring."""
    global _ring  # noqa: PLW0603 - the one place that sets it, see above
    with _lock:
        _ring = ring


def ring() -> KeyRing:
    """The process's key ring; raises SealError before `use`."""
    if _ring is None:
        raise SealError("no key file has been read")
    return _ring


def key_id(sealed: bytes) -> int:
    """The id of the key that sealed a value."""
    return int.from_bytes(sealed[1:3], "big")


def read_key_file(path: Path) -> KeyRing:
    """Read `id date base64 [cipher]` lines; raises SealError with one clear sentence."""
    return KeyRing(_keys_of(path), path)


def append_new_key(path: Path, now: datetime, cipher: Cipher = Cipher.AES) -> int:
    """Add a fresh key to the key file (made readable by its owner only); returns the key's id."""
    existing = path.read_text(encoding="ascii") if path.exists() else ""
    number = max((key.id for key in _keys_of(path)), default=0) + 1 if existing else 1
    line = _line(Key(number, os.urandom(SECRET_BYTES), f"{now:%Y-%m-%d}", cipher))
    before = existing and ("" if existing.endswith("\n") else "\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write((before if existing else _HEAD) + line)
        file.flush()
        os.fsync(file.fileno())
    return number


def write_new_key_file(path: Path, keys: Iterable[Key]) -> None:
    """Write keys that were recovered to a new file; FileExistsError when there is one, which may hold others."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.writelines([_HEAD, *map(_line, keys)])
        file.flush()
        os.fsync(file.fileno())


def _line(key: Key) -> str:
    return f"{key.id} {key.made} {base64.b64encode(key.secret).decode()} {key.cipher}\n"


def _keys_of(path: Path) -> list[Key]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"cannot read the key file {path}: make one with `tongban keys new`") from error
    keys = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            number, made, secret, *cipher = line.split()
            keys.append(Key(int(number), base64.b64decode(secret, validate=True), made, *map(Cipher, cipher)))
        except (ValueError, TypeError) as error:
            raise SealError(f"the key file {path} has a line that is not a key") from error
    return keys
