"""What the demo county is drawn with: names, telephone and ID numbers, all from one seed."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar

from stdnum.cn import ric

from messages.files import table

T = TypeVar("T")
SEED = 2026
_PLACE = "530000"
"""A province's own code: no real person's ID number begins with it."""
_PHONE = "1990000"
_FEMALE = "female"


class Chance:
    """One source of chance; the same seed gives the same county."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)  # noqa: S311 - invented data, no secret
        self.names: dict[str, Any] = table("demo/names.toml")
        self._phones = 0
        self._given: set[str] = set()

    def one(self, among: Sequence[T]) -> T:
        """Any of them."""
        return self._random.choice(among)

    def some(self, among: Sequence[T], count: int) -> list[T]:
        """So many different ones, in any order."""
        return self._random.sample(among, count)

    def number(self, lowest: int, highest: int) -> int:
        """Any whole number from `lowest` to `highest`."""
        return self._random.randint(lowest, highest)

    def happens(self, share: float) -> bool:
        """True so often: 0.2 is once in five."""
        return self._random.random() < share

    def adult(self) -> str:
        """A grown-up's name that nobody else in the county has."""
        while True:
            name = "".join(self.one(self.names[part]) for part in ("surnames", "given_adult", "given_second"))
            if name not in self._given:
                self._given.add(name)
                return name

    def child(self, sex: str) -> str:
        """A child's name."""
        given = self.names["given_girl" if sex == _FEMALE else "given_boy"]
        return str(self.one(self.names["surnames"]) + self.one(given) + self.one(self.names["given_second"]))

    def phone(self) -> str:
        """A telephone number that nobody else in the county has."""
        self._phones += 1
        return f"{_PHONE}{self._phones:04d}"

    def id_number(self, born: date, sex: str, serial: int) -> str:
        """An ID number with a right check digit; odd serials are men's."""
        digits = f"{_PLACE}{born:%Y%m%d}{(serial % 499) * 2 + (0 if sex == _FEMALE else 1):03d}"
        return digits + ric.calc_check_digit(f"{digits}0")
