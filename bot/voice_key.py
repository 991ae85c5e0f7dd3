"""The picture that shows where the voice key hides, drawn without words; a county may have its own instead.

Below an account's chat there are three bars, one behind the other: the menu, the bar to write in, and the key to hold.
"""

from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 720, 560
_BEHIND, _BAR, _FIELD, _LINE, _MARK = "#ededed", "#f7f7f7", "#ffffff", "#4c4c4c", "#fa5151"
_BARS = (70, 250, 430)
"""The middle of each."""
_TALL, _KEY, _LONG_KEY = 50, 60, 330
"""Half of a bar's height; where the middle of the left key and of the long one is."""


@cache
def drawn() -> bytes:
    """A PNG: to the writing bar, to the voice key, and what to hold while speaking."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), _BEHIND)
    pen = ImageDraw.Draw(picture)
    menu, writing, speaking = _BARS
    for middle in _BARS:
        pen.rectangle((0, middle - _TALL, WIDTH, middle + _TALL), fill=_BAR)
    _menu(pen, menu)
    _keyboard(pen, menu)
    for middle in (writing, speaking):
        _writing(pen, middle)
    _waves(pen, _KEY, writing)
    _keyboard(pen, speaking)
    _waves(pen, _LONG_KEY, speaking)
    for middle in (menu, writing):
        pen.ellipse((_KEY - 42, middle - 42, _KEY + 42, middle + 42), outline=_MARK, width=6)
        _arrow(pen, _KEY, middle + 48)
    pen.rounded_rectangle((116, speaking - 40, 544, speaking + 40), 12, outline=_MARK, width=6)
    _arrow(pen, _LONG_KEY, speaking + 46)
    made = BytesIO()
    picture.save(made, "PNG", optimize=True)
    return made.getvalue()


def _menu(pen: ImageDraw.ImageDraw, middle: int) -> None:
    """Three keys, each with a line for its word."""
    for left in (120, 320, 520):
        pen.line((left, middle - 40, left, middle + 40), fill=_BEHIND, width=4)
        pen.line((left + 60, middle, left + 140, middle), fill=_LINE, width=10)


def _writing(pen: ImageDraw.ImageDraw, middle: int) -> None:
    """The field, a smiling face and the sign for more."""
    pen.rounded_rectangle((120, middle - 36, 540, middle + 36), 10, fill=_FIELD)
    for centre in (_KEY, 600, 678):
        pen.ellipse((centre - 30, middle - 30, centre + 30, middle + 30), outline=_LINE, width=4)
    pen.arc((585, middle - 16, 615, middle + 16), 20, 160, fill=_LINE, width=4)
    pen.line((664, middle, 692, middle), fill=_LINE, width=4)
    pen.line((678, middle - 14, 678, middle + 14), fill=_LINE, width=4)


def _waves(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Sound: the sign on the voice key."""
    for radius in (5, 14, 23):
        pen.arc((x - 12 - radius, y - radius, x - 12 + radius, y + radius), -45, 45, fill=_MARK, width=5)


def _keyboard(pen: ImageDraw.ImageDraw, y: int) -> None:
    pen.rectangle((_KEY - 24, y - 18, _KEY + 24, y + 18), outline=_LINE, width=3)
    for row in (-8, 0, 8):
        for column in (-13, 0, 13):
            pen.rectangle((_KEY + column - 3, y + row - 2, _KEY + column + 3, y + row + 2), fill=_LINE)


def _arrow(pen: ImageDraw.ImageDraw, x: int, top: int) -> None:
    """Upwards, from below."""
    pen.line((x, top + 20, x, top + 60), fill=_MARK, width=10)
    pen.polygon((x - 18, top + 24, x + 18, top + 24, x, top), fill=_MARK)
