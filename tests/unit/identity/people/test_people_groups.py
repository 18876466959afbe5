"""Groups give roles, and whoever loses one is signed out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.people_world import PeopleWorld, in_world

from ringwall.identity.people.errors import AccountError, AccountTakenError, OvertakenError
from ringwall.identity.people.profile import MAX_DISPLAY_NAME, Profile, checked_group_name
from ringwall.identity.store.accounts import Account


async def signed_in(world: PeopleWorld, account: Account) -> bool:
    """Tell whether the account's session, begun here at the first call, still stands; False is for good."""
    now = world.clock.now()
    return bool(await world.database.sessions.of_account(account.id, now=now))


async def sign_in(world: PeopleWorld, account: Account) -> None:
    now = world.clock.now()
    await world.database.sessions.start(account=account.id, payload={}, now=now, idle_seconds=60, final_seconds=60)


def roles(*names: str) -> Callable[[object], object]:
    return lambda was: replace(was, roles=names)  # type: ignore[type-var]  # a Group or an Account


def test_a_group_is_named_once_however_it_is_written(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        groups = world.people.groups
        made = await groups.create("  HR  Süd ", roles=["clerk", "clerk"], by="operator")
        assert (made.name, made.name_key, made.roles) == ("HR Süd", "hr süd", ("clerk",))
        assert await groups.named("hr SU\u0308D") == made
        with pytest.raises(AccountTakenError):
            await groups.create("ＨＲ süd", by="operator")  # noqa: RUF001  # full width
        for wrong in ("", " ", "a\u200bb", "a\nb\0", "x" * (MAX_DISPLAY_NAME + 1), "\u202egnp"):
            with pytest.raises(AccountError):
                await groups.create(wrong, by="operator")
        assert [group.name for group in await groups.page()] == ["HR Süd"]
        assert checked_group_name("a\nb")[0] == "a b"

    in_world(tmp_path, scenario)


def test_members_have_what_the_group_gives_and_only_losing_signs_out(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        ann, bob = await world.account("ann", roles=("clerk",)), await world.account("bob")
        groups = world.people.groups
        staff = await groups.create("staff", roles=["clerk"], by="operator")
        for each in (ann, bob):
            await sign_in(world, each)
        await groups.change_members(staff.id, add=[ann.id, bob.id], by="operator")
        assert (await world.people.accounts.get(bob.id)).effective_roles == ("clerk",)
        await groups.change(staff.id, roles("clerk", "nurse"), by="operator")  # type: ignore[arg-type]
        assert await signed_in(world, ann)
        assert await signed_in(world, bob)
        await groups.change(staff.id, roles("nurse"), by="operator")  # type: ignore[arg-type]
        assert await signed_in(world, ann)  # a clerk without the group, too
        assert not await signed_in(world, bob)
        revoked = await world.database.revocations.find("account", bob.id, now=world.clock.now())
        assert revoked is not None

    in_world(tmp_path, scenario)


def test_whoever_is_taken_out_is_signed_out_and_the_others_are_not(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        ann, bob = await world.account("ann"), await world.account("bob")
        groups = world.people.groups
        staff = await groups.create("staff", by="operator")
        await groups.set_members(staff.id, [ann.id, bob.id], by="operator")
        for each in (ann, bob):
            await sign_in(world, each)
        await groups.set_members(staff.id, [bob.id], by="operator")
        assert not await signed_in(world, ann)
        assert await signed_in(world, bob)
        await groups.delete(staff.id, by="operator")
        assert not await signed_in(world, bob)
        assert (await world.people.accounts.get(bob.id)).memberships == ()
        assert (await world.event_kinds(ann.id))[-2:] == ["group-joined", "group-left"]
        assert await world.event_kinds(staff.id) == [
            "group-created",
            "group-members-changed",
            "group-members-changed",
            "group-deleted",
        ]

    in_world(tmp_path, scenario)


def test_an_account_that_loses_a_role_is_signed_out_unless_a_group_gives_it(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        ann = await world.account("ann", roles=("clerk", "nurse"))
        staff = await world.people.groups.create("staff", roles=["nurse"], by="operator")
        await world.people.groups.change_members(staff.id, add=[ann.id], by="operator")
        await sign_in(world, ann)
        await world.people.accounts.change(ann.id, roles("clerk"), by="operator")  # type: ignore[arg-type]
        assert await signed_in(world, ann)
        await world.people.accounts.change(ann.id, roles(), by="operator")  # type: ignore[arg-type]
        assert not await signed_in(world, ann)

    in_world(tmp_path, scenario)


def test_what_others_have_changed_is_not_overwritten(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        groups = world.people.groups
        ann = await world.account("ann")
        staff = await groups.create("staff", by="operator")
        await groups.create("night", by="operator")
        await groups.change_members(staff.id, add=[ann.id], version=staff.version, by="operator")
        for attempt in (
            groups.change_members(staff.id, remove=[ann.id], version=staff.version, by="operator"),
            groups.set_members(staff.id, [], version=staff.version, by="operator"),
            groups.change(staff.id, roles("clerk"), version=staff.version, by="operator"),  # type: ignore[arg-type]
            groups.delete(staff.id, version=staff.version, by="operator"),
            world.people.accounts.change(ann.id, roles("clerk"), version=ann.version + 1, by="operator"),  # type: ignore[arg-type]
        ):
            with pytest.raises(OvertakenError):
                await attempt
        assert await world.database.groups.size(staff.id) == 1
        with pytest.raises(AccountTakenError):
            await groups.change(staff.id, lambda was: replace(was, name="NIGHT"), by="operator")
        for nowhere in (
            groups.get("none"),
            groups.named("none"),
            groups.delete("none", by="operator"),
            groups.change_members("none", by="operator"),
            groups.change_members(staff.id, add=["none"], by="operator"),
        ):
            with pytest.raises(AccountError):
                await nowhere

    in_world(tmp_path, scenario)


def test_a_new_account_joins_the_groups_that_there_are(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        await world.people.groups.create("Staff", by="operator")
        made = await world.people.accounts.create(
            Profile.checked(user_name="ann", groups=("staff", "gone")), by="operator"
        )
        assert made.groups == ("Staff",)
        imported = Profile.checked(user_name="bob", groups=("staff", "ward/7"))
        await world.people.importer.add(imported, by="operator", disabled=True)
        bob = await world.people.accounts.named("bob")
        assert (bob.groups, bob.disabled) == (("Staff", "ward/7"), world.clock.now())

    in_world(tmp_path, scenario)
