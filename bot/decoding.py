"""A process of its own (`python -I decoding.py voice`): an original on its input, the rendition on its output.

What strangers send is decoded here and not in the bot, so that a picture that unpacks to gigabytes or a sound that
never ends costs at most this process: the system bounds its seconds of CPU, its memory, and its files, lets it start
no other, and ends it before anybody else when memory is short; `bot.renditions` bounds its time by the wall and what it
answers. It starts without the bot's environment, where secrets may be. Not bounded is what a decoder that is taken over
may do with the rights of the bot's user: it could read files, and the network is open to it. Only what we name is
decoded, by the first bytes.

It is run as a file and imports nothing of ours: starting it must be cheap.
"""

import os
import resource
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Any

CPU_SECONDS = 20
MEMORY = 1024 * 1024 * 1024
"""Bytes of address space; decoders reserve much more than they use."""
MOST_FILES = 64
"""Open at once; only what is imported needs any."""
MOST_PIXELS = 50_000_000
"""Of a picture."""
THUMBNAIL = 24
"""Pixels of the longer side: colours and a notion of what it is, no face."""
BLUR = 1.2
LONGEST_SECONDS = 600
"""Of a voice; what is longer is not cut, it has no rendition and is listened to as it came."""
RATE = 16_000
BIT_RATE = 32_000
SOUND_FORMATS: Mapping[bytes, str] = {
    b"#!AMR": "amr", b"OggS": "ogg", b"RIFF": "wav", b"ID3": "mp3", b"\xff\xf0": "aac", b"\xff\xf1": "aac",
    b"\xff\xf8": "aac", b"\xff\xf9": "aac", b"\xff": "mp3",
}  # fmt: skip
"""How a sound begins and what it then is, the first that fits; an MP4 says so a little later."""
SPEEX_RATE, SPEEX_SAMPLES = 16_000, 320
"""Of the wideband frames that WeChat sends, of 20 ms each."""
_SPEEX_NARROW, _SPEEX_WIDE = (5, 43, 119, 160, 220, 300, 364, 492, 79), (4, 36, 112, 192, 352)
"""Bits of a frame's lower and upper half by the mode each half begins with (the Speex manual, bit allocation)."""


def picture(content: bytes) -> bytes:
    """A small blurred JPEG, upright, without anything that the camera wrote into the original."""
    from PIL import Image, ImageFilter, ImageOps  # noqa: PLC0415 - a voice has no use for it

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow itself refuses only twice as many
    with Image.open(BytesIO(content), formats=("JPEG", "PNG", "GIF", "WEBP", "BMP")) as opened:
        # A JPEG is decoded small at once. Of anything else pixels are picked: whatever reckons with all of them needs
        # their memory once more, and turning comes after that for the same reason.
        opened.thumbnail((THUMBNAIL * 4, THUMBNAIL * 4), Image.Resampling.NEAREST)
        small = ImageOps.exif_transpose(opened).convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    blurred = BytesIO()
    small.filter(ImageFilter.GaussianBlur(BLUR)).save(blurred, "JPEG", quality=70)
    return blurred.getvalue()


def voice(content: bytes) -> bytes:
    """An MP3: what every browser plays, also the one inside WeChat on an iPhone."""
    import av  # noqa: PLC0415 - a picture has no use for it

    made, seconds = BytesIO(), 0.0
    with av.open(made, "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=BIT_RATE)
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
        for frame in _frames(content):
            seconds += frame.samples / frame.sample_rate
            if seconds > LONGEST_SECONDS:
                raise ValueError("longer than a voice is")
            for part in resampler.resample(frame):
                target.mux(stream.encode(part))
        for part in resampler.resample(None):
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    if not seconds:
        raise ValueError("nothing to hear")
    return made.getvalue()


def _frames(content: bytes) -> Iterator[Any]:
    """What is heard, piece by piece, as PyAV has it."""
    import av  # noqa: PLC0415 - as above

    name = _sound_format(content)
    if name is None:
        yield from _speex_frames(content)
        return
    with av.open(BytesIO(content), "r", format=name) as source:
        yield from source.decode(source.streams.audio[0])


def _sound_format(content: bytes) -> str | None:
    if content[4:8] == b"ftyp":
        return "mov"
    return next((name for start, name in SOUND_FORMATS.items() if content.startswith(start)), None)


def _speex_frames(content: bytes) -> Iterator[Any]:
    """WeChat's speex (`audio/x-speex-with-header-byte`): no head, each packet behind a byte that gives its length."""
    import av  # noqa: PLC0415 - as above

    packets, at = [], 0
    while at < len(content):
        start, at = at + 1, at + 1 + content[at]
        if not start < at <= len(content):
            raise ValueError("not packets one after the other")
        packets.append(content[start:at])
    if not packets or not (together := _speex_frames_in(packets[0])):
        raise ValueError("nothing to hear")
    decoder = av.CodecContext.create("speex", "r")
    decoder.extradata = pack(  # the head that a file would have: the manual's SpeexHeader
        "<8s20s13i", b"Speex   ", b"1.2", 1, 80, SPEEX_RATE, 1, 4, 1, -1, SPEEX_SAMPLES, 0, together, 0, 0, 0
    )
    for packet in packets:
        yield from decoder.decode(av.Packet(packet))


def _speex_frames_in(packet: bytes) -> int:
    """How many frames lie bit to bit in a packet, by their modes; what does not make one more is the padding."""
    bits = "".join(f"{byte:08b}" for byte in packet)
    count = at = 0
    while bits[at : at + 1] == "0" and (mode := int(bits[at + 1 : at + 5].ljust(4, "1"), 2)) < len(_SPEEX_NARROW):
        at += _SPEEX_NARROW[mode]
        if bits[at : at + 1] == "1":
            at += _SPEEX_WIDE[min(int(bits[at + 1 : at + 4].ljust(3, "0"), 2), len(_SPEEX_WIDE) - 1)]
        if at > len(bits):
            break
        count += 1
    return count


MAKERS: Mapping[str, Callable[[bytes], bytes]] = {"picture": picture, "voice": voice}


def _bound() -> None:
    """Less than the bot may do, after everybody else, and the first to go when memory is short."""
    with suppress(OSError):  # there is none outside Linux
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, MOST_FILES), (resource.RLIMIT_NPROC, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
    os.nice(10)


def main() -> int:
    """1 with the kind of error on standard error: never a text, which may quote what was sent."""
    _bound()
    try:
        sys.stdout.buffer.write(MAKERS[sys.argv[1]](sys.stdin.buffer.read()))
        sys.stdout.buffer.flush()
    except Exception as error:  # noqa: BLE001 - whatever decoders raise
        sys.stderr.write(type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
