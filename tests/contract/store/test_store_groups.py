"""Groups, their members, and what clients call them."""

import asyncio
import json
from dataclasses import replace

import pytest

from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.driver import LOT_SIZE
from ringwall.identity.store.errors import ConflictError
from ringwall.identity.store.groups import MAX_GROUPS, Group, MembersRefusedError
from ringwall.identity.store.holders import Membership

NOW = 1_700_000_000.0


async def account(database: Database, name: str) -> Account:
    return await database.accounts.create(name_key=name, user_name=name, now=NOW)


async def group(database: Database, name: str, *members: str, roles: tuple[str, ...] = ()) -> Group:
    made = await database.groups.create(name_key=name.casefold(), name=name, roles=roles, now=NOW)
    changed = await database.groups.change_members(made.id, add=members, now=NOW)
    assert changed is not None
    return changed.group


def test_a_group_is_found_by_id_and_name_and_changed_only_over_what_was_read(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            groups = database.groups
            made = await groups.create(name_key="staff", name="Staff", roles=("clerk",), manager="hr", now=NOW)
            assert (made.roles, made.manager, made.version, made.created) == (("clerk",), "hr", 1, NOW)
            assert await groups.get(made.id) == await groups.by_name("staff") == made
            assert await groups.by_name("Staff") is None
            with pytest.raises(ConflictError):
                await groups.create(name_key="staff", name="STAFF", now=NOW)
            other = await groups.create(name_key="other", name="Other", now=NOW)
            changed = await groups.update(replace(made, roles=(), name="All", name_key="all"), now=NOW + 1)
            assert (changed.version, changed.changed, changed.name) == (2, NOW + 1, "All")
            for wrong in (made, replace(changed, name_key="other")):
                with pytest.raises(ConflictError):
                    await groups.update(wrong, now=NOW + 2)
            assert await groups.page() == (changed, other)
            assert await groups.page(after="all", limit=1) == (other,)

    asyncio.run(body())


def test_an_account_says_which_groups_it_is_in_and_what_they_give(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            ann = await database.accounts.create(name_key="ann", user_name="ann", roles=("clerk",), now=NOW)
            bob = await account(database, "bob")
            staff = await group(database, "Staff", ann.id, bob.id, roles=("nurse", "clerk"))
            night = await group(database, 'Night "7" ü', ann.id)
            found = await database.accounts.get(ann.id)
            assert found is not None
            assert found.memberships == (
                Membership(name='Night "7" ü', id=night.id),
                Membership(name="Staff", id=staff.id, roles=("nurse", "clerk")),
            )
            assert (found.groups, found.effective_roles) == (('Night "7" ü', "Staff"), ("clerk", "nurse"))
            assert await database.accounts.by_name("ann") == found == (await database.accounts.page())[0]
            stored = await database.accounts.update(replace(found, roles=()), now=NOW)
            assert stored.effective_roles == ("clerk", "nurse")
            assert [member.user_name for member in await database.groups.members(staff.id)] == [
                member.user_name for member in sorted((ann, bob), key=lambda each: each.id)
            ]
            assert await database.groups.size(staff.id) == 2

    asyncio.run(body())


def test_members_come_and_go_together_or_not_at_all(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            people = [(await account(database, f"a{number}")).id for number in range(LOT_SIZE * 2 + 3)]
            staff = await group(database, "staff")
            changed = await database.groups.set_members(staff.id, people, now=NOW + 1, version=staff.version)
            assert changed is not None
            assert (set(changed.added), changed.removed) == (set(people), ())
            assert (changed.group.version, changed.group.changed) == (staff.version + 1, NOW + 1)
            again = await database.groups.change_members(staff.id, add=people[:3], remove=["none"], now=NOW)
            assert again is not None
            assert (again.added, again.removed) == ((), ())
            with pytest.raises(MembersRefusedError, match="'none'"):
                await database.groups.change_members(staff.id, remove=people[:9], add=["none"], now=NOW)
            assert await database.groups.size(staff.id) == len(people)
            with pytest.raises(ConflictError):
                await database.groups.set_members(staff.id, [], now=NOW, version=staff.version)
            fewer = await database.groups.set_members(staff.id, people[:2], now=NOW)
            assert fewer is not None
            assert set(fewer.removed) == set(people[2:])
            assert await database.groups.change_members("none", add=people[:1], now=NOW) is None

    asyncio.run(body())


def test_an_account_is_in_so_many_groups_at_most(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            ann = await account(database, "ann")
            for number in range(MAX_GROUPS):
                await group(database, f"g{number}", ann.id)
            last = await group(database, "last")
            with pytest.raises(MembersRefusedError):
                await database.groups.change_members(last.id, add=[ann.id], now=NOW)
            assert await database.groups.size(last.id) == 0

    asyncio.run(body())


def test_with_a_group_or_an_account_go_its_memberships_and_its_external_ids(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            ann, bob = await account(database, "ann"), await account(database, "bob")
            staff, night = await group(database, "staff", ann.id, bob.id), await group(database, "night", ann.id)
            for subject in (ann.id, staff.id, bob.id):
                await database.external_ids.set("hr", subject, "x")
            assert await database.accounts.delete(ann.id, now=NOW)
            left = await database.groups.get(night.id)
            assert left is not None
            assert left.version == night.version + 1
            assert await database.groups.size(night.id) == 0
            assert await database.groups.delete(staff.id, now=NOW) == (bob.id,)
            assert await database.groups.delete(staff.id, now=NOW) is None
            assert await database.groups.get(staff.id) is None
            found = await database.accounts.get(bob.id)
            assert found is not None
            assert found.memberships == ()
            assert await database.external_ids.find("hr", "x", limit=9) == (bob.id,)

    asyncio.run(body())


def test_external_ids_are_each_clients_own(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            ids = database.external_ids
            many = [f"s{number:03}" for number in range(LOT_SIZE + 1)]
            for subject in many:
                await ids.set("hr", subject, "42")
            await ids.set("hr", "s000", "43")
            await ids.set("crm", "s001", "42")
            assert await ids.of("hr", many) == {**dict.fromkeys(many, "42"), "s000": "43"}
            assert await ids.of("crm", many) == {"s001": "42"}
            assert await ids.find("crm", "43", limit=2) == ()
            assert await ids.find("hr", "42", limit=99) == tuple(many[1:])
            assert len(await ids.find("hr", "42", limit=2)) == 2
            await ids.set("hr", "s000", "")
            assert await ids.of("hr", ["s000"]) == {}
            assert await ids.of("hr", []) == {}

    asyncio.run(body())


def test_changes_of_a_group_at_once_all_take_effect(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as one, await Database.open(url) as other:
            people = [(await account(one, f"a{number}")).id for number in range(20)]
            staff = await group(one, "staff")
            await asyncio.gather(
                *(
                    (one, other)[number % 2].groups.change_members(staff.id, add=[person], now=NOW)
                    for number, person in enumerate(people)
                )
            )
            found = await other.groups.get(staff.id)
            assert found is not None
            assert found.version == staff.version + len(people)
            assert await other.groups.size(staff.id) == len(people)
            outcomes = await asyncio.gather(
                *(
                    each.groups.set_members(staff.id, people[:1], now=NOW, version=found.version)
                    for each in (one, other)
                ),
                return_exceptions=True,
            )
            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError", "MembersChanged"]

    asyncio.run(body())


def test_profiles_and_managers_are_kept(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            profile = {"name": {"familyName": "Ö"}, "emails": [{"value": "a@b.c"}]}
            made = await database.accounts.create(
                name_key="ann", user_name="ann", profile=profile, manager="hr", disabled=NOW, now=NOW
            )
            assert (json.loads(json.dumps(made.profile)), made.manager, made.disabled) == (profile, "hr", NOW)
            assert await database.accounts.get(made.id) == made

    asyncio.run(body())
