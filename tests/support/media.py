"""Real pictures and sounds, made for tests."""

import math
import random
from array import array
from io import BytesIO
from typing import Literal

import av
from PIL import Image

Encoding = Literal["amr", "mp3", "ogg", "wav", "m4a", "aac"]
_CODECS: dict[Encoding, tuple[str, str, int]] = {
    "amr": ("amr", "libopencore_amrnb", 8000),
    "mp3": ("mp3", "libmp3lame", 16000),
    "ogg": ("ogg", "libopus", 16000),
    "wav": ("wav", "pcm_s16le", 16000),
    "m4a": ("ipod", "aac", 16000),
    "aac": ("adts", "aac", 16000),
}
_SAMPLES = 160


def tone(seconds: float = 1.0, hertz: float = 440, encoding: Encoding = "amr") -> bytes:
    """A sine, as a phone would send it."""
    container, codec, rate = _CODECS[encoding]
    made = BytesIO()
    with av.open(made, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        wave = array("h", (int(8000 * math.sin(2 * math.pi * hertz * one / rate)) for one in range(_SAMPLES)))
        for number in range(int(seconds * rate / _SAMPLES)):
            frame = av.AudioFrame(format="s16", layout="mono", samples=_SAMPLES)
            frame.sample_rate, frame.pts = rate, number * _SAMPLES
            frame.planes[0].update(wave.tobytes())
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return made.getvalue()


def speex(packets: int, together: int = 1) -> bytes:
    """WeChat's speex: wideband packets of so many frames of 20 ms, each behind a byte with its length.

    There is no encoder at hand. Whatever bits follow the two modes of a frame are a sound, a rough one.
    """
    chance = random.Random(5)
    made = b""
    for _ in range(packets):
        bits = "".join(
            f"0{5:04b}{chance.getrandbits(295):0295b}1{3:03b}{chance.getrandbits(188):0188b}" for _ in range(together)
        )
        bits += ("0" + "1" * 7)[: -len(bits) % 8]
        made += bytes([len(bits) // 8]) + int(bits, 2).to_bytes(len(bits) // 8)
    return made


def seconds_of(sound: bytes) -> float:
    """How long a sound plays, by decoding it."""
    with av.open(BytesIO(sound), "r") as source:
        return sum(frame.samples / frame.sample_rate for frame in source.decode(audio=0))


def picture(
    size: tuple[int, int] = (640, 480), colour: tuple[int, int, int] = (200, 40, 40), *, exif: Image.Exif | None = None
) -> bytes:
    """A JPEG: the left half of one colour, the right half black."""
    made = Image.new("RGB", size)
    made.paste(colour, (0, 0, size[0] // 2, size[1]))
    kept = BytesIO()
    made.save(kept, "JPEG", exif=exif or Image.Exif())
    return kept.getvalue()
