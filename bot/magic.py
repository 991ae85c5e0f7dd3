"""What a file is by its own first bytes: the platform's word for it may be wrong, and browsers are told ours."""

_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"#!AMR", "audio/amr"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
_RIFFS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {
    b"M4A ": "audio/mp4",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"avif": "image/avif",
}
_FRAME_STARTS = frozenset({0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB})
"""The second byte of an MP3 without a head, after 0xFF."""
_SPEEX = "audio/speex"


def content_type_of(content: bytes, said: str) -> str | None:
    """The type of a picture, a voice or a film; None when it is none. `said` is what the platform calls it."""
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "video/mp4")
    if content.startswith(b"RIFF"):
        return _RIFFS.get(content[8:12])
    if content[:1] == b"\xff" and content[1:2] and content[1] in _FRAME_STARTS:
        return "audio/mpeg"
    # WeChat's speex has no head at all, so its word is taken, unless the bytes are plainly words.
    return _SPEEX if "speex" in said and content and not content.isascii() else None
