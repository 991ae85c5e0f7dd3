"""Everything the bot asks of the WeChat platform, each call with plain types.

All of them raise WeChatRefused (it was not done, and `reaction` says what next) or OutcomeUnknown (nobody knows).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, cast
from urllib.parse import quote, urlencode

import aiohttp

from bot.account import Right, may, may_call
from bot.replies import clean
from bot.settings import Wechat
from bot.tokens import Tokens
from bot.transport import AsyncWeChatClient, Exchange, Json, Media
from bot.wechat_errors import OutcomeUnknown, WeChatRefused

__all__ = ["Media", "OutcomeUnknown", "PrivateTemplate", "Visitor", "WeChat", "WeChatRefused"]

_MOST_TAGGED = 50
"""People in one tagging call."""
_NO_MENU, _NO_CALLBACK = 46003, 40201


class Visitor(NamedTuple):
    """Who signed in on a page; `is_snapshot` is a made-up identity of WeChat's preview, which nobody may trust."""

    openid: str
    is_snapshot: bool


class PrivateTemplate(NamedTuple):
    """A template of the account's own list; `content` names its fields as {{thing1.DATA}}."""

    template_id: str
    title: str
    content: str


class MenuOfTag(NamedTuple):
    """A menu that only people with a tag see."""

    menu_id: str
    tag_id: int
    buttons: list[Json]


class WeChat:
    """One account's side of the platform. `http` stays the caller's to close."""

    def __init__(self, account: Wechat, http: aiohttp.ClientSession) -> None:
        self._account, self._api = account, account.api_origin
        self._exchange = Exchange(http, account.proxy.get_secret_value() if account.proxy else None)
        self.tokens = Tokens(self._stable_token)
        self.client = AsyncWeChatClient(
            account.app_id, self.tokens, self._exchange, account.api_origin, partial(may_call, account.kind)
        )
        """wechatpy's API classes, for what has no method here."""

    def may(self, *rights: Right) -> bool:
        """Whether this kind of account has all these rights; a call without its right is refused here already."""
        return may(self._account.kind, *rights)

    async def _stable_token(self, force: bool) -> Json:  # noqa: FBT001 - the one argument of a Fetch
        asked = {
            "grant_type": "client_credential",
            "appid": self._account.app_id,
            "secret": self._account.app_secret.get_secret_value(),
            "force_refresh": force,
        }
        return await self._exchange.json("stable_token", "POST", f"{self._api}/cgi-bin/stable_token", data=asked)

    async def try_credentials(self) -> None:
        """Ask for a token past what is remembered; a refusal names our address when that is what is wrong."""
        await self._stable_token(force=False)

    async def date(self) -> datetime | None:
        """The platform's clock; None when it does not say."""
        return await self._exchange.date(f"{self._api}/")

    async def callback_addresses(self) -> list[str]:
        """Where the platform finds the server address of the console; empty when none is entered there."""
        wanted: Json = {"action": "dns", "check_operator": "DEFAULT"}
        try:
            answer = await self._posted("callback/check", wanted)
        except WeChatRefused as refusal:
            if refusal.code == _NO_CALLBACK:
                return []
            raise
        rows = cast("list[dict[str, object]]", answer.get("dns") or [])
        return [str(row.get("ip", "")) for row in rows]

    # Messages.

    async def send_text(self, openid: str, text: str) -> None:
        """A customer-service message: while the person's window is open. `text` is one piece of `replies.cut`."""
        await self.client.message.send_text(openid, clean(text))

    async def send_media(self, openid: str, kind: str, media_id: str) -> None:
        """A customer-service message that is a `voice` or an `image`, by an upload of the last three days."""
        send = {"voice": self.client.message.send_voice, "image": self.client.message.send_image}[kind]
        await send(openid, media_id)

    async def send_template(
        self,
        openid: str,
        template_id: str,
        data: dict[str, str],
        url: str | None = None,
        client_msg_id: str | None = None,
    ) -> str:
        """A template message; returns the id under which its delivery is reported later."""
        wanted: Json = {"touser": openid, "template_id": template_id, "data": _fields(data)}
        optional = {"url": url, "client_msg_id": client_msg_id}  # wechatpy's own method does not know the second
        wanted |= {name: value for name, value in optional.items() if value}
        answer = await self._posted("message/template/send", wanted)
        return str(answer.get("msgid", ""))

    async def send_notice(self, openid: str, template_id: str, data: dict[str, str], page: str | None = None) -> None:
        """A subscription notice; 43101 when the person did not agree, or the message agreed to was sent."""
        await self.client.message.send_subscribe_message(openid, template_id, _fields(data), page=page)

    async def script_ticket(self) -> tuple[str, int]:
        """The account's ticket for the platform's script on pages, and for how many seconds it is good."""
        answer: Json = await self.client.jsapi.get_ticket()
        return str(answer["ticket"]), int(str(answer["expires_in"]))

    async def private_templates(self) -> list[PrivateTemplate]:
        """The templates this account may send."""
        answer: Json = await self.client.template.get_all_private_template()
        rows = cast("list[dict[str, object]]", answer.get("template_list") or [])
        return [PrivateTemplate(*(str(row.get(name, "")) for name in PrivateTemplate._fields)) for row in rows]

    # Media.

    async def download_media(self, media_id: str) -> Media:
        """What a person sent. Its code 40007 means that it is gone: ask for it again."""
        found: Media | Json = await self.client.media.download(media_id)
        if isinstance(found, Media):
            return found
        address = found.get("video_url")
        if not isinstance(address, str) or not address.startswith(("http://", "https://")):
            raise OutcomeUnknown("media/get was answered with neither a file nor where one is")
        return await self._exchange.ask("media/video", "GET", address)

    async def upload_media(self, kind: str, filename: str, content: bytes, content_type: str) -> str:
        """Give the platform a `voice` or an `image` to keep for three days; returns its media id."""
        answer: Json = await self.client.media.upload(kind, (filename, content, content_type))
        return str(answer["media_id"])

    # Menus.

    async def menus(self) -> tuple[list[Json] | None, list[MenuOfTag]]:
        """The default menu's buttons (None: there is no menu) and the menus by tag, oldest first."""
        try:
            answer: Json = await self.client.menu.get()
        except WeChatRefused as refusal:
            if refusal.code == _NO_MENU:
                return None, []
            raise
        rows = cast("list[dict[str, object]]", answer.get("conditionalmenu") or [])
        default = cast("dict[str, object]", answer.get("menu") or {})
        return _buttons(default), [MenuOfTag(str(row.get("menuid", "")), _tag_of(row), _buttons(row)) for row in rows]

    async def create_menu(self, menu: Json) -> None:
        """Replace the menu that everybody without a menu of their own sees."""
        await self.client.menu.create(menu)

    async def add_conditional_menu(self, menu: Json) -> str:
        """Add a menu for the people with the tag in its `matchrule`; returns its id."""
        answer = await self._posted("menu/addconditional", menu)
        return str(answer.get("menuid", ""))

    async def delete_conditional_menu(self, menu_id: str) -> None:
        """Take away a menu by tag."""
        await self._posted("menu/delconditional", {"menuid": menu_id})

    # People and tags.

    async def tags(self) -> dict[str, int]:
        """The account's tags: name → id."""
        rows: list[dict[str, object]] = await self.client.tag.get()
        return {str(row["name"]): int(str(row["id"])) for row in rows}

    async def create_tag(self, name: str) -> int:
        """A new tag; returns its id."""
        row: dict[str, object] = await self.client.tag.create(name)
        return int(str(row["id"]))

    async def tag_users(self, tag_id: int, openids: Sequence[str]) -> None:
        """Put the tag on people; putting it on twice changes nothing."""
        for some in _batches(openids, _MOST_TAGGED):
            await self.client.tag.tag_user(tag_id, some)

    async def untag_users(self, tag_id: int, openids: Sequence[str]) -> None:
        """Take the tag off people; off whom it was not, nothing changes."""
        for some in _batches(openids, _MOST_TAGGED):
            await self.client.tag.untag_user(tag_id, some)

    async def user_info(self, openid: str) -> Json:
        """What the platform tells of a person: `subscribe` (0 when not following), `subscribe_time`, `tagid_list`."""
        answer: Json = await self.client.user.get(openid)
        return answer

    # QR codes and sign-in.

    async def create_qr(self, scene: str, expire_seconds: int) -> str:
        """A code that brings `scene` (1-64 characters) with whoever scans it; returns its ticket."""
        wanted = {
            "expire_seconds": expire_seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        answer: Json = await self.client.qrcode.create(wanted)
        return str(answer["ticket"])

    def qr_picture_url(self, ticket: str) -> str:
        """Where the code's picture can be seen, by anybody."""
        return f"{self._account.qr_origin}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"

    def oauth_url(self, redirect: str, state: str) -> str:
        """Where to send a browser inside WeChat; it comes back to `redirect` with a code and `state` (alphanumeric)."""
        asked = {
            "appid": self._account.app_id,
            "redirect_uri": redirect,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
        return f"{self._account.open_origin}/connect/oauth2/authorize?{urlencode(asked)}#wechat_redirect"

    async def oauth_openid(self, code: str) -> Visitor:
        """Who came back with `code`, which works once; reaction SIGN_IN_AGAIN when it did before or is too old."""
        asked = {
            "appid": self._account.app_id,
            "secret": self._account.app_secret.get_secret_value(),
            "code": code,
            "grant_type": "authorization_code",
        }
        call = "sns/oauth2/access_token"
        answer = await self._exchange.json(call, "GET", f"{self._api}/{call}", params=asked)
        openid = answer.get("openid")
        if not isinstance(openid, str) or not openid:
            raise OutcomeUnknown(f"{call} was answered without an openid")
        return Visitor(openid, is_snapshot=str(answer.get("is_snapshotuser") or 0) != "0")

    async def _posted(self, call: str, wanted: Json) -> Json:
        answer: Json = await self.client.post(call, data=wanted)
        return answer


def _fields(data: dict[str, str]) -> Json:
    return {name: {"value": " ".join(clean(value).split())} for name, value in data.items()}


def _buttons(menu: Json) -> list[Json]:
    return cast("list[Json]", menu.get("button") or [])


def _tag_of(menu: Json) -> int:
    """The tag in a menu's rule, which older menus call a group; 0 when it is about something else."""
    rule = cast("Json", menu.get("matchrule") or {})
    tag = str(rule.get("tag_id") or rule.get("group_id") or "")
    return int(tag) if tag.isdecimal() else 0


def _batches(openids: Iterable[str], size: int) -> list[list[str]]:
    every = list(openids)
    return [every[start : start + size] for start in range(0, len(every), size)]
