"""Media: what may be uploaded, how it comes back, and that it is gone after three days."""

import io
import json

import aiohttp
import pytest

from bot.simulator.assumptions import Assumed
from tests.bot.simulator.tiny_bot import Table, silent, table

JPG = b"\xff\xd8\xff\xe0" + b"\r\n--picture\x00" * 50
MP3 = b"ID3" + bytes(200)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(100)
DAYS = 24 * 3600


def mp3(seconds: int) -> bytes:
    """A tag and silent frames of MPEG 1, layer III, 128 kbit/s, 44.1 kHz."""
    frame = b"\xff\xfb\x90\x00" + bytes(413)
    return b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + frame * round(seconds * 44_100 / 1152)


def amr(seconds: int) -> bytes:
    return b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50 * seconds


async def upload(one: Table, kind: str, data: bytes, name: str = "file") -> dict[str, object]:
    form = aiohttp.FormData()
    form.add_field("media", io.BytesIO(data), filename=name)
    address = f"{one.platform.origin}/cgi-bin/media/upload"
    async with one.http.post(address, params={"access_token": await one.token(), "type": kind}, data=form) as response:
        answer: dict[str, object] = await response.json(content_type=None)
        return answer


async def download(one: Table, media_id: str) -> tuple[bytes, str, str]:
    query = {"access_token": await one.token(), "media_id": media_id}
    async with one.http.get(f"{one.platform.origin}/cgi-bin/media/get", params=query) as response:
        return await response.read(), response.content_type, response.headers.get("Content-Disposition", "")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image", JPG),
        ("voice", amr(60)),
        ("voice", MP3),
        ("voice", mp3(59)),
        ("voice", b"\xff\xf3\x48\xc4" + bytes(140)),
        ("video", MP4),
        ("thumb", JPG),
    ],
)
async def test_what_is_allowed_is_kept(kind: str, data: bytes) -> None:
    async with table(silent) as one:
        answer = await upload(one, kind, data)
        assert answer["type"] == kind
        assert one.platform.world.keeper.get(str(answer["media_id"])) == data


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("picture", JPG, 40004),
        ("image", b"", 44001),
        ("image", b"<svg/>", 40005),
        ("image", JPG[:4] + bytes(2 * 1024 * 1024), 40009),
        ("voice", JPG, 40005),
        ("voice", amr(61), 45007),
        ("voice", mp3(62), 45007),
        ("voice", MP3 + bytes(2 * 1024 * 1024), 40010),
        ("video", MP4 + bytes(10 * 1024 * 1024), 40011),
        ("thumb", JPG + bytes(64 * 1024), 40012),
    ],
)
async def test_what_is_not_allowed_is_refused(kind: str, data: bytes, code: int) -> None:
    async with table(silent) as one:
        assert (await upload(one, kind, data))["errcode"] == code


async def test_an_upload_without_a_file_is_refused() -> None:
    async with table(silent) as one:
        assert (await one.api("media/upload", b"no form", type="image"))["errcode"] == 41005


async def test_a_photo_of_a_person_can_be_fetched_for_three_days() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.send_image(JPG)
        media_id, picture_url = one.bot.seen[0].message.media_id, one.bot.seen[0].message.image  # type: ignore[attr-defined]  # wechatpy has no types
        body, kind, disposition = await download(one, media_id)
        assert (body, kind) == (JPG, "image/jpeg")
        assert "filename=" in disposition
        async with one.http.get(picture_url) as response:
            assert await response.read() == JPG
        one.platform.world.clock.advance(3 * DAYS - 5)
        assert (await download(one, media_id))[0] == JPG
        one.platform.world.clock.advance(10)
        body, kind, _ = await download(one, media_id)
        assert (json.loads(body)["errcode"], kind) == (40007, "text/plain")
        async with one.http.get(picture_url) as response:
            assert response.status == 404
        async with one.http.get(one.platform.origin + phone.screen[0].url) as response:
            assert await response.read() == JPG


async def test_a_voice_comes_with_an_empty_recognition_and_its_format() -> None:
    async with table(silent) as one:
        await one.platform.add_phone().send_voice(amr(2))
        message = one.bot.seen[0].message
        assert (message.type, message.format, message.recognition) == ("voice", "amr", None)  # type: ignore[attr-defined]  # wechatpy has no types
        assert (await download(one, message.media_id))[0] == amr(2)  # type: ignore[attr-defined]  # wechatpy has no types


async def test_a_video_comes_back_as_json_with_an_address() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        async with one.http.post(
            f"{one.platform.origin}/sim/phones/{phone.openid}/video", data=MP4, headers={"Content-Type": "video/mp4"}
        ) as response:
            assert response.status == 200
        body, kind, disposition = await download(one, one.bot.seen[0].message.media_id)  # type: ignore[attr-defined]  # wechatpy has no types
        assert (kind, disposition) == ("application/json", "")
        async with one.http.get(json.loads(body)["video_url"]) as response:
            assert await response.read() == MP4


async def test_downloads_can_fail_for_hours() -> None:
    async with table(silent) as one:
        await one.platform.add_phone().send_image(JPG)
        media_id = one.bot.seen[0].message.media_id  # type: ignore[attr-defined]  # wechatpy has no types
        await one.control("faults", {"media_fails_for": 6 * 3600})
        assert json.loads((await download(one, media_id))[0])["errcode"] == -1
        one.platform.world.clock.advance(6 * 3600)
        assert (await download(one, media_id))[0] == JPG


async def test_what_the_manual_says_twice_can_be_switched() -> None:
    async with table(silent, assumed=Assumed(largest_image=10 * 1024 * 1024, thumb_answer="thumb_media_id")) as one:
        assert "media_id" in await upload(one, "image", JPG + bytes(3 * 1024 * 1024))
        assert "thumb_media_id" in await upload(one, "thumb", JPG)


async def add(one: Table, kind: str, data: bytes, **fields: str) -> dict[str, object]:
    """A permanent medium."""
    form = aiohttp.FormData(fields)
    form.add_field("media", io.BytesIO(data), filename="file")
    query = {"access_token": await one.token(), "type": kind}
    async with one.http.post(f"{one.platform.origin}/cgi-bin/material/add_material", params=query, data=form) as got:
        answer: dict[str, object] = await got.json(content_type=None)
        return answer


async def test_permanent_media_stay_and_are_no_temporary_ones() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        media_id = str((await add(one, "image", JPG))["media_id"])
        one.platform.world.clock.advance(30 * DAYS)
        assert json.loads((await download(one, media_id))[0])["errcode"] == 40007
        query = {"access_token": await one.token()}
        address = f"{one.platform.origin}/cgi-bin/material/get_material"
        async with one.http.post(address, params=query, json={"media_id": media_id}) as got:
            assert await got.read() == JPG
        await phone.say("在吗")
        body = {"touser": phone.openid, "msgtype": "image", "image": {"media_id": media_id}}
        assert (await one.api("message/custom/send", body))["errcode"] == 0
        assert (await one.api("material/get_materialcount"))["image_count"] == 1
        assert (await one.api("material/batchget_material", {"type": "image", "offset": 0, "count": 20}))[
            "total_count"
        ] == 1
        assert (await one.api("material/del_material", {"media_id": media_id}))["errcode"] == 0
        assert (await one.api("message/custom/send", body))["errcode"] == 40007
        assert (await one.api("material/del_material", {"media_id": media_id}))["errcode"] == 40007
        assert (await one.api("material/batchget_material", {"type": "image", "offset": 0, "count": 21}))[
            "errcode"
        ] == 47001


async def test_a_permanent_video_comes_with_a_description() -> None:
    async with table(silent) as one:
        assert (await add(one, "video", MP4))["errcode"] == 47001
        made = await add(one, "video", MP4, description='{"title": "录像", "introduction": "说明"}')
        told = await one.api("material/get_material", {"media_id": made["media_id"]})
        assert told["title"] == "录像"
        async with one.http.get(str(told["down_url"])) as got:
            assert await got.read() == MP4


async def test_articles_are_made_of_titles_words_and_a_picture_that_is_there() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        thumb = (await upload(one, "thumb", JPG))["media_id"]
        article = {"title": "日报", "content": "<p>三件</p>", "digest": "三件", "thumb_media_id": thumb}
        made = await one.api("material/add_news", {"articles": [article]})
        body = {"touser": phone.openid, "msgtype": "mpnews", "mpnews": {"media_id": made["media_id"]}}
        assert (await one.api("message/custom/send", body))["errcode"] == 0
        assert (phone.screen[-1].title, phone.screen[-1].text) == ("日报", "三件")
        told = await one.api("material/get_material", {"media_id": made["media_id"]})
        assert told["news_item"] == [article]
        two = await one.api("media/uploadnews", {"articles": [article] * 2})
        body = {"touser": phone.openid, "msgtype": "mpnews", "mpnews": {"media_id": two["media_id"]}}
        assert (await one.api("message/custom/send", body))["errcode"] == 45008
        for wrong, code in (
            ([], 45008),
            ([{**article, "title": ""}], 44004),
            ([{**article, "thumb_media_id": "no"}], 40007),
        ):
            assert (await one.api("media/uploadnews", {"articles": wrong}))["errcode"] == code


@pytest.mark.parametrize(
    ("data", "code"), [(JPG, 0), (b"GIF89a" + bytes(20), 40005), (JPG + bytes(1024 * 1024), 40009)]
)
async def test_a_picture_inside_an_article_is_small(data: bytes, code: int) -> None:
    async with table(silent) as one:
        form = aiohttp.FormData()
        form.add_field("media", io.BytesIO(data), filename="file")
        address = f"{one.platform.origin}/cgi-bin/media/uploadimg"
        async with one.http.post(address, params={"access_token": await one.token()}, data=form) as got:
            answer = await got.json(content_type=None)
        assert answer.get("errcode", 0) == code
        if not code:
            async with one.http.get(answer["url"]) as got:
                assert await got.read() == data
