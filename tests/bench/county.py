"""The smallest county in which a report finds its way: one area, and one supervisor who is also on duty."""

from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine, func, select

from handlers.policy import Policy
from storage import sealing
from storage.areas import AreaLevel
from storage.database import connect
from storage.inbox import Inbox
from storage.migrate import upgrade
from storage.people import Role
from storage.reports import Report
from tests.bench import account
from tests.world import World

CONFIG = """\
[wechat]
app_id = "{account.APP_ID}"
app_secret = "{account.APP_SECRET}"
token = "{account.TOKEN}"
encoding_aes_key = "{account.AES_KEY}"
original_id = "{account.ORIGINAL_ID}"
mode = "safe"
api_origin = "http://127.0.0.1:{platform}"
sends_per_second = {sends_per_second}

[wechat.templates.alarm]
template_id = "alarm"
fields = {{ thing1 = "what", character_string2 = "number" }}

[wechat.templates.task]
template_id = "task"
fields = {{ thing1 = "what", number2 = "count" }}

[wechat.templates.digest]
template_id = "digest"
fields = {{ thing1 = "what", time2 = "when" }}

[wechat.daily_limits]
template = 1000000000
custom = 1000000000

[database]
url = "{url}"

[web]
port = {port}

[keys]
file = "{keys}"

[log]
level = "warning"

[policy]
prompts_from = {policy.prompts_from}
prompts_until = {policy.prompts_until}
digest_at = {policy.digest_at}
"""
POLICY = Policy(version=1, prompts_from=time(0), prompts_until=time(23, 59, 59), digest_at=time(0))
"""Whenever the bench runs, people may be prompted and the digest is due."""


class County:
    """Makes the county in databases and the settings of bots for it; `folder` keeps its keys."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "bench.keys"
        self.keys.unlink(missing_ok=True)
        sealing.append_new_key(self.keys, datetime.now(UTC))
        sealing.use(sealing.read_key_file(self.keys))

    def found(self, url: str) -> None:
        """Migrate an empty database and put the county in it."""
        upgrade(url)
        world = World(connect(url))
        world.now = datetime.now(UTC) - timedelta(days=1)
        area = world.area("平安县", AreaLevel.COUNTY)
        world.duty(area, world.person("值班员", Role.COUNTY_SUPERVISOR, area, phone="13800000000"))
        world.close()

    def settings(self, path: Path, *, url: str, port: int, platform: int, sends_per_second: int = 50) -> None:
        """Write a config.toml."""
        told = CONFIG.format(
            account=account, url=url, port=port, platform=platform, keys=self.keys, policy=POLICY,
            sends_per_second=sends_per_second,
        )  # fmt: skip
        path.write_text(told, "utf-8")


def kept(url: str) -> tuple[int, int]:
    """Messages in the inbox, and reports that got their receipt."""
    engine = create_engine(url)
    with engine.connect() as connection:
        count = partial(select, func.count())
        messages = connection.execute(count().select_from(Inbox)).scalar_one()
        receipts = connection.execute(count().select_from(Report).where(Report.finished_at.is_not(None))).scalar_one()
    engine.dispose()
    return messages, receipts
