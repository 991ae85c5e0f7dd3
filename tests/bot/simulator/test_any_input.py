"""Whatever is sent, the stand-in answers in its own words: it is never the stand-in that breaks."""

import asyncio
import json
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator import crypto
from bot.simulator.endpoints import ENDPOINTS
from bot.simulator.replies import Asked, classify
from bot.simulator.settings import Mode, SimulatorSettings
from bot.simulator.world import World
from tests.bot.simulator.tiny_bot import AES_KEY, APP_ID, GATEWAY, SECRET, TOKEN, sealed, silent, table

NAMES = """
touser msgtype text content template_id data thing1 value button type key url name tag id tagid openid_list action_name
action_info scene scene_id scene_str expire_seconds openid appid secret grant_type msgmenu list head_content command
matchrule tag_id user_id menuid sub_button articles news image media_id client_msg_id remark user_list ticket lat lng
label scale title size event fields base64 format scan_result filter is_to_all clientmsgid towxname msg_id tid kidList
sceneDesc priTmplId template_id_short industry_id1 industry_id2 thumb_media_id count offset begin_openid pagepath
miniprogram page musicurl pictures template_ids reject number
"""
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["o-sim-00001", "T-task", "text", "click", "QR_SCENE", "client_credential", APP_ID, SECRET]),
)
BODIES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=6),
    lambda inner: st.dictionaries(KEYS, st.one_of(LEAVES, inner, st.lists(inner, max_size=3)), max_size=6),
    max_leaves=12,
)
POSTS = [endpoint.path for endpoint in ENDPOINTS if endpoint.method == "POST"]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(POSTS), BODIES), min_size=10, max_size=20))
async def test_any_body_gets_a_business_answer(calls: list[tuple[str, dict[str, object]]]) -> None:
    async with table(silent, followers=1) as one:
        token = await one.token()
        for path, body in calls:
            raw = json.dumps(body, ensure_ascii=False).encode(errors="replace")
            address = f"{one.platform.origin}{path}"
            async with one.http.post(address, params={"access_token": token}, data=raw) as response:
                assert response.status == 200, (path, body)
                assert isinstance(await response.json(content_type=None), dict)


CONTROLS = [
    "say", "tap", "menu", "scan", "location", "file", "link", "event", "image", "voice", "sms", "pick_up", "press",
    "hang_up", "subscribe", "unsubscribe_notice", "settings",
]  # fmt: skip
RAW = st.one_of(st.binary(max_size=60), BODIES.map(lambda body: json.dumps(body).encode()))


GATEWAY_BODIES = st.fixed_dictionaries(
    {
        "id": st.one_of(st.sampled_from(["tongban-1", "tongban-2"]), LEAVES),
        "to": st.one_of(st.just("13800000000"), LEAVES),
        "purpose": st.one_of(st.just("alarm"), LEAVES),
        "text": st.one_of(st.text(), LEAVES),
        "keys": st.one_of(st.just("1"), LEAVES),
        "values": st.one_of(st.just({}), LEAVES),
    }
).map(lambda body: json.dumps(body).encode())


@settings(max_examples=30)
@given(st.lists(st.one_of(st.binary(max_size=60), GATEWAY_BODIES), min_size=10, max_size=20))
async def test_any_signed_request_to_the_gateway_is_done_or_refused(bodies: list[bytes]) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        one.platform.add_phone(number="13800000000")
        for body in bodies:
            stamp = str(int(time.time()))
            headers = {"X-Tongban-Time": stamp, "X-Tongban-Signature": sealed(GATEWAY, stamp, body)}
            address = f"{one.platform.origin}/gateway/sms"
            async with one.http.post(address, data=body, headers=headers) as response:
                assert response.status in {200, 400}, body


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(CONTROLS), RAW), min_size=10, max_size=20))
async def test_any_control_request_is_done_or_refused(calls: list[tuple[str, bytes]]) -> None:
    async with table(silent, followers=1) as one:
        for act, raw in calls:
            address = f"{one.platform.origin}/sim/phones/o-sim-00001/{act}"
            async with one.http.post(address, data=raw, headers={"Content-Type": "application/json"}) as response:
                assert response.status in {200, 400}, (act, raw)


MODES = (Mode.PLAIN, Mode.SAFE)
WORLDS = {mode: World(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, mode=mode)) for mode in MODES}
TAGS = "<xml> </xml> <Encrypt> </Encrypt> <MsgType>text</MsgType> <Content> </Content> <![CDATA[ ]]> <!DOCTYPE &amp;"
PIECES = st.lists(st.sampled_from([*TAGS.split(" "), "success"])).map(lambda parts: "".join(parts).encode())


@given(st.sampled_from(list(WORLDS)), st.one_of(st.binary(), PIECES))
def test_any_answer_of_a_bot_is_judged(mode: Mode, body: bytes) -> None:
    verdict = classify(WORLDS[mode], Asked("o-sim-00001", "text", crypto.key_of(AES_KEY)), 200, body)
    assert verdict.shown == []
    assert bool(verdict.fault) == (body not in {b"", b"success"})


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_envelope(text: str) -> None:
    key = crypto.key_of(AES_KEY)
    assert crypto.decrypt(key, crypto.encrypt(key, text, APP_ID), APP_ID) == text


async def test_a_thousand_pushes_with_every_fault_show_each_reply_once() -> None:
    async with table(followers=50) as one:
        faults = one.platform.world.faults
        faults.drop_before, faults.drop_after = 50, 50
        faults.duplicate.times, faults.duplicate.pushes = 2, 100
        phones = [one.platform.phone(f"o-sim-{n:05d}") for n in range(1, 51)]

        async def chat(index: int) -> None:
            for n in range(20):
                await phones[index].say(str(n))

        await asyncio.gather(*map(chat, range(50)))
        shown = [item.kind for phone in phones for item in phone.screen if item.side != "me"]
        assert shown.count("text") + shown.count("fault") == 1000
        assert shown.count("text") >= 950
