"""What a file is by its own first bytes: the platform's word for it may be wrong, and browsers are told ours."""

_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"#!AMR", "audio/amr"),
    (b"#!SILK_V3", "audio/silk"),
    (b"\x02#!SILK_V3", "audio/silk"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
_RIFFS = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"M4A ": "audio/mp4",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"avif": "image/avif",
}
_FRAMES = dict.fromkeys((0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB), "audio/mpeg") | dict.fromkeys(
    (0xF0, 0xF1, 0xF8, 0xF9), "audio/aac"
)
"""The second byte of a sound without a head, after 0xFF."""
_SPEEX, _UNKNOWN = "audio/speex", "application/octet-stream"
_LOOKED_AT = 1024
_OF_NO_WORDS = bytes({*range(32), 127} - set(b"\t\n\f\r\x1b"))


def content_type_of(content: bytes, said: str) -> str | None:
    """The type of a file, whatever it is; None for nothing and for plain words, which are an error told in its place.

    `said` is what the platform calls it.
    """
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "video/mp4")
    if content.startswith(b"RIFF"):
        return _RIFFS.get(content[8:12], _UNKNOWN)
    if content[:1] == b"\xff" and content[1:2] and content[1] in _FRAMES:
        return _FRAMES[content[1]]
    if is_words(content):
        return None
    return _SPEEX if "speex" in said else _UNKNOWN  # WeChat's speex has no head at all, so its word is taken


def is_words(content: bytes) -> bool:
    """Whether it holds nothing but text in any of the usual encodings, or nothing at all."""
    head = content[:_LOOKED_AT]
    return len(head) == len(head.translate(None, _OF_NO_WORDS))
