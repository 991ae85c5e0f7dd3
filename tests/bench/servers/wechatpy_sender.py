"""The peer of a drain: template messages by wechatpy's own client, as its documentation says; nothing is recorded."""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from wechatpy import WeChatClient

from tests.bench import account
from tests.bench.process import get_ready

DATA = {"thing1": {"value": "您有新的任务"}, "number2": {"value": "3"}}


def send(port: int, count: int, threads: int) -> dict[str, float]:
    """Send so many, by so many threads."""

    class Client(WeChatClient):  # type: ignore[misc]  # wechatpy ships no types
        API_BASE_URL = f"http://127.0.0.1:{port}/cgi-bin/"

    client = Client(account.APP_ID, account.APP_SECRET, access_token="token")
    client.expires_at = int(time.time()) + 7200

    def one(number: int) -> None:
        url = f"http://127.0.0.1/m/tasks/{number}"
        told = client.message.send_template(f"o{number:027d}", "task", DATA, url=url)
        assert told["errcode"] == 0

    one(0)
    get_ready()
    began, before = monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(count)))
    return {"done": count, "seconds": monotonic() - began, "cpu": time.process_time() - before}


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    for name in ("port", "count", "threads"):
        options.add_argument(name, type=int)
    wanted = options.parse_args()
    print(json.dumps(send(wanted.port, wanted.count, wanted.threads)))  # noqa: T201 - this is its answer
