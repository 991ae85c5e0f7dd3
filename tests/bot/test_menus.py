"""Menus by role at the stand-in, and whose tag says which one they see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.menus import BY_TAG, DEFAULT, Tagger, UnfitMenu, check_limits, differing, push_menus
from bot.simulator.handles import PhoneHandle
from bot.simulator.menus import seen_by
from bot.wechat import WeChatRefused
from handlers import binding
from handlers.turn import Turn
from messages import menu
from storage import contacts, people, posts
from storage.contacts import Contact
from storage.people import Person, PersonRole, Role
from tests.support.databases import Databases, SqliteDatabases
from tests.support.pages import Town, town


@pytest_asyncio.fixture
async def county(sqlite_databases: SqliteDatabases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in."""
    async with town(sqlite_databases.fresh(), tmp_path) as made:
        yield made


def tagger_of(county: Town) -> Tagger:
    """One of our own, beside the bot's."""
    return Tagger(county.bot.database, county.bot.wechat, county.bot.clock)


def labels_of(buttons: Any) -> list[str]:  # noqa: ANN401 - JSON
    """What a menu shows, top level first."""
    return [name for one in buttons for name in (one["name"], *labels_of(one.get("sub_button") or []))]


def ours(role: Role) -> list[str]:
    """What the menu of a role should show."""
    return labels_of(menu(role)["button"])


def seen(county: Town, phone: PhoneHandle) -> list[str]:
    """What a person sees under the chat."""
    shown = seen_by(county.platform.world, phone.user)
    return labels_of(shown["button"]) if shown else []


def calls(county: Town) -> list[str]:
    """Menu calls that change something, in order."""
    entries = county.platform.world.log.after(0)
    paths = [str(one["path"]).partition("?")[0].removeprefix("/cgi-bin/") for one in entries if one["kind"] == "call"]
    return [path for path in paths if path.startswith("menu/") and path != "menu/get"]


async def test_everybody_sees_the_menu_of_their_role_and_pushing_again_pushes_nothing(county: Town) -> None:
    wechat = county.bot.wechat
    own = [role for role in BY_TAG if ours(role) != ours(DEFAULT)]
    assert await push_menus(wechat) == [(DEFAULT, "added"), *((role, "added") for role in own)]
    await tagger_of(county).drain()
    for name, role in (
        ("villager", Role.CITIZEN), ("teacher", Role.MANDATED_REPORTER), ("officer", Role.VILLAGE_CHILD_OFFICER),
        ("duty", Role.TOWNSHIP_CHILD_SUPERVISOR), ("county", Role.COUNTY_SUPERVISOR),
    ):  # fmt: skip
        assert seen(county, county.platform.phone(f"o-{name}")) == ours(role), name
    before = calls(county)
    assert await push_menus(wechat) == []
    assert calls(county) == before
    default, by_tag = await wechat.menus()
    assert differing(default, by_tag, await wechat.tags()) == []


async def test_only_what_differs_is_pushed(county: Town) -> None:
    wechat = county.bot.wechat
    await push_menus(wechat)
    tags = await wechat.tags()
    _, by_tag = await wechat.menus()
    officer = next(one for one in by_tag if one.tag_id == tags[Role.VILLAGE_CHILD_OFFICER])
    await wechat.delete_conditional_menu(officer.menu_id)
    liaison = str(tags[Role.AGENCY_LIAISON])
    await wechat.add_conditional_menu(menu(Role.AUDITOR) | {"matchrule": {"tag_id": liaison}})
    default, by_tag = await wechat.menus()
    assert differing(default, by_tag, tags) == [Role.VILLAGE_CHILD_OFFICER, Role.AGENCY_LIAISON]
    before = len(calls(county))
    assert await push_menus(wechat) == [(Role.VILLAGE_CHILD_OFFICER, "added"), (Role.AGENCY_LIAISON, "removed")]
    assert calls(county)[before:] == ["menu/addconditional", "menu/delconditional"]
    # Ours for the liaison was there all the time; the newer one that hid it is the one that went.
    default, by_tag = await wechat.menus()
    assert differing(default, by_tag, tags) == []
    assert len({one.tag_id for one in by_tag}) == len(by_tag)
    await wechat.create_menu(menu(Role.AUDITOR))
    assert (DEFAULT, "replaced") in await push_menus(wechat)
    assert await push_menus(wechat) == []


async def test_where_a_new_default_menu_takes_the_others_away_they_come_back(county: Town) -> None:
    wechat = county.bot.wechat
    await push_menus(wechat)
    await wechat.client.menu.delete()
    assert await wechat.menus() == (None, [])
    again = await push_menus(wechat)
    assert {what for _, what in again} == {"added"}
    assert {role for role, _ in again} >= {DEFAULT, Role.VILLAGE_CHILD_OFFICER}


async def test_a_menu_of_a_tag_that_is_not_ours_is_left_alone(county: Town) -> None:
    wechat = county.bot.wechat
    await push_menus(wechat)
    other = await wechat.create_tag("visitors")
    number = await wechat.add_conditional_menu(menu(Role.AUDITOR) | {"matchrule": {"tag_id": str(other)}})
    assert await push_menus(wechat) == []
    assert number in {one.menu_id for one in (await wechat.menus())[1]}


@pytest.mark.parametrize("role", Role)
def test_our_menus_are_within_the_platform_s_limits(role: Role) -> None:
    check_limits(role, menu(role)["button"])


def button(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """One button with a part of it changed."""
    return {"type": "click", "name": "报告", "key": "report", **parts}


@pytest.mark.parametrize(
    ("fits", "too_long", "words"),
    [
        ([button(name="字" * 5 + "a")], [button(name="字" * 5 + "ab")], "17 bytes, and 16 fit"),
        (
            [{"name": "更多", "sub_button": [button(name="字" * 20)]}],
            [{"name": "更多", "sub_button": [button(name="字" * 20 + "a")]}],
            "61 bytes, and 60 fit",
        ),
        ([button(key="k" * 128)], [button(key="k" * 129)], "129 bytes, and 128 fit"),
        (
            [{"type": "view", "name": "页", "url": "http://a.example/".ljust(1024, "x")}],
            [{"type": "view", "name": "页", "url": "http://a.example/".ljust(1025, "x")}],
            "1025 bytes, and 1024 fit",
        ),
        ([button()] * 3, [button()] * 4, "4 buttons"),
        (
            [{"name": "更多", "sub_button": [button()] * 5}],
            [{"name": "更多", "sub_button": [button()] * 6}],
            "6 buttons",
        ),
    ],
)
async def test_what_is_too_long_by_one_byte_is_refused_here_just_as_the_platform_would(
    county: Town, fits: list[Any], too_long: list[Any], words: str
) -> None:
    check_limits("citizen", fits)
    await county.bot.wechat.create_menu({"button": fits})
    with pytest.raises(UnfitMenu, match=words):
        check_limits("citizen", too_long)
    with pytest.raises(WeChatRefused):
        await county.bot.wechat.create_menu({"button": too_long})


async def test_a_menu_that_was_made_too_long_is_named_before_anything_is_pushed(
    county: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.menus._TOP_NAME_BYTES", 5)
    with pytest.raises(UnfitMenu, match="The menu of mandated_reporter"):
        await push_menus(county.bot.wechat)
    assert calls(county) == []


# Whose tag is which.


async def tag_of(county: Town, name: str) -> list[str]:
    """The tags a person wears at the platform."""
    known = {number: tag for tag, number in (await county.bot.wechat.tags()).items()}
    return [known[number] for number in county.platform.phone(f"o-{name}").user.tags]


async def give(county: Town, name: str, role: Role) -> None:
    """Give somebody one more role."""

    def act(turn: Turn) -> None:
        person = _person(turn, name)
        turn.session.add(PersonRole(person_id=person.id, role=role, area_id=person.area_id, since=turn.now))

    await county.does(act)


def _person(turn: Turn, name: str) -> Person:
    found = contacts.known(turn.connection, f"o-{name}")
    assert found
    person = people.person_of(turn.session, found[1])
    assert person
    return person


async def test_a_role_given_changed_and_taken_moves_the_person_s_menu(county: Town) -> None:
    tagger = tagger_of(county)
    await push_menus(county.bot.wechat)
    assert await tagger.drain() == 4
    assert await tag_of(county, "teacher") == [Role.MANDATED_REPORTER]
    assert await tagger.drain() == 0

    # Two roles: the one by which the person is addressed decides, whichever came first.
    await give(county, "teacher", Role.COUNTY_SUPERVISOR)
    assert await tagger.drain() == 1
    assert await tag_of(county, "teacher") == [Role.COUNTY_SUPERVISOR]
    assert seen(county, county.platform.phone("o-teacher")) == ours(Role.COUNTY_SUPERVISOR)
    await give(county, "teacher", Role.VILLAGE_CHILD_OFFICER)
    assert await tagger.drain() == 0

    def only_officer(turn: Turn) -> None:
        for held in people.roles_of(turn.session, _person(turn, "teacher").id, turn.now):
            if held.role != Role.VILLAGE_CHILD_OFFICER:
                held.until = turn.now

    await county.does(only_officer)
    await tagger.drain()
    assert await tag_of(county, "teacher") == [Role.VILLAGE_CHILD_OFFICER]

    await county.does(lambda turn: posts.end_roles(turn.connection, _person(turn, "teacher").id, turn.now))
    await tagger.drain()
    assert await tag_of(county, "teacher") == []
    assert seen(county, county.platform.phone("o-teacher")) == ours(Role.CITIZEN)


async def test_who_unfollowed_and_comes_back_with_a_code_sees_the_menu_again(county: Town) -> None:
    tagger, phone = tagger_of(county), county.platform.phone("o-officer")
    await push_menus(county.bot.wechat)
    await tagger.drain()
    person_id = await county.does(lambda turn: _person(turn, "officer").id)
    await phone.unfollow()
    assert phone.user.tags == []
    assert await tagger.drain() == 0
    await phone.follow()
    assert seen(county, phone) == ours(Role.CITIZEN)
    code = await county.does(lambda turn: binding.invite(turn, turn.session.get_one(Person, person_id)))
    await phone.say(f"绑定 {code}")
    assert await tagger.drain() == 1
    assert seen(county, phone) == ours(Role.VILLAGE_CHILD_OFFICER)


async def test_one_whom_the_platform_does_not_know_as_a_follower_keeps_nobody_else_waiting(county: Town) -> None:
    tagger = tagger_of(county)
    county.platform.phone("o-duty").user.following = False  # the event did not get through
    assert await tagger.drain() == 3
    assert await tag_of(county, "teacher") == [Role.MANDATED_REPORTER]
    asked = len(county.platform.world.log.after(0))
    assert await tagger.drain() == 0
    assert len(county.platform.world.log.after(0)) == asked, "nobody is asked about again in vain"
    await give(county, "duty", Role.COUNTY_SUPERVISOR)
    county.platform.phone("o-duty").user.following = True
    assert await tagger.drain() == 1
    assert await tag_of(county, "duty") == [Role.COUNTY_SUPERVISOR]


async def test_whom_the_platform_did_not_know_is_asked_about_again_after_an_hour(county: Town) -> None:
    tagger = tagger_of(county)
    county.platform.phone("o-duty").user.following = False  # the platform was behind
    assert await tagger.drain() == 3
    county.platform.phone("o-duty").user.following = True
    assert await tagger.drain() == 0
    await county.advance(3600)
    assert await tagger.drain() == 1
    assert await tag_of(county, "duty") == [Role.TOWNSHIP_CHILD_SUPERVISOR]


@pytest.mark.parametrize("code", [50001, 50002, 45059, 43019, 99999])
async def test_whatever_the_platform_has_against_one_person_is_no_reason_to_leave_out_the_others(
    county: Town, code: int
) -> None:
    tagger = tagger_of(county)
    refuse(county, code)
    assert await tagger.drain() == 3
    asked = len(county.platform.world.log.after(0))
    assert await tagger.drain() == 0
    assert len(county.platform.world.log.after(0)) == asked, "nobody is asked about again in vain"
    await county.advance(3600)
    assert await tagger.drain() == 1


@pytest.mark.parametrize("code", [-1, 45009, 48001])
async def test_a_platform_that_refuses_everybody_is_asked_again_later_each_time(county: Town, code: int) -> None:
    tagger = tagger_of(county)
    refuse(county, code, times=2)
    assert await tagger.drain() == 0
    calls_made = len(county.platform.world.log.after(0))
    assert await tagger.drain() == 0
    assert len(county.platform.world.log.after(0)) == calls_made
    await county.advance(10)
    assert await tagger.drain() == 0, "asked, and refused once more"
    await county.advance(10)
    assert await tagger.drain() == 0
    await county.advance(10)
    assert await tagger.drain() == 4
    assert await tagger.drain() == 0


def refuse(county: Town, code: int, times: int = 1) -> None:
    """Let the next calls that put a tag on somebody be refused."""
    fault = {"path": "/cgi-bin/tags/members/batchtagging", "kind": "errcode", "errcode": code, "times": times}
    county.platform.world.faults.change({"api": [fault]}, county.platform.world.clock.now())


async def test_tags_are_told_on_both_databases_and_again_when_one_was_deleted_in_the_console(
    databases: Databases, tmp_path: Path
) -> None:
    async with town(databases.fresh(), tmp_path) as county:
        tagger, wechat = tagger_of(county), county.bot.wechat
        await push_menus(wechat)
        assert await tagger.drain() == 4
        assert await tag_of(county, "duty") == [Role.TOWNSHIP_CHILD_SUPERVISOR]
        first = (await wechat.tags())[Role.TOWNSHIP_CHILD_SUPERVISOR]
        told = await county.does(lambda turn: {one.tag for one in turn.session.query(Contact)})
        assert str(first) in told
        await wechat.client.tag.delete(first)
        await push_menus(wechat)
        assert (await wechat.tags())[Role.TOWNSHIP_CHILD_SUPERVISOR] != first
        assert await tag_of(county, "duty") == []
        await county.advance(3600)
        assert await tagger.drain() == 1
        assert await tag_of(county, "duty") == [Role.TOWNSHIP_CHILD_SUPERVISOR]
        assert seen(county, county.platform.phone("o-duty")) == ours(Role.TOWNSHIP_CHILD_SUPERVISOR)
        # One that is missing altogether is made again.
        await wechat.client.tag.delete((await wechat.tags())[Role.COUNTY_SUPERVISOR])
        await county.advance(3600)
        assert await tagger.drain() == 1
        assert await tag_of(county, "county") == [Role.COUNTY_SUPERVISOR]


async def test_a_note_by_name_of_an_earlier_version_is_put_right_once(county: Town) -> None:
    tagger = tagger_of(county)
    await tagger.drain()

    def as_before(turn: Turn) -> None:
        for one in turn.session.query(Contact).filter(Contact.tag.is_not(None)):
            one.tag = {str(number): name for name, number in tags.items()}[one.tag or ""]
        posts.end_roles(turn.connection, _person(turn, "teacher").id, turn.now)

    tags = await county.bot.wechat.tags()
    await county.does(as_before)
    assert await tagger.drain() == 4
    assert await tagger.drain() == 0
    assert await tag_of(county, "teacher") == []
    assert await tag_of(county, "duty") == [Role.TOWNSHIP_CHILD_SUPERVISOR]


async def test_whose_phone_is_unbound_wears_no_tag_any_more(county: Town) -> None:
    tagger = tagger_of(county)
    await push_menus(county.bot.wechat)
    await tagger.drain()
    await county.does(lambda turn: binding.unbind(turn, _person(turn, "duty")))
    assert await tagger.drain() == 1
    assert await tag_of(county, "duty") == []
    assert seen(county, county.platform.phone("o-duty")) == ours(Role.CITIZEN)


async def test_an_account_without_tags_gets_one_menu_for_all_and_one_without_menus_none(
    sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    async with town(sqlite_databases.fresh(), tmp_path, kind="unverified-service") as county:
        assert await push_menus(county.bot.wechat) == [(DEFAULT, "added")]
        assert await push_menus(county.bot.wechat) == []
        assert await tagger_of(county).drain() == 0
        assert seen(county, county.platform.phone("o-duty")) == ours(Role.CITIZEN)
