"""What SCIM clients do to groups (RFC 7643, section 4.2): find, make, replace, change, delete."""

import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ringwall.identity.issuer.scim.attributes import GROUP, GROUP_TYPE
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.identity.issuer.scim.errors import ScimError, invalid_value
from ringwall.identity.issuer.scim.if_match import IfMatch
from ringwall.identity.issuer.scim.last_administrator import Guard, Spare
from ringwall.identity.issuer.scim.member_changes import MemberChanges, ids_of, split_members
from ringwall.identity.issuer.scim.patch import patched
from ringwall.identity.issuer.scim.user_provisioning import MAX_EXTERNAL_ID, MOST_FOUND
from ringwall.identity.issuer.scim.users import moment
from ringwall.identity.people.errors import AccountError, AccountTakenError, OvertakenError
from ringwall.identity.people.profile import checked_group_name
from ringwall.identity.store.groups import MAX_MEMBERS, Group

if TYPE_CHECKING:
    from ringwall.identity.people.people import People

T = TypeVar("T")
_TRIES: Final = 10
_MOST_LOADED: Final = 3 * MAX_MEMBERS
"""Members that one request reads."""


class GroupProvisioning:
    """Groups, as one caller sees and changes them.

    Args:
        services: what there is about people.
        base: URL below which the endpoints are.
        caller: who asks.
        spare: guards what takes something from accounts.
        members: whether answers hold the members.
    """

    of = GROUP_TYPE

    def __init__(self, services: "People", *, base: str, caller: Caller, spare: Spare, members: bool = True) -> None:
        self._services = services
        self._base = base
        self._caller = caller
        self._members = members
        self._guard = Guard(services, spare=spare, by=caller.name)
        self._loaded = 0

    # What `query.Source` asks for

    async def look_up(self, attribute: str, value: str) -> Sequence[dict[str, Any]] | None:
        """Return groups by an indexed attribute."""
        groups = self._services.database.groups
        found: list[Group | None]
        if attribute == "id":
            found = [await groups.get(value)]
        elif attribute == "displayName":
            try:
                found = [await groups.by_name(checked_group_name(value)[1])]
            except AccountError:
                found = []
        elif attribute == "externalId":
            ids = await self._services.database.external_ids.find(self._caller.client, value, limit=MOST_FOUND)
            found = [await groups.get(each) for each in ids]
        elif attribute == "members.value":
            account = await self._services.database.accounts.get(value)
            found = [await groups.get(each.id) for each in (account.memberships if account is not None else ())]
        else:
            return None
        return [resource for _, resource in await self._told([each for each in found if each is not None])]

    async def page(self, after: str, limit: int) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return groups that follow one, in the order of their names; fewer where they have many members."""
        return await self._told(await self._services.groups.page(after=after, limit=limit))

    async def key_at(self, place: int) -> str | None:
        """Return the key of the group at a place."""
        return await self._services.database.groups.key_at(place)

    async def count(self) -> int:
        """Return how many groups there are."""
        return await self._services.database.groups.count()

    async def _told(self, groups: Sequence[Group]) -> list[tuple[str, dict[str, Any]]]:
        called = await self._services.database.external_ids.of(self._caller.client, [each.id for each in groups])
        told: list[tuple[str, dict[str, Any]]] = []
        before = self._loaded
        for group in groups:
            if told and self._loaded - before > MAX_MEMBERS:
                break
            told.append((group.name_key, await self._resource(group, called.get(group.id, ""))))
        return told

    async def _resource(self, group: Group, external_id: str) -> dict[str, Any]:
        resource: dict[str, Any] = {
            "schemas": [GROUP],
            "id": group.id,
            "displayName": group.name,
            "meta": {
                "resourceType": "Group",
                "created": moment(group.created),
                "lastModified": moment(group.changed),
                "location": f"{self._base}/Groups/{group.id}",
                "version": _version(group, external_id),
            },
        }
        if external_id:
            resource["externalId"] = external_id
        if self._members:
            found = await self._services.database.groups.members(group.id)
            self._loaded += len(found)
            if self._loaded > _MOST_LOADED:
                raise ScimError(400, "tooMany", "these groups have too many members; exclude `members`")
            if found:
                resource["members"] = [
                    {"value": each.id, "$ref": f"{self._base}/Users/{each.id}", "type": "User"} for each in found
                ]
        return resource

    # One group

    async def get(self, identifier: str) -> dict[str, Any]:
        """Return a group (RFC 7644, section 3.4.1)."""
        return await self._resource(*await self._found(identifier))

    async def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a group (RFC 7644, section 3.3), which the caller manages, and which gives no roles."""
        name, external_id = _name(given), _external_id(given)
        members = ids_of(given.get("members"))
        await self._may_put(members, ())
        try:
            group = await self._services.groups.create(name, manager=self._caller.manager, by=self._caller.name)
        except AccountTakenError as error:
            raise ScimError(409, "uniqueness", error.message) from None
        except AccountError as error:
            raise invalid_value(error.message) from None
        if members:
            await self._put(group, MemberChanges(add=members), version=None)
        await self._services.database.external_ids.set(self._caller.client, group.id, external_id)
        return await self.get(group.id)

    async def replace(self, identifier: str, given: dict[str, Any], match: IfMatch) -> dict[str, Any]:
        """Replace a group (RFC 7644, section 3.5.1); if its version is as the request says."""

        async def once() -> dict[str, Any]:
            group, external_id = await self._found(identifier)
            wanted = _external_id(given) if "externalId" in given else external_id
            changes = MemberChanges(all=ids_of(given.get("members")))
            return await self._change(group, external_id, _name(given), wanted, changes, match)

        return await self._anew(once, match)

    async def patch(self, identifier: str, operations: list[tuple[str, str, Any]], match: IfMatch) -> dict[str, Any]:
        """Change a group (RFC 7644, section 3.5.2)."""

        async def once() -> dict[str, Any]:
            group, external_id = await self._found(identifier)
            others, changes = split_members(operations)
            before = {"displayName": group.name, **({"externalId": external_id} if external_id else {})}
            after = patched(before, others, self.of)
            return await self._change(group, external_id, _name(after), _external_id(after), changes, match)

        return await self._anew(once, match)

    async def delete(self, identifier: str, match: IfMatch) -> None:
        """Delete a group (RFC 7644, section 3.6); its members stay."""

        async def once() -> None:
            group, external_id = await self._found(identifier)
            match.check(_version(group, external_id))
            self._caller.may_change_group(group)
            there = [each.id for each in await self._services.database.groups.members(group.id)]
            await self._guard.delete_group(group, there)

        await self._anew(once, match)

    async def _anew(self, once: Callable[[], Awaitable[T]], match: IfMatch) -> T:
        """Do something; anew where others were faster, unless the request is for one version only."""
        tries = 1 if match.strict else _TRIES
        while True:
            tries -= 1
            try:
                return await once()
            except OvertakenError as error:
                if not tries:
                    raise ScimError(412, "", error.message) from None

    async def _change(  # noqa: PLR0917  # one caller for each of PUT and PATCH
        self,
        group: Group,
        external_id: str,
        name: str,
        wanted: str,
        changes: MemberChanges,
        match: IfMatch,
    ) -> dict[str, Any]:
        """Change a group: who may is asked before anything is changed; a version that is asked for holds throughout."""
        match.check(_version(group, external_id))
        if name == group.name and wanted == external_id and changes.nothing:
            return await self.get(group.id)
        self._caller.may_change_group(group)
        pinned = match.strict or bool(group.roles and (changes.all is not None or changes.remove))
        version = group.version if pinned else None
        there = [each.id for each in await self._services.database.groups.members(group.id)]
        await self._may_put(changes.add if changes.all is None else changes.all, there)
        try:
            if name != group.name:
                group = await self._services.groups.change(
                    group.id, lambda was: replace(was, name=name), by=self._caller.name, version=version
                )
                version = None if version is None else group.version
            if not changes.nothing:
                put = partial(self._put, group, changes, version=version)
                await self._guard.let_out(group, changes.leaving(there), put)
        except AccountTakenError as error:
            raise ScimError(409, "uniqueness", error.message) from None
        except OvertakenError:
            raise
        except AccountError as error:
            raise invalid_value(error.message) from None
        if wanted != external_id:
            await self._services.database.external_ids.set(self._caller.client, group.id, wanted)
        return await self.get(group.id)

    async def _put(self, group: Group, changes: MemberChanges, *, version: int | None) -> None:
        by = self._caller.name
        if changes.all is not None:
            await self._services.groups.set_members(group.id, changes.all, version=version, by=by)
        else:
            await self._services.groups.change_members(
                group.id, add=changes.add, remove=changes.remove, version=version, by=by
            )

    async def _may_put(self, wanted: Collection[str], there: Collection[str]) -> None:
        """Refuse members that there are not, and, from a program, accounts that it does not manage."""
        if len(wanted) > MAX_MEMBERS:
            raise invalid_value(f"a group has at most {MAX_MEMBERS} members")
        for identifier in set(wanted) - set(there):
            account = await self._services.database.accounts.get(identifier)
            if account is None:
                raise invalid_value(f"there is no user {identifier[:80]!r}")
            self._caller.may_put_into_groups(account)

    async def _found(self, identifier: str) -> tuple[Group, str]:
        group = await self._services.database.groups.get(identifier)
        if group is None:
            raise ScimError(404, "", f"there is no group {identifier[:80]!r}")
        called = await self._services.database.external_ids.of(self._caller.client, [group.id])
        return group, called.get(group.id, "")


def _name(given: dict[str, Any]) -> str:
    try:
        return checked_group_name(given.get("displayName") or "")[0]
    except AccountError as error:
        raise invalid_value(error.message) from None


def _external_id(given: dict[str, Any]) -> str:
    text = given.get("externalId") or ""
    if len(text) > MAX_EXTERNAL_ID:
        raise invalid_value(f"`externalId` has at most {MAX_EXTERNAL_ID} characters")
    return str(text)


def _version(group: Group, external_id: str) -> str:
    return f'W/"{group.version}-{zlib.crc32(external_id.encode()):08x}"'
