"""Several changes in one request (RFC 7644, section 3.7). Each is asked of the policies as if it came alone.

The proxies see the request as a whole, so that the issuer itself is who asks them for each operation.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.issuer.scim.answers import error_of
from ringwall.identity.issuer.scim.attributes import GROUP_TYPE
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.identity.issuer.scim.errors import ScimError, invalid_syntax, invalid_value
from ringwall.identity.issuer.scim.if_match import IfMatch
from ringwall.identity.issuer.scim.patch import operations as patch_operations
from ringwall.identity.issuer.scim.patch import patched
from ringwall.identity.issuer.scim.provisioning import PREFIX, Provisioning
from ringwall.identity.issuer.scim.values import checked_resource
from ringwall.model.errors import RingwallError

BULK_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
MAX_OPERATIONS: Final = 100
_REFERENCE: Final = "bulkId:"
_MOST_BULK_ID: Final = 128
_PATH: Final = re.compile(r"/(Users|Groups)(?:/([A-Za-z0-9._~:-]{1,160}))?")
_ACTS: Final = {"POST": "create", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of the changes.

    Attributes:
        method: POST, PUT, PATCH or DELETE.
        kind: `Users` or `Groups`.
        target: id of what is changed, or a reference to what this request makes; empty for POST.
        bulk_id: what the request calls the change; empty for nothing.
        match: the version that it is for.
        data: what is asked for.
    """

    method: str
    kind: str
    target: str
    bulk_id: str
    match: IfMatch
    data: dict[str, Any]

    @property
    def refers_to(self) -> frozenset[str]:
        """The `bulkId`s that it refers to."""
        return frozenset(_references(self.data) | _references({"value": self.target}))


def bulk_request(body: Mapping[str, Any]) -> tuple[list[Operation], int]:
    """Return the changes that a request asks for, and after how many errors to stop (0: never); ScimError."""
    members = {name.lower(): value for name, value in body.items()}
    schemas, listing, most = members.get("schemas"), members.get("operations"), members.get("failonerrors", 0)
    if not isinstance(schemas, list) or BULK_REQUEST.lower() not in [str(each).lower() for each in schemas]:
        raise invalid_syntax(f"`schemas` does not name {BULK_REQUEST}")
    if type(most) is not int or most < 0:
        raise invalid_value("`failOnErrors` is a number of errors")
    if not isinstance(listing, list) or not listing:
        raise invalid_syntax("`Operations` is a list of operations")
    if len(listing) > MAX_OPERATIONS:
        raise ScimError(413, "", f"there are more than {MAX_OPERATIONS} operations (`maxOperations`)")
    found = [_operation(each) for each in listing]
    made = [each.bulk_id for each in found if each.method == "POST"]
    if len(set(made)) < len(made):
        raise invalid_value("a `bulkId` is there twice")
    return found, most


def _operation(given: Any) -> Operation:
    if not isinstance(given, dict):
        raise invalid_syntax("an operation is an object")
    members = {name.lower(): value for name, value in given.items()}
    method, path = str(members.get("method")).upper(), members.get("path")
    bulk_id, version = members.get("bulkid") or "", members.get("version")
    if method not in _ACTS:
        raise invalid_syntax("the `method` of an operation is POST, PUT, PATCH or DELETE")
    if not isinstance(path, str) or (place := _PATH.fullmatch(path)) is None:
        raise ScimError(400, "invalidPath", "the `path` of an operation is /Users or /Groups, or of one of them")
    if (method == "POST") is (place[2] is not None):
        raise ScimError(400, "invalidPath", f"{method} is not for {path!r}")
    if not isinstance(bulk_id, str) or len(bulk_id) > _MOST_BULK_ID or (method == "POST" and not bulk_id):
        raise invalid_syntax(f"a POST has a `bulkId`, a text of at most {_MOST_BULK_ID} characters")
    if version is not None and not isinstance(version, str):
        raise invalid_syntax("`version` is an ETag")
    data = members.get("data")
    if not isinstance(data, dict) and method != "DELETE":
        raise invalid_syntax(f"a {method} has `data`, an object")
    return Operation(
        method=method,
        kind=place[1],
        target=place[2] or "",
        bulk_id=bulk_id,
        match=IfMatch.of(version),
        data=data if isinstance(data, dict) else {},
    )


def _references(value: Any) -> set[str]:
    """Return what is referred to: members `value` that are texts with the prefix (section 3.7.2)."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(_references, value.values()))
    return found | {each.removeprefix(_REFERENCE) for each in value.values() if _is_reference(each)}


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_REFERENCE)


def _resolved(value: Any, made: Mapping[str, str]) -> Any:
    """Return a value with ids in place of references; those to nothing in this request stay as they are."""
    if isinstance(value, list):
        return [_resolved(each, made) for each in value]
    if isinstance(value, dict):
        return {name: _resolved(each, made) for name, each in value.items()}
    return made.get(value.removeprefix(_REFERENCE), value) if _is_reference(value) else value


class Bulk:
    """Carries out the changes of one request, one after the other.

    What refers to something that comes later waits for it. What one change has done stays when a later one fails.
    """

    def __init__(self, provisioning: Provisioning, caller: Caller) -> None:
        self._provisioning = provisioning
        self._caller = caller
        self._made: dict[str, str] = {}

    async def carry_out(self, operations: Sequence[Operation], *, most_errors: int) -> dict[str, Any]:
        """Return the answer: what became of each change, in the order of the request."""
        told: dict[int, dict[str, Any]] = {}
        pending = dict(enumerate(operations))
        making = {each.bulk_id for each in operations if each.method == "POST"}
        powers, errors = await self._provisioning.powers(self._caller), 0
        while pending and not (most_errors and errors >= most_errors):
            ready = (n for n, each in pending.items() if not each.refers_to & making - self._made.keys())
            number = next(ready, next(iter(pending)))
            operation = pending.pop(number)
            told[number] = await self._told(operation, making, powers)
            making.discard(operation.bulk_id if operation.method == "POST" else "")
            errors += "response" in told[number]
            await asyncio.sleep(0)  # others come between
        return {"schemas": [BULK_RESPONSE], "Operations": [told[number] for number in sorted(told)]}

    async def _told(self, operation: Operation, making: set[str], powers: frozenset[str] | None) -> dict[str, Any]:
        """Carry out one change, and return what became of it."""
        told: dict[str, Any] = {"method": operation.method}
        if operation.bulk_id:
            told["bulkId"] = operation.bulk_id
        target = self._made.get(operation.target.removeprefix(_REFERENCE), operation.target)
        if target:
            told["location"] = f"{self._provisioning.base}/{operation.kind}/{target}"
        try:
            if await self._provisioning.powers(self._caller) != powers:
                raise ScimError(403, "", "what you may do was changed meanwhile; ask again")
            if operation.refers_to & making - self._made.keys():
                raise ScimError(409, "", "it refers to what could not be made, or refers back to it")
            resource = await self._do(operation, target)
        except RingwallError as error:
            refusal = error_of(error)
            return told | {"status": str(refusal.status), "response": refusal.told()}
        if resource is None:
            return told | {"status": "204"}
        if operation.method == "POST":
            self._made[operation.bulk_id] = resource["id"]
        meta = resource["meta"]
        status = "201" if operation.method == "POST" else "200"
        return told | {"location": meta["location"], "version": meta["version"], "status": status}

    async def _do(self, operation: Operation, target: str) -> dict[str, Any] | None:
        name = f"scim.{operation.kind.lower()}.{_ACTS[operation.method]}"
        path = f"{PREFIX}/{operation.kind}/{target}" if target else f"{PREFIX}/{operation.kind}"
        self._provisioning.require(self._caller, name, path)
        data, condition = _resolved(operation.data, self._made), operation.match
        of = self._provisioning.user_type() if operation.kind == "Users" else GROUP_TYPE
        users = await self._provisioning.users(self._caller)
        groups = await self._provisioning.groups(self._caller, members=False)
        resources = users if operation.kind == "Users" else groups
        match operation.method:
            case "POST":
                return await resources.create(checked_resource(data, of))
            case "PUT":
                return await resources.replace(target, checked_resource(data, of), condition)
            case "PATCH":
                asked = patch_operations(data)
                if operation.kind == "Groups":
                    return await groups.patch(target, asked, condition)
                return await users.patch(target, lambda resource: patched(resource, asked, of), condition)
            case _:
                await resources.delete(target, condition)
                return None
