"""Memory: what the bot holds after many messages, against what it held after a tenth of them."""

import time
from collections.abc import Sequence

from click import echo

from tests.bench import dialogues, pushes
from tests.bench.figures import Findings
from tests.bench.load import Load
from tests.bench.rounds import judged_answers, missing
from tests.bench.scale import Scale
from tests.bench.targets import Bench, Name

LANES = 64


def measure(bench: Bench, scale: Scale) -> Findings:
    """Walk dialogues to a tenth of the messages, look, walk the rest, look again."""
    found = Findings()
    mean = dialogues.mean_length()
    shares = [
        range(int(scale.messages / 10 / mean)),
        range(int(scale.messages / 10 / mean), int(scale.messages / mean)),
    ]
    file = bench.folder / "memory"
    pushes.write(file, ((number, dialogues.texts(number)) for number in range(shares[-1].stop)))
    for bot in scale.bots:
        _grown(bench, scale, bot, shares, found)
    file.unlink()
    return found


def _grown(bench: Bench, scale: Scale, bot: Name, shares: Sequence[range], found: Findings) -> None:
    held: list[float] = []
    loads: list[Load] = []
    with bench.start(bot) as running:
        until = time.monotonic() + scale.memory_seconds
        for share in shares:
            left = max(1.0, until - time.monotonic())
            port, file = running.server.port, bench.folder / "memory"
            loads.append(bench.generator.run(port, file, share, lanes=LANES, seconds=left))
            running.server.settle()
            held.append(running.server.pss_mb())
        assert running.url is not None
        found.wrong += [f"{bot}: {one}" for one in (*judged_answers(loads, "memory"), *missing(running.url, loads))]
    first, last = loads[0].answers, sum(load.answers for load in loads)
    note = f"after {first:,} and after {last:,} messages" + (
        f" ({scale.memory_seconds:.0f} s were not enough for {scale.messages:,})" if last < 0.9 * scale.messages else ""
    )
    found.ratio(f"{bot}.memory.growth.few", "MB", [held[1]], [held[0]], note)
    echo(f"  {bot}: {held[0]:.0f} MB, {held[1]:.0f} MB {note}")
