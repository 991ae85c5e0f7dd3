"""Key rings for tests: fixed secrets, so that a failure can be played again."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage import sealing
from storage.ciphers import Cipher
from storage.sealing import SECRET_BYTES, Key, KeyRing


def ring_of(*ids: int, cipher: Cipher = Cipher.AES) -> KeyRing:
    """A ring with a key for each of these ids; equal ids have equal secrets."""
    return KeyRing([Key(one, one.to_bytes(2, "big") * (SECRET_BYTES // 2), "2026-11-24", cipher) for one in ids])


@contextmanager
def using(ring: KeyRing) -> Iterator[KeyRing]:
    """Seal with this ring inside the block, with the one before after it."""
    before = sealing.ring()
    sealing.use(ring)
    try:
        yield ring
    finally:
        sealing.use(before)
