"""The load generator in Python: takes what load.c takes, prints what it prints, and is slower."""

import argparse
import asyncio
import json
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PATIENCE = 10.0
"""Seconds after the end for answers that are still awaited."""


@dataclass
class Walk:
    """The state that all lanes share."""

    wanted: argparse.Namespace
    dialogues: list[list[bytes]]
    sample: IO[bytes] | None
    begun: float = field(default_factory=time.monotonic)
    next: int = 0
    times: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("answers", "good", "blank", "bad", "broken", "dialogues", "complete"), 0)
    )
    latest: float = 0.0
    last_answer: float = 0.0

    async def lane(self, number: int) -> None:
        """One connection: dialogue after dialogue."""
        until, turns = self.begun + self.wanted.t, 0
        reader, writer = await asyncio.open_connection("127.0.0.1", self.wanted.p)
        while self.next < self.wanted.b and time.monotonic() < until:
            mine, self.next = self.next, self.next + 1
            self.counts["dialogues"] += 1
            faults = self.counts["bad"]
            asked = self.dialogues[mine][: self.wanted.n or None]
            for turn, request in enumerate(asked):
                due = time.monotonic()
                if self.wanted.r:
                    due = self.begun + (turns * self.wanted.c + number) / self.wanted.r
                if due >= until:
                    writer.close()
                    return
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self.latest = max(self.latest, time.monotonic() - due)
                turns += 1
                try:
                    body = await self._asked(reader, writer, request)
                except (OSError, EOFError, ValueError):
                    self.counts["broken"] += 1
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.wanted.p)
                    break
                self._answered(mine, turn, body, time.monotonic() - due)
            else:
                whole = len(asked) == len(self.dialogues[mine])
                self.counts["complete"] += whole and self.counts["bad"] == faults
        writer.close()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length:")
        body = await reader.readexactly(int(length.partition(b"\r")[0]))
        return body if head.startswith(b"http/1.1 200") else b"not 200"

    def _answered(self, dialogue: int, turn: int, body: bytes, passed: float) -> None:
        self.last_answer = time.monotonic()
        self.times.append(passed * 1e6)
        self.counts["answers"] += 1
        blank = body in {b"", b"success"}
        self.counts["blank" if blank else "good" if self.wanted.m.encode() in body else "bad"] += 1
        if self.sample and not blank and dialogue % self.wanted.k == 0:
            self.sample.write(struct.pack("<III", dialogue, turn, len(body)) + body)

    def figures(self) -> dict[str, float]:
        """What is printed."""
        times = sorted(self.times) or [0.0]
        middle, high = (times[min(int(part * len(times)), len(times) - 1)] for part in (0.5, 0.99))
        seconds = self.last_answer - self.begun if self.times else self.wanted.t
        return {
            **self.counts, "p50_us": middle, "p99_us": high, "max_us": times[-1], "seconds": seconds,
            "late_us": self.latest * 1e6, "own_cpu_s": time.process_time(),
        }  # fmt: skip


def _read(path: Path) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    kept, at = path.read_bytes(), 0
    while at < len(kept):
        dialogue, length = struct.unpack_from("<II", kept, at)
        if dialogue == len(found):
            found.append([])
        found[-1].append(kept[at + 8 : at + 8 + length])
        at += 8 + length
    return found


async def _main() -> None:
    options = argparse.ArgumentParser()
    for name, kind, default in (
        ("p", int, None), ("f", Path, None), ("a", int, 0), ("b", int, 0), ("c", int, 16), ("t", float, 10.0),
        ("r", float, 0.0), ("n", int, 0), ("m", str, ""), ("k", int, 0), ("o", Path, None),
    ):  # fmt: skip
        options.add_argument(f"-{name}", type=kind, default=default)
    wanted = options.parse_args()
    dialogues = _read(wanted.f)
    wanted.b = min(wanted.b or len(dialogues), len(dialogues))
    walk = Walk(wanted, dialogues, wanted.o.open("wb") if wanted.k and wanted.o else None, next=wanted.a)
    lanes = [asyncio.create_task(walk.lane(number)) for number in range(wanted.c)]
    _, late = await asyncio.wait(lanes, timeout=wanted.t + _PATIENCE)
    walk.counts["broken"] += len(late)
    for lane in late:
        lane.cancel()
    if walk.sample:
        walk.sample.close()
    print(json.dumps(walk.figures()))  # noqa: T201 - this is its answer


if __name__ == "__main__":
    asyncio.run(_main())
