"""Sign-in on pages, directly and in the browser of a phone."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import web

from bot.simulator.browser import USER_AGENT
from tests.bot.simulator.tiny_bot import APP_ID, SECRET, Table, TinyBot, silent, table
from tests.support.waiting import eventually


def authorize_query(back: str, **more: str) -> dict[str, str]:
    return {
        "appid": APP_ID,
        "redirect_uri": back,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s1",
        **more,
    }


async def authorize(one: Table, openid: str, **more: str) -> tuple[int, str]:
    query = authorize_query("http://127.0.0.1:8080/m/back?case=1", sim_openid=openid, **more)
    address = f"{one.platform.origin}/connect/oauth2/authorize"
    async with one.http.get(address, params=query, allow_redirects=False) as response:
        return response.status, response.headers.get("Location", "")


async def exchange(one: Table, code: str, **more: str) -> dict[str, object]:
    query = {"appid": APP_ID, "secret": SECRET, "code": code, "grant_type": "authorization_code", **more}
    async with one.http.get(f"{one.platform.origin}/sns/oauth2/access_token", params=query) as response:
        assert response.content_type == "text/plain"
        data: dict[str, object] = await response.json(content_type=None)
        return data


def code_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["code"][0]


async def test_a_code_tells_the_openid_once() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        status, location = await authorize(one, phone.openid)
        assert (status, parse_qs(urlsplit(location).query)["case"]) == (302, ["1"])
        assert parse_qs(urlsplit(location).query)["state"] == ["s1"]
        answer = await exchange(one, code_of(location))
        assert (answer["openid"], answer["scope"]) == (phone.openid, "snsapi_base")
        assert "is_snapshotuser" not in answer
        assert (await exchange(one, code_of(location)))["errcode"] == 40163


async def test_a_code_dies_after_five_minutes() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        _, location = await authorize(one, phone.openid)
        one.platform.world.clock.advance(301)
        assert (await exchange(one, code_of(location)))["errcode"] == 42003
        assert (await exchange(one, "made-up"))["errcode"] == 40029
        assert (await exchange(one, "made-up", secret="wrong"))["errcode"] == 40125


async def test_a_snapshot_user_is_marked_and_the_base_scope_tells_no_name() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone("田老师")
        await one.control(f"phones/{phone.openid}/settings", {"snapshot": True})
        _, location = await authorize(one, phone.openid)
        answer = await exchange(one, code_of(location))
        assert answer["is_snapshotuser"] == 1
        query = {"access_token": str(answer["access_token"]), "openid": phone.openid}
        async with one.http.get(f"{one.platform.origin}/sns/userinfo", params=query) as response:
            assert (await response.json(content_type=None))["errcode"] == 48001
        async with one.http.get(f"{one.platform.origin}/sns/auth", params=query) as response:
            assert (await response.json(content_type=None))["errcode"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"appid": "wx0"},
        {"scope": "snsapi_all"},
        {"response_type": "token"},
        {"state": "s" * 129},
        {"state": "not-only-letters"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://elsewhere.example/"},
        {"sim_openid": "o-nobody"},
    ],
)
async def test_the_authorize_page_refuses(wrong: dict[str, str]) -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        assert (await authorize(one, phone.openid))[0] == 302
        query = {**authorize_query("http://127.0.0.1:8080/m/back", sim_openid=phone.openid), **wrong}
        address = f"{one.platform.origin}/connect/oauth2/authorize"
        async with one.http.get(address, params=query, allow_redirects=False) as response:
            assert response.status == 400


class PagesBot(TinyBot):
    """A bot with one page behind sign-in and a form."""

    async def page(self, request: web.Request) -> web.Response:
        self.pages.append(request)
        if request.path == "/m/back":
            response = web.Response(status=302, headers={"Location": f"{self.url}/m/case"})
            response.set_cookie("session", f"of-{request.query['code'][:4]}", samesite="Lax", httponly=True)
            return response
        if request.method == "POST":
            return web.Response(text=f"posted {await request.text()}")
        if "session" in request.cookies:
            frame = {"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'"}
            return web.Response(text="the case", headers=frame)
        query = urlencode(authorize_query(f"{self.url}/m/back"))
        return web.Response(
            status=302, headers={"Location": f"https://open.example/connect/oauth2/authorize?{query}#wechat_redirect"}
        )


async def browse(one: Table, index: int, path: str, **more: str) -> tuple[int, str, dict[str, str]]:
    """One request as the frame of phone `index` sends it; redirects are followed on the same phone."""
    host = f"phone-{index}.localhost:{one.platform.port}"
    for _ in range(5):
        async with one.http.get(
            one.platform.origin + path, headers={"Host": host, **more}, allow_redirects=False
        ) as response:
            if response.status != 302:
                return response.status, await response.text(), dict(response.headers)
            path = response.headers["Location"]
            assert path.startswith("/"), path
    raise AssertionError(path)


async def test_a_phone_opens_a_page_signed_in_as_its_own_user() -> None:
    async with PagesBot().running() as bot, table(silent) as one:
        one.platform.bot_url = bot.url
        first, second = one.platform.add_phone(), one.platform.add_phone()
        status, text, headers = await browse(one, first.user.index, "/m/case")
        assert (status, text) == (200, "the case")
        assert "X-Frame-Options" not in headers
        assert headers["Content-Security-Policy"] == "default-src 'self'"
        codes = [page.query["code"] for page in bot.pages if page.path == "/m/back"]
        assert (await exchange(one, codes[0]))["openid"] == first.openid
        assert all(page.headers["User-Agent"] == USER_AGENT for page in bot.pages)
        assert second.user.cookies == {}
        assert first.user.cookies["session"].startswith("of-")


async def test_a_form_on_a_phone_looks_to_the_bot_like_one_of_its_own_pages() -> None:
    async with PagesBot().running() as bot, table(silent) as one:
        one.platform.bot_url = bot.url
        one.platform.add_phone()
        own = f"phone-1.localhost:{one.platform.port}"
        headers = {
            "Host": own,
            "Origin": f"http://{own}",
            "Referer": f"http://{own}/m/case",
            "Sec-Fetch-Site": "same-origin",
        }
        address = f"{one.platform.origin}/m/claim"
        async with one.http.post(address, data={"n": "1"}, headers=headers) as response:
            assert await response.text() == "posted n=1"
        seen = bot.pages[-1].headers
        assert (seen["Origin"], seen["Referer"], seen["Host"]) == (bot.url, f"{bot.url}/m/case", bot.url[7:])
        async with one.http.post(address, headers={"Host": own, "Origin": "http://evil.example"}) as response:
            assert response.status == 200
        assert bot.pages[-1].headers["Origin"] == "http://evil.example"


async def test_the_callback_can_come_twice() -> None:
    async with PagesBot().running() as bot, table(silent) as one:
        one.platform.bot_url = bot.url
        one.platform.add_phone()
        await one.control("faults", {"double_callback": 1})
        await browse(one, 1, "/m/case")
        await eventually(lambda: len([page for page in bot.pages if page.path == "/m/back"]) == 2)
        assert len({page.query["code"] for page in bot.pages if page.path == "/m/back"}) == 1


async def test_a_phone_that_does_not_exist_and_a_bot_that_is_gone_are_said_plainly() -> None:
    async with table(silent) as one:
        assert (await browse(one, 9, "/m/case"))[0] == 404
        one.platform.add_phone()
        one.platform.bot_url = "http://127.0.0.1:9"
        assert (await browse(one, 1, "/m/case"))[0] == 502


async def test_a_phone_cannot_reach_the_controls() -> None:
    async with table(silent) as one:
        one.platform.add_phone()
        assert (await browse(one, 1, "/sim/state"))[0] == 404


async def test_another_domain_signs_in_only_when_the_console_says_so() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        query = authorize_query("http://elsewhere.example/", sim_openid=phone.openid)
        address = f"{one.platform.origin}/connect/oauth2/authorize"
        async with one.http.get(address, params=query, allow_redirects=False) as response:
            assert (response.status, "10003" in await response.text()) == (400, True)
        await one.control("account", {"oauth_domain": "elsewhere.example"})
        async with one.http.get(address, params=query, allow_redirects=False) as response:
            assert response.status == 302


async def test_a_sign_in_is_refreshed_for_thirty_days() -> None:
    async with table(silent) as one:
        _, location = await authorize(one, one.platform.add_phone().openid)
        granted = await exchange(one, code_of(location))

        async def refresh() -> object:
            query = {"appid": APP_ID, "grant_type": "refresh_token", "refresh_token": str(granted["refresh_token"])}
            async with one.http.get(f"{one.platform.origin}/sns/oauth2/refresh_token", params=query) as response:
                return (await response.json(content_type=None)).get("errcode", 0)

        one.platform.world.clock.advance(29 * 24 * 3600)
        assert await refresh() == 0
        one.platform.world.clock.advance(2 * 24 * 3600)
        assert await refresh() == 42002
        granted["refresh_token"] = "made-up"
        assert await refresh() == 40030


@pytest.mark.parametrize("kind", ["verified-subscription", "unverified-service", "unverified-subscription"])
async def test_other_kinds_of_account_sign_nobody_in(kind: str) -> None:
    async with table(silent, kind=kind) as one:
        assert (await authorize(one, one.platform.add_phone().openid))[0] == 400
        assert (await exchange(one, "made-up"))["errcode"] == 48001
