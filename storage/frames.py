"""A sealed file of frames: what a copy of the database is written to and read from, one frame in memory at a time.

    "TONGBAN" version(1)  key id(2)  salt(16)      the head; its key is made of the key file's and the salt
    { number(4)  length(4)  ciphertext+tag }       one frame; the number is its nonce, so none can be moved

The associated data of a frame is the head and whether it is the last one: a frame of another file does not open here,
and a file that was cut off has no last one. Numbers are big-endian.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from cryptography.exceptions import InvalidTag

from storage import sealing
from storage.ciphers import TAG_BYTES, Sealer
from storage.sealing import NONCE_BYTES

MAGIC: Final = b"TONGBAN\x01"
_SALT_BYTES: Final = 16
_HEAD_BYTES: Final = len(MAGIC) + 2 + _SALT_BYTES
LARGEST: Final = 256 * 1024 * 1024
"""Bytes of one frame: a larger length is damage, and must not fill the memory."""
PART: Final = ".part"
"""What a file's name ends with until it is whole."""


class Damaged(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """The file is not, or no longer, what was written; the text says where, and nothing of its content."""


class Writer:
    """Writes frames under `path` + ".part"; only `close` gives the file its name, when all of it is on the disk."""

    def __init__(self, path: Path, ring: sealing.KeyRing) -> None:
        self._path, self._part = path, path.with_name(path.name + PART)
        self.key_id = ring.newest.id
        salt = os.urandom(_SALT_BYTES)
        self.head = MAGIC + self.key_id.to_bytes(2, "big") + salt
        self._sealer = ring.sealer_of_file(self.key_id, salt)
        self._number = 0
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self._file.write(self.head)

    @property
    def name(self) -> str:
        """What no other file has: the salt, as another file may name this one."""
        return self.head[-_SALT_BYTES:].hex()

    def write(self, payload: bytes, *, last: bool = False) -> None:
        """Seal one frame."""
        nonce = self._number.to_bytes(NONCE_BYTES, "big")
        sealed = self._sealer.encrypt(nonce, payload, _bound(self.head, last=last))
        self._file.write(self._number.to_bytes(4, "big") + len(sealed).to_bytes(4, "big"))
        self._file.write(sealed)
        self._number += 1

    def close(self) -> int:
        """Give the file its name; its size in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        self._part.rename(self._path)
        sync_folder(self._path.parent)
        return size

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class Reader:
    """Reads frames in their order; raises Damaged at the first that is not as it was written."""

    def __init__(self, path: Path, ring: sealing.KeyRing) -> None:
        with path.open("rb") as file:
            self._head = file.read(_HEAD_BYTES)
        if len(self._head) < _HEAD_BYTES or not self._head.startswith(MAGIC):
            raise Damaged("this is no copy of a Tongban database")
        self.key_id = int.from_bytes(self._head[len(MAGIC) : len(MAGIC) + 2], "big")
        self._sealer: Sealer = ring.sealer_of_file(self.key_id, self._head[-_SALT_BYTES:])
        self._file: IO[bytes] = path.open("rb")
        self._file.seek(_HEAD_BYTES)
        self._number = 0

    @property
    def name(self) -> str:
        """As the writer's."""
        return self._head[-_SALT_BYTES:].hex()

    def __enter__(self) -> Self:
        """The reader."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        """Every frame's payload; after the last one it is known that nothing is missing and nothing was added."""
        payload, last = self._next()
        while not last:
            yield payload
            payload, last = self._next()
        yield payload
        if self._file.read(1):
            raise Damaged("something was added behind the last frame")

    def last(self) -> bytes:
        """The payload of the last frame, without opening those before it."""
        self._file.seek(0, os.SEEK_END)
        end = self._file.tell()
        self._file.seek(_HEAD_BYTES)
        self._number = 0
        while True:
            length = self._length()
            if self._file.tell() + length >= end:
                payload, last = self._opened(length)
                if not last:
                    raise Damaged(f"it ends behind frame {self._number}: the rest is missing")
                return payload
            self._file.seek(length, os.SEEK_CUR)
            self._number += 1

    def _next(self) -> tuple[bytes, bool]:
        found = self._opened(self._length())
        self._number += 1
        return found

    def _length(self) -> int:
        start = self._file.read(8)
        if len(start) < 8:  # noqa: PLR2004 - two numbers of four bytes
            raise Damaged(f"it ends before frame {self._number}: the rest is missing")
        number, length = int.from_bytes(start[:4], "big"), int.from_bytes(start[4:], "big")
        if not TAG_BYTES <= length <= LARGEST:
            raise Damaged(f"frame {self._number} was altered")
        if number != self._number:
            raise Damaged(f"frame {number} stands where frame {self._number} belongs")
        return length

    def _opened(self, length: int) -> tuple[bytes, bool]:
        sealed = self._file.read(length)
        if len(sealed) < length:
            raise Damaged(f"it ends within frame {self._number}: the rest is missing")
        nonce = self._number.to_bytes(NONCE_BYTES, "big")
        for last in (False, True):
            try:
                return self._sealer.decrypt(nonce, sealed, _bound(self._head, last=last)), last
            except InvalidTag:
                continue
        raise Damaged(f"frame {self._number} was altered")


def sync_folder(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _bound(head: bytes, *, last: bool) -> bytes:
    return head + bytes([last])
