import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.people_world import PeopleWorld, in_world

from ringwall.identity.people.accounts import with_profile
from ringwall.identity.people.endings import Ended
from ringwall.identity.people.errors import AccountError, UserNameError
from ringwall.identity.people.profile import Profile
from ringwall.identity.store.accounts import Account


async def session(world: PeopleWorld, account: Account) -> str:
    now = world.clock.now()
    _, begun = await world.database.sessions.start(
        account=account.id, payload={}, now=now, idle_seconds=60, final_seconds=60
    )
    await world.database.families.start(
        family=f"f-{begun.id}",
        client="app",
        account=account.id,
        session=begun.id,
        payload={},
        now=now,
        idle_seconds=60,
        final_seconds=60,
    )
    return begun.id


def test_an_account_is_made_once_for_each_name_however_it_is_written(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        made = await world.account("Alice", display_name="Alice M.", email="Alice@Example.org", roles=("nurse",))
        assert (made.user_name, made.name_key, made.email, made.email_key) == (
            "Alice",
            "alice",
            "Alice@Example.org",
            "alice@example.org",
        )
        assert await world.people.accounts.named(" ALICE ") == await world.people.accounts.get(made.id)
        with pytest.raises(AccountError, match="already"):
            await world.account("ａｌｉｃｅ")  # noqa: RUF001  # full width
        assert (await world.event_kinds())[0] == "account-created"

    in_world(tmp_path, scenario)


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        accounts = world.people.accounts
        for attempt in (
            accounts.get("x"),
            accounts.named("nobody"),
            accounts.disable("x", by="operator"),
            accounts.enable("x", by="operator"),
            accounts.delete("x", by="operator"),
            accounts.end_sessions("x", by="operator"),
            accounts.change("x", lambda account: account, by="operator"),
        ):
            with pytest.raises(AccountError):
                await attempt
        with pytest.raises(UserNameError):
            await accounts.named("")
        assert await world.event_kinds() == []

    in_world(tmp_path, scenario)


def test_a_change_is_noted_with_what_is_new(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        made = await world.account(roles=("nurse", "clerk"), attributes={"ward": "7"})
        profile = Profile.checked(
            user_name="alicia", display_name="Alicia", roles=("nurse", "doctor"), attributes={"ward": "8"}
        )
        after = await world.people.accounts.change(made.id, lambda was: with_profile(was, profile), by="operator")
        assert (after.name_key, after.roles, dict(after.attributes)) == ("alicia", ("doctor", "nurse"), {"ward": "8"})
        (event,) = await world.database.events.page(limit=1)
        assert event.payload == {
            "user_name": "alicia",
            "display_name": "Alicia",
            "roles": {"given": ["doctor"], "taken": ["clerk"]},
            "attributes": ["ward"],
        }
        before = await world.event_kinds()
        await world.people.accounts.change(made.id, lambda was: was, by="operator")
        assert await world.event_kinds() == before

    in_world(tmp_path, scenario)


def test_changes_at_once_all_take_effect(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> tuple[str, ...]:
        made = await world.account()

        async def give(role: str) -> None:
            await world.people.accounts.change(
                made.id, lambda was: replace(was, roles=tuple(sorted({*was.roles, role}))), by="operator"
            )

        await asyncio.gather(*(give(f"r{number}") for number in range(5)))
        return (await world.people.accounts.get(made.id)).roles

    assert in_world(tmp_path, scenario) == ("r0", "r1", "r2", "r3", "r4")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        await world.account("bob")
        made = await world.account()
        with pytest.raises(AccountError, match="already"):
            await world.people.accounts.change(
                made.id, lambda was: with_profile(was, Profile.checked(user_name="Bob")), by="operator"
            )

    in_world(tmp_path, scenario)


@pytest.mark.parametrize("do", ["disable", "delete", "end"])
def test_what_was_begun_with_an_account_ends_with_it(tmp_path: Path, do: str) -> None:
    async def scenario(world: PeopleWorld) -> None:
        alice, bob = await world.account(), await world.account("bob")
        sessions = [await session(world, alice), await session(world, alice)]
        others = await session(world, bob)
        accounts = world.people.accounts
        ending = {"disable": accounts.disable, "delete": accounts.delete, "end": accounts.end_sessions}[do]
        families = await world.database.families.of_account(alice.id, now=world.clock.now())
        assert await ending(alice.id, by="operator") == Ended(sessions=2, families=2)
        now = world.clock.now()
        assert await world.database.sessions.of_account(alice.id, now=now) == ()
        assert await world.database.families.of_account(alice.id, now=now) == ()
        assert [each.id for each in await world.database.sessions.of_account(bob.id, now=now)] == [others]
        assert await world.database.families.of_account(bob.id, now=now)
        revoked = await world.database.revocations.find("account", alice.id, now=now + 900)
        assert revoked is not None
        assert revoked.revoked == now
        for family in families:  # `iat` counts whole seconds, and a token may be of this very one
            assert await world.database.revocations.find("family", family.id, now=now) is not None
        assert len(sessions) == len(families) == 2

    in_world(tmp_path, scenario)


def test_one_session_can_be_spared(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        alice = await world.account()
        await world.database.revocations.sweep(now=world.clock.now() + 9999)
        mine, other = await session(world, alice), await session(world, alice)
        ended = await world.people.accounts.end_sessions(alice.id, by=alice.id, spared=mine)
        now = world.clock.now()
        assert ended == Ended(1, 1)
        assert [each.id for each in await world.database.sessions.of_account(alice.id, now=now)] == [mine]
        assert [each.session for each in await world.database.families.of_account(alice.id, now=now)] == [mine]
        assert await world.database.revocations.find("session", other, now=now)
        assert await world.database.revocations.find("account", alice.id, now=now) is None

    in_world(tmp_path, scenario)


def test_an_account_is_disabled_and_enabled(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        made = await world.account()
        await world.people.accounts.disable(made.id, by="operator", reason="left")
        assert (await world.people.accounts.get(made.id)).disabled == world.clock.now()
        await world.people.accounts.enable(made.id, by="operator")
        assert (await world.people.accounts.get(made.id)).disabled is None
        assert (await world.event_kinds())[-2:] == ["account-disabled", "account-enabled"]

    in_world(tmp_path, scenario)


def test_a_deleted_account_leaves_its_name_but_not_its_id(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        made = await world.account()
        await world.people.accounts.delete(made.id, by="operator")
        assert await world.database.passwords.get(made.id) is None
        again = await world.account()
        assert again.id != made.id
        assert "account-deleted" in await world.event_kinds(made.id)

    in_world(tmp_path, scenario)


def test_accounts_come_in_pages(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        for name in ("carol", "Alice", "bob"):
            await world.account(name, password=None)
        first = await world.people.accounts.page(limit=2)
        rest = await world.people.accounts.page(after=first[-1].name_key, limit=2)
        assert [each.user_name for each in (*first, *rest)] == ["Alice", "bob", "carol"]

    in_world(tmp_path, scenario)
