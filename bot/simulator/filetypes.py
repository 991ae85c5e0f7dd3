"""What a file is by its first bytes, and how long a recording plays."""

from __future__ import annotations

TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "amr": "audio/amr", "mp3": "audio/mpeg"}
AMR = b"#!AMR\n"
AMR_SIZES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)
AMR_FRAMES_PER_SECOND = 50
ID3_HEAD = 10
LAYER_3 = 1
# By the version bits of an MP3 frame: samples in it, kbit/s by rate bits, and samples a second by sampling bits.
_NEW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
MP3 = {
    3: (1152, (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), (44_100, 48_000, 32_000)),
    2: (576, _NEW, (22_050, 24_000, 16_000)),
    0: (576, _NEW, (11_025, 12_000, 8000)),
}


def sniff(data: bytes) -> str:
    """What the first bytes say: png, jpg, gif, amr, mp3, mp4, or nothing known."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return "gif"
    if data.startswith(AMR):
        return "amr"
    if data.startswith(b"ID3") or data[:2] in {b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"}:
        return "mp3"
    return "mp4" if data[4:8] == b"ftyp" else ""


def image_type(data: bytes, otherwise: str = "") -> str:
    """The content type of a picture: what its bytes say, else what the sender said."""
    return TYPES.get(sniff(data), otherwise or "image/jpeg")


def amr_seconds(data: bytes) -> float:
    """How long an AMR recording plays, by counting its frames."""
    position, frames = len(AMR), 0
    while position < len(data):
        position += AMR_SIZES[(data[position] >> 3) & 15]
        frames += 1
    return frames / AMR_FRAMES_PER_SECOND


def mp3_seconds(data: bytes) -> float:
    """How long an MP3 plays, by walking its frames; what stands before or between them is passed over."""
    position, seconds = 0, 0.0
    if data.startswith(b"ID3") and len(data) >= ID3_HEAD:
        position = ID3_HEAD + sum((data[6 + n] & 127) << (21 - 7 * n) for n in range(4))
    while (position := data.find(b"\xff", position)) >= 0:
        size, lasts = _mp3_frame(data[position : position + 3])
        position, seconds = position + size, seconds + lasts
    return seconds


def _mp3_frame(head: bytes) -> tuple[int, float]:
    """Bytes and seconds of a frame of layer III; one byte and no time when these begin none."""
    if len(head) < 3 or head[1] >> 5 != 7 or (head[1] >> 1) & 3 != LAYER_3:  # noqa: PLR2004 - bits of the format
        return 1, 0.0
    version, rate, sampling = (head[1] >> 3) & 3, (head[2] >> 4) - 1, (head[2] >> 2) & 3
    if version not in MP3 or rate not in range(14) or sampling not in range(3):
        return 1, 0.0
    samples, rates, hertz = MP3[version]
    size = samples // 8 * rates[rate] * 1000 // hertz[sampling] + ((head[2] >> 1) & 1)
    return size, samples / hertz[sampling]


PLAYS = {"amr": amr_seconds, "mp3": mp3_seconds}
