"""The bot behind its real door, and the platform's side played with wechatpy's own crypto, unchanged."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import xmltodict
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import Engine, RowMapping, select
from sqlalchemy.orm import Session
from wechatpy.crypto import WeChatCrypto

from bot.clock import Clock
from bot.codec import Codec
from bot.engine import Database, open_database
from bot.settings import Wechat
from bot.webhook import BODY_LIMIT, LAST_MOMENT, TURN_PATIENCE, Webhook
from handlers.policy import Policy
from storage.areas import AreaLevel, add_area
from storage.database import Base, connect
from storage.tables import METADATA
from tests.world import ring

APP_ID, TOKEN, AES_KEY = "wxtest0000000000", "token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = Wechat.model_validate({"app_id": APP_ID, "app_secret": "secret", "token": TOKEN, "encoding_aes_key": AES_KEY})


@dataclass
class Door:
    """The bot's webhook as a server, and what is behind it."""

    url: str
    database: Database
    engine: Engine
    http: aiohttp.ClientSession
    crypto: WeChatCrypto

    async def push(self, openid: str, text: str, msg_id: int, *, body: str | None = None) -> tuple[int, str]:
        """One delivery as the platform makes it; status and the decrypted reply XML (or the bare body)."""
        xml = body or (
            f"<xml><ToUserName><![CDATA[gh_test]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
            f"<CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{text}]]></Content><MsgId>{msg_id}</MsgId></xml>"
        )
        stamp, nonce = str(int(time.time())), f"n{msg_id}"
        sealed = xmltodict.parse(self.crypto.encrypt_message(xml, nonce, stamp))["xml"]
        signer = Codec(ACCOUNT)
        query = {
            "signature": signer._signature(stamp, nonce),
            "timestamp": stamp, "nonce": nonce, "encrypt_type": "aes", "msg_signature": sealed["MsgSignature"],
        }  # fmt: skip
        sent = (
            f"<xml><ToUserName><![CDATA[gh_test]]></ToUserName><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
        )
        async with self.http.post(f"{self.url}/wechat", params=query, data=sent.encode()) as answer:
            replied = await answer.text()
        if not replied.startswith("<xml>"):
            return answer.status, replied
        parts = xmltodict.parse(replied)["xml"]
        opened = self.crypto.decrypt_message(replied, parts["MsgSignature"], parts["TimeStamp"], parts["Nonce"])
        return answer.status, str(opened)

    def rows(self, table: type[Base]) -> list[RowMapping]:
        """Every row of a table."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(table.__table__)).mappings())


@asynccontextmanager
async def door(
    url: str, patience: tuple[float, float] = (TURN_PATIENCE, LAST_MOMENT), *, county: bool = True
) -> AsyncIterator[Door]:
    """A webhook on an empty county."""
    ring()
    engine = connect(url)
    METADATA.create_all(engine)
    if county:
        with Session(engine) as session, session.begin():
            add_area(session, AreaLevel.COUNTY, "县")
    database = open_database(url)
    webhook = Webhook(Codec(ACCOUNT), database, Clock(), Policy(version=1), lambda: None, patience=patience)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.add_routes(webhook.routes())
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        yield Door(str(server.make_url("")).rstrip("/"), database, engine, http, WeChatCrypto(TOKEN, AES_KEY, APP_ID))
    await webhook.close()
    await server.close()
    await asyncio.get_running_loop().run_in_executor(None, database.close)
    engine.dispose()
