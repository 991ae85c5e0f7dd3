"""Signatures and envelopes: the manual's example, and wechatpy as the other side."""

import pytest
from wechatpy.crypto import WeChatCrypto

from bot.simulator import crypto
from tests.bot.simulator.tiny_bot import AES_KEY, APP_ID, TOKEN


def test_the_signature_is_the_one_of_the_manuals_worked_example() -> None:
    assert crypto.signature("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 31, 32, 33, 2048])
def test_our_envelope_and_wechatpys_open_each_other(length: int) -> None:
    text = "<xml>" + "童" * length + "</xml>"
    key, theirs = crypto.key_of(AES_KEY), WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    sealed = crypto.encrypt(key, text, APP_ID)
    signed = crypto.signature(TOKEN, "1", "2", sealed)
    assert theirs.decrypt_message(f"<xml><Encrypt>{sealed}</Encrypt></xml>", signed, "1", "2") == text
    envelope = theirs.encrypt_message(text, "2", "1")
    assert crypto.decrypt(key, envelope.split("<Encrypt><![CDATA[")[1].split("]]>")[0], APP_ID) == text


def test_a_wrong_aes_key_is_refused_at_once() -> None:
    with pytest.raises(crypto.CryptoError):
        crypto.key_of("short")
    with pytest.raises(crypto.CryptoError):
        crypto.key_of("!" * 43)
