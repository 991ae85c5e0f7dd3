"""The control API: what the phones page reads and does, the clock, and that nothing is forgotten over a restart."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from bot.simulator import Simulator, SimulatorSettings, assumptions, run_simulator
from bot.simulator.assumptions import Assumed
from bot.simulator.keeping import StateFileError
from tests.bot.simulator.tiny_bot import AES_KEY, SECRET, Table, silent, table

ACTS: list[tuple[str, dict[str, object], str, str]] = [
    ("say", {"text": "您好"}, "text", "您好"),
    ("tap", {"id": "1", "content": "一切正常"}, "text", "一切正常"),
    ("image", {"base64": "/9j/4AAQ", "content_type": "image/jpeg"}, "image", "[图片]"),
    ("voice", {"base64": "IyFBTVIK", "format": "amr"}, "voice", "[语音]"),
    ("video", {"base64": "AAAAGGZ0eXA="}, "video", "[视频]"),
    ("location", {"lat": 25.39, "lng": 105.65, "label": "者相镇纳孔村"}, "location", "者相镇纳孔村"),
    ("sticker", {}, "sticker", "[动画表情]"),
    ("file", {"title": "名单.xlsx"}, "file", "名单.xlsx"),
    ("link", {"title": "新闻", "url": "http://127.0.0.1/"}, "text", "新闻"),
]


@pytest.mark.parametrize(("act", "body", "kind", "text"), ACTS, ids=[act[0] for act in ACTS])
async def test_everything_a_person_can_send_shows_on_the_phone_and_reaches_the_bot(
    act: str, body: dict[str, object], kind: str, text: str
) -> None:
    async with table() as one:
        phone = await one.control("phones", {"name": "田老师"})
        answer = await one.control(f"phones/{phone['openid']}/{act}", body)
        items = answer["items"]
        assert isinstance(items, list)
        assert [(item["side"], item["kind"], item["text"]) for item in items] == [
            ("me", kind, text),
            ("account", "text", "收到"),
        ]
        assert len(one.bot.seen) == 1


OTHERWISE: dict[str, object] = {
    "fresh_signatures": False,
    "midnight_hours_east": 0.0,
    "ip_refusal": 61004,
    "ip_checked_everywhere": True,
    "client_msg_id_life": 60.0,
    "menu_life": 3600.0,
    "allowances_apart": False,
    "short_allowance_first": False,
    "allowances_add_up": True,
    "escapes_stand": False,
    "largest_image": 10 * 1024 * 1024,
    "thumb_answer": "thumb_media_id",
    "qr_life": 60,
    "notices_add_up": True,
    "missing_qr_status": 400,
}
"""Every switch the other way."""


async def test_a_sticker_arrives_as_the_platforms_placeholder_and_a_file_without_media_id() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await one.control(f"phones/{phone.openid}/sticker", {})
        await one.control(f"phones/{phone.openid}/file", {"title": "a.doc"})
        assert "【收到不支持的消息类型，暂无法显示】" in one.bot.seen[0].xml
        assert "MediaId" not in one.bot.seen[1].xml
        assert "<FileKey>" in one.bot.seen[1].xml


async def test_state_screen_transcript_and_log_tell_the_story() -> None:
    async with table() as one:
        made = await one.control("phones", {"name": "田老师"})
        openid = made["openid"]
        await one.control(f"phones/{openid}/say", {"text": "第一句"})
        await one.control(f"phones/{openid}/say", {"text": "第二句\n下一行"})
        state = await one.control("state")
        assert isinstance(state["phones"], list)
        told = {"openid": openid, "name": "田老师", "following": True, "index": 1, "items": 4, "number": ""}
        assert state["phones"][0].items() >= told.items()
        screen = await one.control(f"phones/{openid}/screen?after=2")
        assert isinstance(screen["items"], list)
        assert [item["n"] for item in screen["items"]] == [3, 4]
        async with one.http.get(f"{one.platform.origin}/sim/phones/{openid}/transcript") as response:
            lines = (await response.text()).splitlines()
        assert [line.split(" ", 1)[-1] for line in lines] == [
            "me text: 第一句",
            "account text: 收到",
            "me text: 第二句",
            "   下一行",
            "account text: 收到",
        ]
        log = await one.control("log?after=1")
        assert isinstance(log["entries"], list)
        assert [entry["n"] for entry in log["entries"]] == [2]
        assert "第二句" in log["entries"][0]["xml"]


async def test_a_change_wakes_whoever_waits_for_it() -> None:
    async with table() as one:
        phone = one.platform.add_phone()
        seen = (await one.control("changes?after=0"))["n"]
        waiting = asyncio.create_task(one.control(f"changes?after={seen}&wait=20"))
        await asyncio.sleep(0)
        await phone.say("您好")
        changed = (await waiting)["n"]
        assert isinstance(changed, int)
        assert isinstance(seen, int)
        assert changed > seen
        unchanged = (await one.control("state"))["n"]
        assert (await one.control(f"changes?after={unchanged}&wait=0.05"))["n"] == unchanged


async def test_with_wait_0_the_answer_does_not_wait_for_the_bot() -> None:
    hold = asyncio.Event()

    async def later(_incoming: object) -> object:
        await hold.wait()
        from aiohttp import web  # noqa: PLC0415 - only this answer needs it

        return web.Response(text="success")

    async with table(later) as one:  # type: ignore[arg-type]  # any answer will do here
        phone = one.platform.add_phone()
        answer = await one.control(f"phones/{phone.openid}/say?wait=0", {"text": "您好"})
        assert isinstance(answer["items"], list)
        assert len(answer["items"]) == 1
        hold.set()
        await one.platform.quiet()


async def test_the_clock_goes_forward_and_back_only_by_force() -> None:
    async with table(silent) as one:
        before = (await one.control("state"))["epoch"]
        assert isinstance(before, float)
        after = (await one.control("clock", {"advance_seconds": 3600}))["epoch"]
        assert isinstance(after, float)
        assert 3600 <= after - before < 3610
        assert "error" in await one.control("clock", {"to": before})
        assert "error" in await one.control("clock", {"advance_seconds": -1})
        moved = (await one.control("clock", {"to": before, "force": True}))["epoch"]
        assert isinstance(moved, float)
        assert moved - before < 10


async def test_moving_time_asks_the_bot() -> None:
    async with table(silent) as one:
        async with one.http.post(f"{one.platform.origin}/sim/time", json={"advance_seconds": 600}) as response:
            assert await response.text() == "page"
        assert await one.bot.pages[-1].read() == b'{"advance_seconds": 600.0}'
        one.platform.bot_url = "http://127.0.0.1:9"
        assert "did not move" in str((await one.control("time", {"advance_seconds": 1}))["error"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("phones/{openid}/dance", {}),
        ("phones/{openid}/say", {}),
        ("phones/{openid}/menu", {"key": "none"}),
        ("phones/{openid}/scan", {"scene": "never made"}),
        ("phones/{openid}/image", {"base64": "%%"}),
        ("faults", {"wrong_colour": 1}),
        ("faults", {"api": [{"path": "*", "kind": "odd"}]}),
        ("account", {"mode": "half-safe"}),
        ("account", {"templates": [{"title": "no id"}]}),
        ("phones", {"openid": "../../etc"}),
        ("clock", {"advance_seconds": "soon"}),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_sentence(path: str, body: dict[str, object]) -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        address = f"{one.platform.origin}/sim/{path.format(openid=phone.openid)}"
        async with one.http.post(address, json=body) as response:
            assert response.status == 400
            assert list(await response.json()) == ["error"]
        assert one.bot.seen == []


async def test_a_stranger_cannot_write_before_following() -> None:
    async with table(silent) as one:
        stranger = one.platform.add_phone(following=False)
        assert "error" in await one.control(f"phones/{stranger.openid}/say", {"text": "您好"})


async def test_a_new_phone_has_followed_for_a_while_or_follows_now_or_not_at_all() -> None:
    async with table() as one:
        for body, following, pushes in (({}, True, 0), ({"follow": True}, True, 1), ({"follow": False}, False, 1)):
            made = await one.control("phones", {"name": "田老师", **body})
            phone = one.platform.phone(str(made["openid"]))
            assert (phone.user.following, len(one.bot.seen)) == (following, pushes)


async def test_two_people_can_be_given_the_same_message_id() -> None:
    async with table(silent) as one:
        first, second = one.platform.add_phone(), one.platform.add_phone()
        await first.say("一")
        await one.control("faults", {"same_msgid": 1})
        await second.say("二")
        ids = {incoming.message.id for incoming in one.bot.seen}  # type: ignore[attr-defined]  # wechatpy has no types
        assert len(ids) == 1


async def test_a_daily_limit_can_be_set_while_running() -> None:
    async with table(silent) as one:
        token = await one.token()
        await one.control("account", {"daily_limits": {"user_get": 0}})
        assert (await one.api("user/get", token=token))["errcode"] == 45009


async def test_reset_forgets_everything_but_the_account() -> None:
    async with table(silent, followers=1) as one:
        await one.platform.phone("o-sim-00001").say("您好")
        await one.control("faults", {"wrong_signature": -1})
        state = await one.control("reset", {})
        assert isinstance(state["phones"], list)
        assert [(phone["openid"], phone["items"]) for phone in state["phones"]] == [("o-sim-00001", 0)]
        assert (await one.control("faults"))["wrong_signature"] == 0


async def test_the_page_and_its_files_are_served() -> None:
    async with table(silent) as one:
        async with one.http.get(one.platform.origin) as response:
            assert response.content_type == "text/html"
        async with one.http.get(f"{one.platform.origin}/static/strings.json") as response:
            assert response.status == 200


async def remember(one: Table) -> dict[str, object]:
    phone = one.platform.add_phone("田老师", following=False)
    await phone.follow()
    await phone.send_image(b"\xff\xd8\xff\xe0picture")
    tag = await one.api("tags/create", {"tag": {"name": "教师"}})
    assert isinstance(tag["tag"], dict)
    await one.api("tags/members/batchtagging", {"openid_list": [phone.openid], "tagid": tag["tag"]["id"]})
    one.platform.world.clock.advance(1000)
    return {"transcript": phone.transcript, "token": await one.token(), "media": phone.screen[-2].media_id}


async def test_it_runs_until_it_is_ended_and_then_keeps_what_it_knew(tmp_path: Path) -> None:
    kept = tmp_path / "platform.json"
    running: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    settings = SimulatorSettings("wx0", "s", "t", AES_KEY, state_file=kept, followers=2)
    task = asyncio.create_task(run_simulator(settings, running.set_result))
    platform = await running
    assert platform.port > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "o-sim-00002" in kept.read_text(encoding="utf-8")


async def test_a_file_that_is_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(StateFileError, match=r"notes\.json"):
        async with table(state_file=tmp_path / "notes.json"):
            pass


def test_the_assumptions_name_the_settings() -> None:
    assumed = Assumed(**OTHERWISE)  # type: ignore[arg-type]  # names are checked by the dataclass itself
    plain, changed = (
        "\n".join(assumptions(SimulatorSettings("wx0", "s", "t", AES_KEY, **more)))  # type: ignore[arg-type]  # names are checked by the dataclass itself
        for more in ({}, {"retries": 4, "retry_pause": 2.0, "mark_fail_threshold": 0, "assumed": assumed})
    )
    assert "delivered 4 times at most; the next delivery starts 2.0 s later" in changed
    for before, after in (
        ("signed and sealed anew", "the same bytes"),
        ("After 80 failures", "Failures never stop pushes"),
        ("midnight 8 h east", "midnight 0 h east"),
        ("answers 40164", "answers 61004"),
        ("Only fetching a token is", "Every call is"),
        ("Within 600 s", "Within 60 s"),
        ("such an item never expires", "such an item expires after 3600 s"),
        ("The one-minute allowance is spent first", "A message counts against both"),
        ("sets its allowance to the full number", "adds to what is left of its allowance"),
        ("escape in a request body is shown as it stands", "escape in a request body is read"),
        ("up to 2 MB may", "up to 10 MB may"),
        ("names its id media_id", "names its id thumb_media_id"),
        ("no life has 30 s", "no life has 60 s"),
        ("notice do not add up", "notice add up"),
        ("HTTP 404", "HTTP 400"),
    ):
        assert before in plain
        assert before not in changed
        assert after in changed


def test_every_switch_changes_what_is_printed() -> None:
    assert OTHERWISE.keys() == {field.name for field in dataclasses.fields(Assumed)}
    settings = SimulatorSettings("wx0", "s", "t", AES_KEY)
    for name, value in OTHERWISE.items():
        changed = dataclasses.replace(settings, assumed=dataclasses.replace(settings.assumed, **{name: value}))  # type: ignore[arg-type]  # the names are all known
        assert len({*assumptions(changed)} - {*assumptions(settings)}) == 1, name


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "platform.json"
    async with table(state_file=kept) as one:
        before = await remember(one)
        epoch = one.platform.world.clock.now()
    async with table(state_file=kept) as one:
        phone = one.platform.phone("o-sim-00001")
        assert phone.transcript == before["transcript"]
        assert "教师" in str(await one.api("tags/get", token=str(before["token"])))
        assert one.platform.world.keeper.get(str(before["media"])) == b"\xff\xd8\xff\xe0picture"
        assert 0 <= one.platform.world.clock.now() - epoch < 30
        assert (await phone.say("又来了"))[-1].text == "收到"
        assert (await one.api("message/custom/typing", {"touser": phone.openid, "command": "Typing"}))["errcode"] == 0
    assert SECRET not in kept.read_text(encoding="utf-8")
