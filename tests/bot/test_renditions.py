"""What a browser shows or plays of an original: made after that is safe, in another process, never instead of it."""

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image
from sqlalchemy import select

from bot import decoding
from bot.decoding import THUMBNAIL
from bot.magic import content_type_of
from bot.renditions import BATCH, LEASE, WAITS, NotMade, decoded
from storage.media import Media, MediaState
from storage.renditions import Rendition, claim, expect, release
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.media import picture, seconds_of, speex, tone
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ORIENTATION, ARTIST = 0x0112, 0x013B
RIGHT_SIDE_UP = 6
"""The camera was turned: the left of the file is the top of the picture."""


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


class StandIn(Protocol):
    """Puts another program in the place of the decoder's, as if it had been taken over."""

    def __call__(self, act: str, *, reads: bool = True) -> None: ...


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """See above."""

    def put(act: str, *, reads: bool = True) -> None:
        program = tmp_path / "decoder.py"
        program.write_text("\n".join(("import os, sys", "sys.stdin.buffer.read()" if reads else "", act)))
        monkeypatch.setattr(decoding, "__file__", str(program))

    return put


def renditions(bot: Rig) -> list[Rendition]:
    """Every rendition, opened."""
    with bot.engine.connect() as connection:
        rows = connection.execute(select(Rendition.__table__).order_by(Rendition.media_id))
        return list(rows)  # type: ignore[arg-type]  # rows with the same names


async def test_a_voice_becomes_an_mp3_and_a_photo_a_small_blur_beside_the_untouched_original(bot: Rig) -> None:
    phone, photo, voice = bot.phone("teacher"), picture(), tone(1.5)
    await phone.send_image(photo)
    await phone.send_voice(voice)
    await bot.worker.media.once()
    assert [row.made_at for row in renditions(bot)] == [None, None], "the original is safe before anything is decoded"
    await bot.worker.renditions.once()
    blurred, sound = renditions(bot)
    assert (blurred.content_type, sound.content_type) == ("image/jpeg", "audio/mpeg")
    assert abs(seconds_of(sound.content or b"") - 1.5) < 0.2
    with Image.open(BytesIO(blurred.content or b"")) as small:
        assert small.size == (THUMBNAIL, THUMBNAIL * 3 // 4)
    kept = [row.sha256 for row in bot.rows(Media)]
    assert kept == [hashlib.sha256(sent).hexdigest() for sent in (photo, voice)]
    assert await bot.worker.renditions.once() == 0


async def test_a_rendition_is_sealed(bot: Rig) -> None:
    await bot.phone("teacher").send_image(picture())
    await bot.worker.media.once()
    await bot.worker.renditions.once()
    with bot.engine.connect() as connection:
        [raw] = connection.exec_driver_sql("SELECT content FROM rendition").scalars()
    assert b"\xff\xd8\xff" not in bytes(raw)


async def test_the_blur_is_upright_and_tells_nothing_that_the_camera_wrote() -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = RIGHT_SIDE_UP, "Zhang San"
    sent = picture((800, 600), (255, 0, 0), exif=exif)
    assert b"Zhang San" in sent
    made = await decoded("picture", sent)
    assert b"Zhang San" not in made
    assert b"Exif" not in made
    with Image.open(BytesIO(made)) as small:
        assert small.size == (THUMBNAIL * 3 // 4, THUMBNAIL)
        top, bottom = small.getpixel((9, 2)), small.getpixel((9, 21))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 150
    assert bottom[0] < 60


@pytest.mark.parametrize("encoding", ["amr", "mp3", "ogg", "wav", "m4a", "aac"])
async def test_every_kind_of_sound_that_is_kept_can_be_played(encoding: str) -> None:
    sent = tone(1, encoding=encoding)  # type: ignore[arg-type]  # one of them
    assert (content_type_of(sent, "") or "").startswith("audio/")
    made = await decoded("voice", sent)
    assert content_type_of(made, "") == "audio/mpeg"
    assert abs(seconds_of(made) - 1) < 0.2


@pytest.mark.parametrize("together", [1, 2, 3])
async def test_wechats_speex_can_be_played_however_many_frames_a_packet_holds(together: int) -> None:
    made = await decoded("voice", speex(50, together))
    assert content_type_of(made, "") == "audio/mpeg"
    assert abs(seconds_of(made) - together) < 0.2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
async def test_every_kind_of_picture_that_phones_send_has_a_blur(kind: str) -> None:
    sent = BytesIO()
    Image.new("RGB", (300, 200), (10, 200, 10)).save(sent, kind)
    assert (content_type_of(sent.getvalue(), "") or "").startswith("image/")
    with Image.open(BytesIO(await decoded("picture", sent.getvalue()))) as small:
        assert small.size == (THUMBNAIL, THUMBNAIL * 2 // 3)


def bomb(width: int, height: int) -> bytes:
    """A PNG of some kilobytes that says that it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1024 * 1024))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("what", "content", "error"),
    [
        ("picture", bomb(60_000, 60_000), "DecompressionBombError"),
        ("picture", bomb(8_000, 8_000), "DecompressionBombWarning"),
        ("picture", b"\xff\xd8\xff\xe0" + bytes(5000), "UnidentifiedImageError"),
        ("voice", b"#!AMR\n", "ValueError"),
        ("voice", tone(601, encoding="mp3"), "ValueError"),
        ("voice", b"ID3" + bytes(5000), "Error"),
        ("voice", speex(50)[:-7], "ValueError"),
        ("voice", b"\x06\x9d\x1b\x96" * 20, "ValueError"),
    ],
    ids=["bomb", "too many pixels", "broken picture", "no sound", "too long", "broken sound", "cut off", "no packets"],
)
async def test_what_cannot_be_decoded_says_so_by_its_kind_alone(what: str, content: bytes, error: str) -> None:
    with pytest.raises(NotMade, match=error):
        await decoded(what, content)


async def test_a_decoder_that_takes_too_long_is_ended() -> None:
    with pytest.raises(NotMade, match="too slow"):
        await decoded("voice", tone(500, encoding="wav"), patience=0.01)


def test_a_decoder_has_so_much_memory_and_no_more() -> None:
    act = "from bot import decoding; decoding._bound(); bytearray(decoding.MEMORY)"
    ended = subprocess.run([sys.executable, "-c", act], cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == 1
    assert b"MemoryError" in ended.stderr


async def test_a_decoder_that_answers_without_end_is_ended_before_it_fills_the_bots_memory(stand_in: StandIn) -> None:
    stand_in('while True: sys.stdout.buffer.write(b"x" * 65536)')
    with pytest.raises(NotMade, match="too much"):
        await decoded("picture", picture(), patience=10)
    stand_in('while True: sys.stderr.buffer.write(b"x" * 65536)')
    with pytest.raises(NotMade, match="too much"):
        await decoded("picture", picture(), patience=10)


async def test_a_decoder_that_answers_for_too_long_is_ended(stand_in: StandIn) -> None:
    stand_in('while True: os.write(1, b"x"); os.write(2, b"y")')
    with pytest.raises(NotMade, match="too slow"):
        await decoded("picture", picture(), patience=0.3)


async def test_a_decoder_that_reads_nothing_is_no_trouble(stand_in: StandIn) -> None:
    stand_in("os.close(0); sys.exit(3)", reads=False)
    with pytest.raises(NotMade, match="ended with 3"):
        await decoded("picture", bytes(1024 * 1024))


def test_a_decoder_opens_few_files_starts_nothing_and_goes_first_when_memory_is_short() -> None:
    act = (
        "import resource as r; from bot import decoding; decoding._bound();"
        "print(open('/proc/self/oom_score_adj').read().strip(),"
        "      r.getrlimit(r.RLIMIT_NPROC), r.getrlimit(r.RLIMIT_NOFILE))"
    )
    ended = subprocess.run([sys.executable, "-c", act], cwd=ROOT, capture_output=True, check=True, text=True)
    assert ended.stdout.strip() == "1000 (0, 0) (64, 64)"


def test_a_large_picture_costs_its_pixels_once() -> None:
    """A legal PNG of 36 megapixels with an alpha channel, which to reckon with would need its memory three times."""
    sent = BytesIO()
    Image.new("RGBA", (6000, 6000), (10, 200, 10, 255)).save(sent, "PNG", compress_level=1)
    act = (
        "import sys; from bot import decoding; made = decoding.picture(sys.stdin.buffer.read());"
        "peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(len(made) > 100, *peak)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", act], cwd=ROOT, input=sent.getvalue(), capture_output=True, check=True
    )
    made, kilobytes = ended.stdout.split()
    assert made == b"True"
    assert int(kilobytes) < 2 * 6000 * 6000 * 4 / 1024


async def test_a_decoder_has_nothing_of_the_bots_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the bot's own environment that would break every import in the child is not seen there."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert os.environ["PYTHONHOME"] == "/nowhere"
    assert await decoded("picture", picture())


@pytest.mark.parametrize("why", ["MemoryError", "ModuleNotFoundError", "a decoder that is killed"])
async def test_a_rendition_that_the_machine_fails_is_tried_again_and_given_up_and_the_original_stays(
    bot: Rig, stand_in: StandIn, why: str
) -> None:
    sent = picture()
    await bot.phone("teacher").send_image(sent)
    await bot.worker.media.once()
    stand_in(f'sys.stderr.write("{why}"); sys.exit(1)' if why.isidentifier() else "os.kill(os.getpid(), 9)")
    tried = 0
    for _ in range(10):
        tried += await bot.worker.renditions.once()
        await bot.pass_(hours=2)
    assert tried == 1 + len(WAITS)
    [row] = renditions(bot)
    assert (row.content, row.next_at) == (None, None)
    [original] = bot.rows(Media)
    assert (original.state, original.sha256) == (MediaState.KEPT, hashlib.sha256(sent).hexdigest())


async def test_what_the_decoder_can_make_nothing_of_is_tried_once(bot: Rig) -> None:
    odd = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
    await bot.phone("teacher").send_image(odd)
    await bot.worker.media.once()
    assert await bot.worker.renditions.once() == 1
    await bot.pass_(days=1)
    assert await bot.worker.renditions.once() == 0
    [row] = renditions(bot)
    assert (row.content, row.next_at) == (None, None)
    [original] = bot.rows(Media)
    assert (original.state, original.sha256) == (MediaState.KEPT, hashlib.sha256(odd).hexdigest())


async def test_tries_that_never_have_an_outcome_come_to_an_end(bot: Rig) -> None:
    """The process dies while it decodes, each time: what it leased is due again, but not for ever."""
    await bot.phone("teacher").send_image(picture())
    await bot.worker.media.once()
    for _ in range(1 + len(WAITS)):
        now = bot.clock.now()
        claimed = await bot.database.run(lambda connection, now=now: claim(connection, now, now + LEASE, 1))  # type: ignore[misc]
        assert len(claimed) == 1
        await bot.pass_(minutes=3)
    assert await bot.worker.renditions.once() == 1
    [row] = renditions(bot)
    assert (row.content, row.next_at) == (None, None)


async def test_a_rendition_whose_original_nobody_decodes_any_more_is_given_up(bot: Rig) -> None:
    """An older version noted one for every sound."""
    await bot.phone("teacher").send_voice(b"#!SILK_V3" + bytes(range(256)))
    await bot.worker.media.once()
    assert renditions(bot) == []
    [original] = bot.rows(Media)
    await bot.database.run(lambda connection: expect(connection, original.id, bot.clock.now()))
    assert await bot.worker.renditions.once() == 1
    assert [row.next_at for row in renditions(bot)] == [None]


async def test_what_came_last_is_made_first_and_a_round_makes_only_a_few(bot: Rig) -> None:
    """So a voice of just now does not wait behind thousands, and the bot can be stopped between two rounds."""
    phone = bot.phone("teacher")
    for shade in range(2 * BATCH):
        await phone.send_image(picture(colour=(shade, 0, 0)))
        await bot.worker.media.once()
        await bot.pass_(seconds=1)
    await phone.send_voice(tone(0.2))
    await bot.worker.media.once()
    assert await bot.worker.renditions.once() == BATCH
    made = [row.media_id for row in renditions(bot) if row.made_at]
    assert made == [row.id for row in bot.rows(Media)][-BATCH:]


async def test_rounds_follow_each_other_without_a_tick_and_the_loop_stops_between_two(bot: Rig) -> None:
    phone = bot.phone("teacher")
    for shade in range(3 * BATCH):
        await phone.send_image(picture(colour=(shade, 0, 0)))
        await bot.worker.media.once()
    loop = bot.worker.renditions
    loop.start()
    loop.wake()
    await eventually(lambda: any(row.made_at for row in renditions(bot)), 20)
    await loop.stop()
    left = [row for row in renditions(bot) if not row.made_at]
    assert left, "it did not wait for all of them"
    loop.start()
    loop.wake()
    await eventually(lambda: all(row.made_at for row in renditions(bot)), 20)
    await loop.stop()


async def test_a_bot_that_starts_again_takes_up_what_the_one_before_had_in_hand(bot: Rig) -> None:
    await bot.phone("teacher").send_image(picture())
    await bot.worker.media.once()
    now = bot.clock.now()
    await bot.database.run(lambda connection: claim(connection, now, now + LEASE, 1))
    assert await bot.worker.renditions.once() == 0
    await bot.database.run(lambda connection: release(connection, now))
    assert await bot.worker.renditions.once() == 1
    assert [row.made_at is not None for row in renditions(bot)] == [True]


@pytest.mark.parametrize(
    ("content", "said", "kind"),
    [
        (b"<html>", "image/jpeg", None),
        (b'{"errcode":0}', "text/plain", None),
        (b"", "image/png", None),
        (b"BMxx", "", "image/bmp"),
        (b"\x00\x00\x00\x1cftypheic", "image/jpeg", "image/heic"),
        (b"\x00\x00\x00\x1cftypmp42", "video/mp4", "video/mp4"),
        (b"\x06\x9d\x1b\x96" * 20, "audio/speex", "audio/speex"),
        (b"<html>", "audio/speex", None),
        (b"\xff\xe0", "", None),
        (b"\xff", "", None),
        (b"#!SILK_V3\x0c\x00", "", "audio/silk"),
        (b"\x02#!SILK_V3\x0c\x00", "audio/amr", "audio/silk"),
        (b"\xff\xf9\x50", "", "audio/aac"),
        (b"RIFF\x00\x00\x00\x00AVI ", "", "video/x-msvideo"),
        (b"RIFF\x00\x00\x00\x00????", "", "application/octet-stream"),
        ("请登录网关".encode(), "image/jpeg", None),
        ("请登录网关".encode("gbk"), "image/jpeg", None),
        (b"\x00\x01\x02", "image/jpeg", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content: bytes, said: str, kind: str | None) -> None:
    assert content_type_of(content, said) == kind
