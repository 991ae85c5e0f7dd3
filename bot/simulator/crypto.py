"""Signatures and the AES envelope, written from the platform's own description (own code on purpose)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
HEAD = 20


class CryptoError(ValueError):
    """The envelope cannot be opened: bad base64, padding, length or app id."""


def signature(*parts: str) -> str:
    """Lower-case SHA-1 over the sorted, joined parts (token, timestamp, nonce and maybe the cipher text)."""
    joined = "".join(sorted(parts, key=str.encode))
    return hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324 - the platform's own rule


def sealed_by(secret: str, stamp: str, body: bytes) -> str:
    """The signature of the SMS and call gateway (docs/gateway.md): HMAC-SHA256 over time, newline and body."""
    return hmac.new(secret.encode(), stamp.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def key_of(encoding_aes_key: str) -> bytes:
    """The 32 key bytes behind the 43 characters; raises CryptoError."""
    try:
        key = base64.b64decode(encoding_aes_key + "=")
    except binascii.Error as error:
        raise CryptoError(str(error)) from error
    if len(key) != BLOCK:
        msg = "the AES key is 43 base64 characters"
        raise CryptoError(msg)
    return key


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypt(key: bytes, text: str, app_id: str, *, broken_padding: bool = False) -> str:
    """Seal `text` for `app_id`; with broken_padding the last byte says something impossible."""
    body = text.encode()
    plain = os.urandom(16) + struct.pack(">I", len(body)) + body + app_id.encode()
    pad = BLOCK - len(plain) % BLOCK
    plain += bytes([pad]) * (pad - 1) + bytes([0 if broken_padding else pad])
    encryptor = _cipher(key).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def decrypt(key: bytes, sealed: str, app_id: str) -> str:
    """Open an envelope; raises CryptoError when anything about it is not exact."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CryptoError(str(error)) from error
    if not raw or len(raw) % 16:
        msg = "not whole blocks"
        raise CryptoError(msg)
    decryptor = _cipher(key).decryptor()
    plain = decryptor.update(raw) + decryptor.finalize()
    pad = plain[-1]
    if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad or len(plain) - pad < HEAD:
        msg = "padding is wrong"
        raise CryptoError(msg)
    plain = plain[:-pad]
    length = struct.unpack(">I", plain[16:HEAD])[0]
    body, owner = plain[HEAD : HEAD + length], plain[HEAD + length :]
    if len(body) != length or owner != app_id.encode():
        msg = "app id or length does not fit"
        raise CryptoError(msg)
    return body.decode(errors="strict")
