"""The two ciphers that a key may seal with: AES-256-GCM, and SM4-GCM where state ciphers are required (GB/T 32907)."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher as Mode
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

SM4_BYTES: Final = 16
TAG_BYTES: Final = 16


class Cipher(StrEnum):
    """As it stands behind a key in the key file, and in the settings."""

    AES = "aes-256-gcm"
    SM4 = "sm4-gcm"


class Sealer(Protocol):
    """Seals and opens with one key; what is opened with another, or was altered, raises InvalidTag."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """What was encrypted."""


class Sm4Gcm:
    """What `AESGCM` is for AES: `cryptography` has no such class for SM4."""

    def __init__(self, secret: bytes) -> None:
        self._sm4 = SM4(secret[:SM4_BYTES])

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Ciphertext and tag."""
        encryptor = Mode(self._sm4, GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """What was encrypted; raises InvalidTag."""
        decryptor = Mode(self._sm4, GCM(nonce, data[-TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-TAG_BYTES]) + decryptor.finalize()


SEALERS: Final[Mapping[Cipher, Callable[[bytes], Sealer]]] = {Cipher.AES: AESGCM, Cipher.SM4: Sm4Gcm}
"""From 32 bytes that are derived for sealing alone; SM4 takes the first 16."""
