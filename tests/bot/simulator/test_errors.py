"""What the stand-in says with each error code: the texts of `wechat-platform.md`, section 9, and an rid behind them."""

import re

from tests.bot.simulator.tiny_bot import APP_ID, SECRET, Table, silent, table

RID = r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"
TEXTS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken,"
    " more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40004: "invalid media type",
    40007: "invalid media_id",
    40008: "invalid message type",
    40009: "invalid image size",
    40010: "invalid voice size",
    40011: "invalid video size",
    40012: "invalid thumb size",
    40013: "invalid appid",
    40014: "invalid access_token",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40036: "invalid template_id size",
    40037: "invalid template_id",
    40039: "invalid url size",
    40163: "code been used",
    40164: "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
    40200: "invalid account type",
    41001: "access_token missing",
    42001: "access_token expired",
    43002: "require POST method",
    43003: "require https",
    44002: "empty post data",
    45002: "content size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit must slower retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    47001: "data format error",
    47003: "argument invalid! data.thing1.value invalid",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    48006: "forbid to clear quota because of reaching the limit",
    50001: "user unauthorized",
    50002: "user limited",
    61004: "access clientip is not registered, not in ip-white-list",
}
SEND = "message/custom/send"


def is_said(answer: dict[str, object], code: int) -> bool:
    """Whether an answer is this error, in the platform's words."""
    text = re.escape(TEXTS[code])
    return answer["errcode"] == code and re.fullmatch(text + RID, str(answer["errmsg"])) is not None


async def test_every_code_made_to_come_has_the_platforms_words() -> None:
    async with table(silent) as one:
        token = await one.token()
        other = []
        for code in TEXTS:
            await one.control("faults", {"api": [{"path": "/cgi-bin/tags/get", "kind": "errcode", "errcode": code}]})
            answer = await one.api("tags/get", token=token)
            if not is_said(answer, code):
                other.append(answer)
        assert other == []


async def refused(one: Table, openid: str) -> dict[int, dict[str, object]]:
    """Real refusals, and what was said with them."""

    def text(content: str, to: str = openid) -> dict[str, object]:
        return {"touser": to, "msgtype": "text", "text": {"content": content}}

    def card(template: str, value: str) -> dict[str, object]:
        fields = {"thing1": value, "time2": "07:30", "number3": "1"}
        data = {key: {"value": one_value} for key, one_value in fields.items()}
        return {"touser": openid, "template_id": template, "data": data}

    token, click = await one.token(), {"type": "click", "name": "我的任务", "key": "tasks"}
    answers = {
        40003: await one.api(SEND, text("喂", "o-nobody"), token),
        40007: await one.api(SEND, {"touser": openid, "msgtype": "image", "image": {"media_id": "no"}}, token),
        40008: await one.api(SEND, {"touser": openid, "msgtype": "poem"}, token),
        40014: await one.api("tags/get", token="made-up"),
        40016: await one.api("menu/create", {"button": []}, token),
        40018: await one.api("menu/create", {"button": [{**click, "name": "名字太长了吧"}]}, token),
        40037: await one.api("message/template/send", card("T-none", "走访"), token),
        41001: await one.api("tags/get", token=""),
        43002: await one.api(SEND, token=token),
        44002: await one.api(SEND, b"", token),
        45002: await one.api(SEND, text("童" * 683), token),
        47001: await one.api(SEND, b"{", token),
        47003: await one.api("message/template/send", card("T-task", "长" * 21), token),
    }
    for _ in range(5):
        await one.api(SEND, text("您好"), token)
    answers[45047] = await one.api(SEND, text("您好"), token)
    one.platform.world.clock.advance(48 * 3600)
    answers[42001] = await one.api("tags/get", token=token)
    answers[45015] = await one.api(SEND, text("您好"))
    async with one.http.get(f"{one.platform.origin}/cgi-bin/token", params={"grant_type": "x"}) as response:
        answers[40002] = await response.json(content_type=None)
    query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
    await one.control("account", {"daily_limits": {"token": 0}})
    async with one.http.get(f"{one.platform.origin}/cgi-bin/token", params=query) as response:
        answers[45009] = await response.json(content_type=None)
    await one.control("account", {"daily_limits": {}, "ip_white_list": ["10.0.0.1"]})
    async with one.http.get(f"{one.platform.origin}/cgi-bin/token", params=query) as response:
        answers[40164] = await response.json(content_type=None)
    return answers


async def test_a_real_refusal_is_said_in_the_same_words() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        answers = await refused(one, phone.openid)
        assert {code: answer for code, answer in answers.items() if not is_said(answer, code)} == {}
