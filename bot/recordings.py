"""The county's recordings and picture at the platform: temporary media, uploaded again before their three days end."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from bot import voice_key
from bot.account import Right
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.magic import content_type_of
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers.recordings import PICTURE, VOICES
from storage import recordings

log = structlog.get_logger()

_TYPES = {".mp3": "audio/mpeg", ".amr": "audio/amr", ".png": "image/png", ".jpg": "image/jpeg"}
WANTED = dict.fromkeys(VOICES, ("voice", (".mp3", ".amr"))) | {PICTURE: ("image", (".png", ".jpg"))}
"""Name → the platform's kind of media, and how the file may end. A voice is at most 60 seconds long there."""
LARGEST = 2 * 1024 * 1024
AGAIN_AFTER = timedelta(days=2)
"""A day is left for trying."""


class File(NamedTuple):
    """One file of the county's folder, or what stands in for it."""

    kind: str
    filename: str
    content: bytes
    content_type: str

    @property
    def digest(self) -> str:
        """By which a changed file is known."""
        return hashlib.sha256(self.content).hexdigest()


class Recordings:
    """Keeps what is in the folder ready for sending. Without a folder, or a file, people get words only."""

    def __init__(self, database: Database, wechat: WeChat, clock: Clock, folder: Path | None) -> None:
        self._database, self._wechat, self._clock, self._folder = database, wechat, clock, folder

    async def drain(self) -> int:
        """Upload what is new, changed, or two days old, and forget what is gone; how many were uploaded."""
        if not self._wechat.may(Right.MEDIA, Right.CUSTOM):
            return 0
        files = await asyncio.to_thread(files_in, self._folder)
        known = await self._database.read(recordings.known)
        for name in known.keys() - files.keys():
            await self._database.run(partial(recordings.forget, name=name), Lane.BULK)
        done = 0
        for name, file in files.items():
            row = known.get(name)
            if row and row.digest == file.digest and self._clock.now() - row.uploaded_at < AGAIN_AFTER:
                continue
            done += await self._upload(name, file)
        return done

    async def _upload(self, name: str, file: File) -> bool:
        now = self._clock.now()  # before the call: the platform's days begin no earlier
        try:
            media_id = await self._wechat.upload_media(*file)
        except (OutcomeUnknown, WeChatRefused) as error:
            code = error.code if isinstance(error, WeChatRefused) else None
            log.warning("recording_not_uploaded", recording=name, code=code)
            return False
        work = partial(recordings.keep, name=name, digest=file.digest, media_id=media_id, now=now)
        await self._database.run(work, Lane.BULK)
        return True


def files_in(folder: Path | None) -> dict[str, File]:
    """What can be uploaded, by name: the county's files, and our own picture where it has none."""
    found = {} if folder is None else {name: file for name in WANTED for file in _usable(folder, name)}
    return {PICTURE: File("image", f"{PICTURE}.png", voice_key.drawn(), "image/png")} | found


def _usable(folder: Path, name: str) -> Iterator[File]:
    """The file of that name; one that cannot be sent is left out, and the operator told."""
    kind, endings = WANTED[name]
    try:
        path = next((one for ending in endings if (one := folder / f"{name}{ending}").exists()), None)
        if path is None:
            return
        content = path.read_bytes()
    except OSError as error:
        log.warning("recording_not_usable", recording=name, reason=type(error).__name__)
        return
    content_type = _TYPES[path.suffix]
    if len(content) > LARGEST or content_type_of(content, "") != content_type:
        log.warning("recording_not_usable", recording=name, reason="too large, or not what its name says")
        return
    yield File(kind, path.name, content, content_type)
