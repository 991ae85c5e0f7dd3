"""`tongban check --wechat`: what a clerk reads of the account's own side, and that nothing is done while looking."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.account_check import Line, Mark, check_account
from bot.menus import push_menus
from bot.settings import Kind, Settings
from bot.simulator import TemplateSpec
from bot.simulator import settings as platform_settings
from handlers import binding
from handlers.turn import Turn
from messages import label, menu
from storage.people import Person
from tests.support.databases import SqliteDatabases
from tests.support.pages import AES_KEY, APP_ID, SECRET, TOKEN, Town, town
from tests.support.waiting import free_port

FIELDS = {
    "alarm": {"thing1": "what", "character_string2": "number", "thing3": "place"},
    "task": {"thing1": "what", "number2": "count"},
    "digest": {"thing1": "what", "time2": "when"},
    "notice": {"thing1": "what", "const2": "=请查看"},
}
VERIFY = "MP_verify_abc123.txt"


@pytest_asyncio.fixture
async def county(sqlite_databases: SqliteDatabases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in, whose account has all our templates."""
    async with town(sqlite_databases.fresh(), tmp_path) as made:
        approve(made, FIELDS)
        yield made


def approve(county: Town, fields: dict[str, dict[str, str]]) -> None:
    """The account's own list: templates with these keys, labelled as a county would see them."""
    names = {"what": "事项", "number": "编号", "place": "地点", "count": "数量", "when": "时间", "=请查看": "提示"}
    county.platform.world.account.templates = {
        f"T-{purpose}": TemplateSpec(
            f"T-{purpose}", f"{purpose}通知", tuple(keys), tuple(names[value] for value in keys.values())
        )
        for purpose, keys in fields.items()
    }


def settings(county: Town, **wechat: Any) -> Settings:  # noqa: ANN401 - of [wechat]
    """The bot's settings with every purpose filled, and something of them changed."""
    made = county.bot.settings
    public_origin = wechat.pop("public_origin", county.url)
    templates = wechat.pop("fields", FIELDS)
    given = {
        "app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY,
        "api_origin": county.platform.origin,
        "templates": {one: {"template_id": f"T-{one}", "fields": keys} for one, keys in templates.items()},
        **wechat,
    }  # fmt: skip
    web_ = made.web.model_copy(update={"public_origin": public_origin})
    return made.model_copy(update={"wechat": type(made.wechat).model_validate(given), "web": web_})


async def look(county: Town, **wechat: Any) -> list[Line]:  # noqa: ANN401 - of [wechat]
    """Every line."""
    return await check_account(settings(county, **wechat), county.http)


def missing(lines: list[Line]) -> list[str]:
    """What somebody has to put right."""
    return [line.text for line in lines if line.mark is Mark.MISSING]


async def test_an_account_that_has_everything_is_told_so_line_by_line(county: Town) -> None:
    await push_menus(county.bot.wechat)
    lines = await look(county)
    assert missing(lines) == []
    said = "\n".join(map(str, lines))
    for words in (
        "有\t令牌：拿得到", "有\t服务器地址", "有\t后台填的服务器地址：指向 127.0.0.1", "有\t账号种类：已认证的服务号",
        "有\t菜单：和程序里的一样", "有\t时钟", "看\t网页授权域名", "看\t校验文件：设置里没有",
        "样例：事项:新警报，请尽快看 | 编号:R17 | 地点:青山镇", "提示:请查看",
    ):  # fmt: skip
        assert words in said
    for secret in (SECRET, TOKEN, AES_KEY):
        assert secret not in said


async def test_looking_changes_nothing_and_says_nothing_to_anybody(county: Town) -> None:
    await push_menus(county.bot.wechat)
    world, before = county.platform.world, len(county.platform.world.log.after(0))
    state = (world.state.menu, list(world.state.conditional_menus), dict(world.state.tags))
    await look(county)
    calls = {
        (str(one["method"]), str(one["path"]).partition("?")[0].removeprefix("/cgi-bin/"))
        for one in world.log.after(0)[before:]
        if one["kind"] == "call"
    }
    assert calls == {
        ("POST", "stable_token"), ("POST", "callback/check"), ("GET", "menu/get"), ("GET", "tags/get"),
        ("GET", "template/get_all_private_template"),
    }  # fmt: skip
    assert (world.state.menu, world.state.conditional_menus, world.state.tags) == state
    assert all(not phone.screen for phone in world.state.phones.values())


# The token, and why there is none.


async def test_wrong_credentials_are_named_and_not_shown(county: Town) -> None:
    for wechat, words in (
        ({"app_id": "wxother"}, "开发者ID(AppID) 不对"),
        ({"app_secret": "not-the-secret"}, "开发者密码(AppSecret) 不对"),
    ):
        lines = await look(county, **wechat)
        said = "\n".join(map(str, lines))
        assert words in "".join(missing(lines))
        assert "要先拿到令牌" in said
        assert "not-the-secret" not in said
        assert "服务器地址：" in said, "our own side is looked at all the same"


async def test_each_refusal_of_the_token_says_what_to_do(county: Town) -> None:
    for code, words in (
        (40243, "冻结"), (89503, "管理员"), (48004, "处罚"), (-1, "连不上"), (45009, "错误码 45009"),
        (61004, "IP 白名单"),
    ):  # fmt: skip
        fault = {"path": "/cgi-bin/stable_token", "kind": "errcode", "errcode": code, "errmsg": "no", "times": -1}
        county.platform.world.faults.api.clear()
        county.platform.world.faults.change({"api": [fault]}, county.platform.world.clock.now())
        assert words in "".join(missing(await look(county)))


async def test_the_address_that_is_not_on_the_list_is_the_one_the_platform_saw(county: Town) -> None:
    county.platform.world.account.ip_white_list = ("203.0.113.9",)
    assert "本机地址 127.0.0.1 不在 IP 白名单里" in "".join(missing(await look(county)))


async def test_a_platform_that_cannot_be_reached_is_said_to_be(county: Town) -> None:
    lines = await look(county, api_origin=f"http://127.0.0.1:{free_port()}")
    assert "连不上微信平台" in "".join(missing(lines))
    assert "没有给出时间" in "\n".join(map(str, lines))


async def test_a_platform_that_is_busy_half_way_is_to_be_asked_again(county: Town) -> None:
    fault = {"path": "/cgi-bin/callback/check", "kind": "errcode", "errcode": 45011, "times": 1}
    county.platform.world.faults.change({"api": [fault]}, county.platform.world.clock.now())
    lines = await look(county)
    assert "没查完：后台的服务器地址，平台没有答上来（错误码 45011）" in "".join(missing(lines))
    assert any(line.text.startswith("账号种类") for line in lines), "the rest is looked at all the same"
    assert "没查完" not in "".join(missing(await look(county)))


async def test_one_question_without_an_answer_hides_none_of_the_others(county: Town) -> None:
    await push_menus(county.bot.wechat)
    for path, what, others in (
        ("menu/get", "菜单", {"账号种类", "工作方式", "模板 alarm"}),
        ("tags/get", "标签", {"账号种类", "工作方式", "模板 alarm"}),
        ("template/get_all_private_template", "模板", {"账号种类", "工作方式", "菜单"}),
    ):
        fault = {"path": f"/cgi-bin/{path}", "kind": "errcode", "errcode": 45009, "times": 1}
        county.platform.world.faults.change({"api": [fault]}, county.platform.world.clock.now())
        lines = await look(county)
        assert missing(lines) == [f"没查完：{what}，平台没有答上来（错误码 45009）。请过几分钟再查一次。"]
        assert {one for one in others if any(line.text.startswith(one) for line in lines)} == others
        [kind] = [line for line in lines if line.text.startswith("账号种类")]
        assert (kind.mark, "没查全" in kind.text) == (Mark.LOOK, True)
        wrong = await look(county, kind="unverified-subscription")
        assert "账号种类：设置里写的是未认证的订阅号" in "".join(missing(wrong))


# What sort of account it is.


async def test_the_kind_is_told_by_what_is_refused(county: Town) -> None:
    alike: set[Kind] = {"verified-service", "test"}  # nothing that can be read tells these two apart
    for real in get_args(Kind):
        county.platform.world.account.kind = platform_settings.Kind(real)
        shown = label("account_kind", "verified-service" if real in alike else real)
        for stated in get_args(Kind):
            [kind] = [line for line in await look(county, kind=stated) if line.text.startswith("账号种类")]
            is_right = stated == real or {stated, real} == alike
            assert (kind.mark is Mark.OK) == is_right
            assert is_right or f"平台给的是{shown}的权限" in kind.text


async def test_an_account_that_can_only_answer_is_told_how_the_bot_works_with_it(county: Town) -> None:
    county.platform.world.account.kind = platform_settings.Kind.UNVERIFIED_SUBSCRIPTION
    lines = await look(county, kind="unverified-subscription", fields={})
    assert missing(lines) == []
    [mode] = [line.text for line in lines if line.text.startswith("工作方式")]
    assert "短信、电话和待联系名单" in mode
    assert not any("模板" in line.text for line in lines)


# The way in.


async def test_our_own_door_is_tried_as_the_platform_tries_it(county: Town) -> None:
    async def door(**wechat: Any) -> str:  # noqa: ANN401 - of [wechat]
        lines = missing(await look(county, **wechat))
        return "".join(line for line in lines if line.startswith("服务器地址"))

    assert await door() == ""
    assert "打不开" in await door(public_origin=f"http://127.0.0.1:{free_port()}")
    assert "回了 404" in await door(public_origin=county.platform.origin)
    assert "令牌(Token)" in await door(token="another-token")


async def test_another_program_behind_our_address_is_noticed(county: Town) -> None:
    async def anything(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome</h1>")

    app = web.Application()
    app.add_routes([web.get("/{path:.*}", anything)])
    async with TestServer(app) as server:
        lines = await look(county, public_origin=str(server.make_url("")).rstrip("/"))
    assert "可不是本程序的回答" in "".join(missing(lines))


async def test_the_server_address_of_the_console_is_compared_with_ours(county: Town) -> None:
    county.platform.world.account.bot_url = ""
    assert "还没有填" in "".join(missing(await look(county)))
    county.platform.world.account.bot_url = "http://192.0.2.7"
    [line] = [line for line in await look(county) if line.text.startswith("后台填的服务器地址")]
    assert (line.mark, "192.0.2.7" in line.text, "127.0.0.1" in line.text) == (Mark.LOOK, True, True)


async def test_a_file_that_the_running_bot_does_not_serve_yet_is_missing(county: Town) -> None:
    lines = await look(county, verify_files={VERIFY: "abc123"})
    assert f"{VERIFY} 从外面打不开" in "".join(missing(lines))


async def test_a_domain_without_tls_is_missing_it(county: Town) -> None:
    lines = await look(county, public_origin="http://tongban.invalid")
    assert "不是 https" in "".join(missing(lines))


# Menus and clocks.


async def test_menus_that_are_not_ours_are_named_by_the_people_who_see_them(county: Town) -> None:
    async def said() -> str:
        return "".join(line for line in missing(await look(county)) if line.startswith("菜单"))

    assert "还没有" in await said()
    await push_menus(county.bot.wechat)
    assert await said() == ""
    _, by_tag = await county.bot.wechat.menus()
    tag = (await county.bot.wechat.tags())["village_child_officer"]
    await county.bot.wechat.add_conditional_menu(menu("auditor") | {"matchrule": {"tag_id": str(tag)}})
    assert "儿童主任" in await said()
    assert "群众" not in await said()
    assert by_tag


async def test_a_clock_that_goes_wrong_is_noticed(county: Town) -> None:
    hours = 0

    async def answer(_request: web.Request) -> web.Response:
        then = datetime.now(UTC) + timedelta(hours=hours)
        return web.Response(headers={"Date": format_datetime(then, usegmt=True)})

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    async with TestServer(app) as platform:
        for hours in (0, 1, -1):
            lines = await look(county, api_origin=str(platform.make_url("")).rstrip("/"))
            [clock] = [line for line in lines if line.text.startswith("时钟")]
            assert (clock.mark is Mark.OK, "NTP" in clock.text) == (hours == 0, hours != 0)


# Templates.


async def test_a_template_that_does_not_fit_says_which_field(county: Town) -> None:
    others = {one: keys for one, keys in FIELDS.items() if one != "notice"}
    for approved, ours, words in (
        ({"thing1": "what"}, None, "设置里没有 [wechat.templates.notice]"),
        (None, {"thing1": "what"}, "没有编号 T-notice"),
        ({"thing1": "what"}, {"thing1": "what", "time2": "when"}, "模板里没有这些栏：time2"),
        ({"thing1": "what", "phrase3": "what"}, {"thing1": "what"}, "这些栏没有填：phrase3，平台会退回（47003）"),
    ):
        approve(county, others | ({"notice": approved} if approved else {}))
        lines = await look(county, fields=others | ({"notice": ours} if ours else {}))
        [said] = [line for line in missing(lines) if line.startswith("模板")]
        assert words in said
        assert "消息提醒" in said


async def test_what_the_platform_does_not_tell_of_a_template_is_for_somebody_to_look_at(county: Town) -> None:
    for fields, words in (
        ({"thing1": "what"}, ""),
        ({"thing1": "what", "const2": "=没这个词"}, "const2 只收模板里定好的词"),
        ({"thing1": "what", "enum2": "=没这个词"}, "enum2 只收模板里定好的词"),
        ({"short_thing1": "what"}, "short_thing1 最多几个字没有公布"),
    ):
        every = FIELDS | {"notice": fields}
        county.platform.world.account.templates = {
            f"T-{one}": TemplateSpec(f"T-{one}", one, tuple(keys)) for one, keys in every.items()
        }
        [line] = [line for line in await look(county, fields=every) if line.text.startswith("模板 notice")]
        assert (line.mark, words in line.text) == (Mark.LOOK if words else Mark.OK, True)


async def test_a_county_s_own_keys_and_an_old_template_are_as_good_as_any(county: Town) -> None:
    fields = {
        "alarm": {"keyword1": "what", "keyword2": "number"},
        "task": {"short_thing4": "what", "phrase2": "=待办理", "time5": "when", "number9": "count"},
        "digest": {"thing7": "what", "date3": "when"},
        "notice": {"thing1": "what", "time2": "when"},
    }
    names = {"alarm": ("first", "keyword1", "keyword2", "remark")}
    county.platform.world.account.templates = {
        f"T-{one}": TemplateSpec(f"T-{one}", one, names.get(one, tuple(keys))) for one, keys in fields.items()
    }
    lines = await look(county, fields=fields)
    assert [line for line in missing(lines) if line.startswith("模板")] == []
    [task] = [line.text for line in lines if line.text.startswith("模板 task")]
    assert "phrase2:待办理" in task
    assert f"time5:{datetime.now(UTC).astimezone():%Y}" in task


# The command.


def environment(county: Town, **environ: str) -> dict[str, str]:
    """The settings of the running bot, as environment variables."""
    known = {
        "WECHAT__APP_ID": APP_ID, "WECHAT__APP_SECRET": SECRET, "WECHAT__TOKEN": TOKEN,
        "WECHAT__ENCODING_AES_KEY": AES_KEY, "WECHAT__API_ORIGIN": county.platform.origin,
        "WEB__PORT": str(county.bot.port), "DATABASE__URL": county.bot.settings.database.url,
        "KEYS__FILE": str(county.bot.settings.keys.file), **environ,
    }  # fmt: skip
    return {f"TONGBAN__{name}": value for name, value in known.items()}


def run(county: Town, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command of ours as an operator starts it, while the bot of this process goes on serving."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *words], env=os.environ | environment(county, **environ),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_commands_tell_by_their_exit_code_whether_somebody_has_to_act(county: Town) -> None:
    approve(county, {"alarm": FIELDS["alarm"]})
    found = await asyncio.to_thread(run, county, "check", "--wechat")
    assert (found.returncode, found.stderr) == (1, "")
    assert "缺\t菜单：平台上还没有。请运行 tongban menu push。" in found.stdout
    assert "缺\t模板 task（任务通知）：设置里没有" in found.stdout
    pushed = await asyncio.to_thread(run, county, "menu", "push")
    assert "everybody\tadded" in pushed.stdout
    approve(county, FIELDS)
    templates = {
        f"WECHAT__TEMPLATES__{purpose.upper()}__{name}": value
        for purpose, keys in FIELDS.items()
        for name, value in (
            ("TEMPLATE_ID", f"T-{purpose}"), *((f"FIELDS__{key.upper()}", what) for key, what in keys.items())
        )
    }  # fmt: skip
    good = await asyncio.to_thread(lambda: run(county, "check", "--wechat", **templates))
    assert (good.returncode, "缺" in good.stdout) == (0, False), good.stdout
    county.platform.world.faults.change({"frozen_secret": True}, 0)
    county.platform.world.state.stable_tokens.tokens.clear()
    refused = await asyncio.to_thread(run, county, "menu", "push")
    assert refused.returncode == 1
    assert "40243" in refused.stderr
    assert "Traceback" not in refused.stderr


CODE = re.compile(r"^\S+\t(\w+)\t([0-9A-Z]{8})(\t\S+showqrcode\S+)?$")


def invited(printed: str) -> dict[str, bool]:
    """Who got a code, and whether a QR code beside it; every line is one person's."""
    found = [CODE.fullmatch(line) for line in printed.splitlines()]
    assert None not in found, printed
    return {one[1]: one[3] is not None for one in found if one}


async def unbound(county: Town) -> None:
    """Everybody's phone is lost, so that everybody is invited."""

    def act(turn: Turn) -> None:
        for one in turn.session.query(Person):
            binding.unbind(turn, one)

    await county.does(act)


@pytest.mark.parametrize(
    ("fault", "with_qr"),
    [
        ({"kind": "errcode", "errcode": 45009, "times": -1}, 0),
        ({"kind": "errcode", "errcode": -1, "times": 1}, 3),
        ({"kind": "drop_after", "times": 1}, 0),
    ],
)
async def test_a_qr_code_that_is_not_made_costs_nobody_the_code(
    county: Town, fault: dict[str, Any], with_qr: int
) -> None:
    await unbound(county)
    county.platform.world.faults.change(
        {"api": [{"path": "/cgi-bin/qrcode/create", **fault}]}, county.platform.world.clock.now()
    )
    printed = await asyncio.to_thread(run, county, "people", "invite", "--all", "--qr")
    assert (printed.returncode, "Traceback" in printed.stderr) == (0, False), printed.stderr
    assert invited(printed.stdout).keys() == {"duty", "county", "officer", "teacher"}
    assert sum(invited(printed.stdout).values()) == with_qr
    assert "the code binds without its QR code" in printed.stderr
    code = printed.stdout.splitlines()[0].split("\t")[2]
    county.platform.add_phone("another", "o-another")
    assert "绑定好了" in (await county.platform.phone("o-another").say(f"绑定 {code}"))[-1].text


async def interrupted(county: Town, *words: str) -> tuple[int, str, str]:
    """A command that is stopped with Ctrl-C while a platform that never answers is being asked."""
    asked = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", never)])
    async with TestServer(app) as platform:
        environ = environment(county) | {"TONGBAN__WECHAT__API_ORIGIN": str(platform.make_url("")).rstrip("/")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words, env=os.environ | environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await asked.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_check_that_is_stopped_says_that_nothing_is_known(county: Town) -> None:
    code, out, err = await interrupted(county, "check", "--wechat")
    assert (code, out, "Traceback" in err) == (1, "", False)
    assert "Stopped before everything was looked at" in err


async def test_invitations_that_are_stopped_half_way_are_printed_all_the_same(county: Town) -> None:
    await unbound(county)
    _, out, err = await interrupted(county, "people", "invite", "--all", "--qr")
    assert invited(out) == {"duty": False, "county": False, "officer": False, "teacher": False}
    assert "Traceback" not in err
