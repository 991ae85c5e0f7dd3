"""The manual's table of what each kind of account may do, and calls that fail on demand."""

import asyncio

import aiohttp
import pytest

from bot.simulator.endpoints import ENDPOINTS
from tests.bot.simulator.tiny_bot import silent, table

KINDS = ("unverified-subscription", "verified-subscription", "unverified-service", "verified-service", "test")
TABLE = {
    "getcallbackip ticket/getticket clear_quota": "yyyyy",
    "message/custom/send tags/create user/info user/get media/upload media/get material/add_material": "-y-yy",
    "message/mass/sendall message/mass/preview": "-y-yy",
    "menu/create menu/get menu/delete": "-yyyy",
    "message/template/send template/api_add_template": "---yy",
    "message/subscribe/bizsend /wxaapi/newtmpl/gettemplate": "---y-",
    "qrcode/create message/mass/send /sns/oauth2/access_token": "---yy",
}
CASES = [(kind, n) for n, kind in enumerate(KINDS)]


@pytest.mark.parametrize(("kind", "column"), CASES)
async def test_each_kind_of_account_has_the_rights_of_the_manuals_table(kind: str, column: int) -> None:
    methods = {endpoint.path: endpoint.method for endpoint in ENDPOINTS}
    async with table(silent, kind=kind) as one:
        token = await one.token()
        wrong = []
        for paths, marks in TABLE.items():
            for path in (one_path if one_path[0] == "/" else f"/cgi-bin/{one_path}" for one_path in paths.split()):
                query = {"access_token": token, "type": "jsapi"}
                call = one.http.request(methods[path], f"{one.platform.origin}{path}", params=query, data=b"{}")
                async with call as response:
                    refused = (await response.json(content_type=None)).get("errcode") == 48001
                if refused == (marks[column] == "y"):
                    wrong.append(path)
        assert wrong == []


async def test_a_call_can_be_slow_answer_html_or_be_dropped_before_it_is_done() -> None:
    async with table(silent) as one:
        token, path = await one.token(), "/cgi-bin/tags/create"

        async def create(name: str) -> object:
            return (await one.api("tags/create", {"tag": {"name": name}}, token)).get("errcode", 0)

        await one.control("faults", {"api": [{"path": path, "kind": "slow", "seconds": 0.2}]})
        begun = asyncio.get_running_loop().time()
        assert await create("一") == 0
        assert asyncio.get_running_loop().time() - begun > 0.19
        await one.control("faults", {"api": [{"path": path, "kind": "http", "status": 502}]})
        address = f"{one.platform.origin}{path}"
        async with one.http.post(address, params={"access_token": token}, data=b"{}") as response:
            assert (response.status, response.content_type) == (502, "text/html")
        await one.control("faults", {"api": [{"path": "*", "kind": "drop_before"}]})
        with pytest.raises(aiohttp.ClientConnectionError):
            await create("二")
        assert await create("二") == 0
