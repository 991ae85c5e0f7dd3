"""A secret in three shares of which any two give it back, and one alone tells nothing (Shamir 1979, over GF(256)).

Each byte is the value at 0 of a line through it with a random slope; a share is the line's value at 1, 2 or 3. The
field is that of AES: bytes are polynomials over two elements, modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2).
"""

import os
from typing import Final

SHARES: Final = (1, 2, 3)
NEEDED: Final = 2
_MODULUS: Final = 0x11B


def split(secret: bytes) -> dict[int, bytes]:
    """The shares by their number, each as long as the secret."""
    return shares_with(secret, os.urandom(len(secret)))


def shares_with(secret: bytes, slopes: bytes) -> dict[int, bytes]:
    """The shares for given slopes, which must be drawn anew for every secret."""
    return {
        number: bytes(value ^ times(slope, number) for value, slope in zip(secret, slopes, strict=True))
        for number in SHARES
    }


def join(shares: dict[int, bytes]) -> bytes:
    """The secret of two shares; ValueError when they cannot be of one secret."""
    if len(shares) != NEEDED or not set(shares) <= set(SHARES):
        raise ValueError("two different shares are needed")
    (one, left), (two, right) = shares.items()
    if len(left) != len(right):
        raise ValueError("the two shares are not of one secret")
    # Lagrange at 0: in this field minus is plus, so the weights are two/(one+two) and one/(one+two).
    apart = inverse(one ^ two)
    for_left, for_right = times(two, apart), times(one, apart)
    return bytes(times(a, for_left) ^ times(b, for_right) for a, b in zip(left, right, strict=True))


def times(left: int, right: int) -> int:
    """The product of two elements."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left > 0xFF:  # noqa: PLR2004 - a byte
            left ^= _MODULUS
        right >>= 1
    return product


def inverse(one: int) -> int:
    """What gives 1 when multiplied: the 254th power, since the 255th of all but 0 is 1."""
    power = 1
    for _ in range(254):
        power = times(power, one)
    return power
