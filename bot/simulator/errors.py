"""The platform's error codes with the texts it uses today."""

from __future__ import annotations

import secrets

ERRMSG = {
    -1: "system error",
    40001: (
        "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken,"
        " more details at https://mmbizurl.cn/s/JtxxFh33r"
    ),
    40002: "invalid grant_type",
    40003: "invalid openid",
    40004: "invalid media type",
    40005: "invalid file type",
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
    40032: "invalid openid list size",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
    40035: "invalid parameter",
    40036: "invalid template_id size",
    40037: "invalid template_id",
    40039: "invalid url size",
    40059: "invalid msg id",
    40066: "invalid url",
    40097: "invalid args",
    40102: "invalid industry id",
    40125: "invalid appsecret",
    40130: "invalid openid list size, at least two openid",
    40132: "invalid username",
    40163: "code been used",
    40164: "invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist",
    40165: "invalid weapp pagepath",
    40200: "invalid account type",
    40243: "AppSecret has been frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41005: "media data missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    42002: "refresh_token expired",
    42003: "code expired",
    43001: "require GET method",
    43002: "require POST method",
    43003: "require https",
    43004: "require subscribe",
    43019: "require remove blacklist",
    43100: "change template too frequently",
    43101: "user refuse to accept the msg",
    44001: "empty media data",
    44002: "empty post data",
    44004: "empty content",
    45001: "media size out of limit",
    45002: "content size out of limit",
    45007: "playtime out of limit",
    45008: "article size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit must slower retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45026: "template num exceeds limit",
    45047: "out of response count limit",
    45056: "too many tag now, no need to add new",
    45057: "can't delete the tag that has too many fans",
    45058: "can't modify sys tag",
    45059: "can't add too many tags to one user",
    45065: "clientmsgid exist",
    45066: "same clientmsgid retry too fast",
    45067: "clientmsgid size out of limit",
    45072: "invalid command",
    45080: "can not send typing status now",
    45081: "typing status is already sent",
    45157: "invalid tag name",
    45158: "tag name too long",
    45159: "invalid tagid",
    46003: "menu no exist",
    47001: "data format error",
    47003: "argument invalid! {what}",
    48001: "api unauthorized",
    48002: "user block receive message",
    48004: "api forbidden for irregularities",
    48006: "forbid to clear quota because of reaching the limit",
    49003: "openid not match with appid",
    50001: "user unauthorized",
    50002: "user limited",
    61004: "access clientip is not registered, not in ip-white-list",
    65301: "menuid not exist",
    65303: "there is no selfmenu, please create selfmenu first",
    65304: "match rule empty",
    65316: "menu url domain count reach limit",
    65320: "match rule is invalid",
    200012: "private template count reach limit",
    200014: "invalid template tid",
    200020: "invalid kidList",
    200021: "invalid sceneDesc",
}


class ApiError(Exception):
    """An answer with errcode; `parts` fill the gaps of the text."""

    def __init__(self, code: int, text: str = "", *, also: dict[str, object] | None = None, **parts: str) -> None:
        """Without a text the documented one is used; `also` stands beside the code in the answer."""
        super().__init__(code)
        self.code = code
        self.text = text or ERRMSG.get(code, "error").format(**parts)
        self.also = also or {}

    def body(self) -> dict[str, object]:
        """The answer as the platform gives it today, with an rid."""
        return {"errcode": self.code, "errmsg": f"{self.text} rid: {rid()}", **self.also}


def rid() -> str:
    """A request id in the platform's form."""
    raw = secrets.token_hex(12)
    return f"{raw[:8]}-{raw[8:16]}-{raw[16:]}"
