"""The endpoints of SCIM 2.0 (RFC 7644, table 2). Who may ask which is said by policies, before anything here runs."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import read_body
from ringwall.identity.issuer.scim.answers import answered, listed_answer, told
from ringwall.identity.issuer.scim.attributes import GROUP_TYPE, ResourceType
from ringwall.identity.issuer.scim.bulk import Bulk, bulk_request
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.identity.issuer.scim.discovery import MAX_BODY, listing, resource_types, schemas, service_provider_config
from ringwall.identity.issuer.scim.errors import ScimError, invalid_syntax
from ringwall.identity.issuer.scim.if_match import IfMatch
from ringwall.identity.issuer.scim.patch import operations, patched
from ringwall.identity.issuer.scim.projection import Projection
from ringwall.identity.issuer.scim.provisioning import Provisioning
from ringwall.identity.issuer.scim.query import SEARCH, Query, Source, find, find_in_all
from ringwall.identity.issuer.scim.values import checked_resource
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object

_MEDIA_TYPES: Final = frozenset({"application/scim+json", "application/json"})
_MAX_QUERY: Final = 8192


class ScimEndpoints:
    """What answers; one method per operation. Each is given who asks."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._all = Provisioning(context, escalation)

    # Discovery (section 4)

    async def config(self, _: Request, __: Caller) -> Response:
        """Answer with what the server can do."""
        return told(service_provider_config(self._all.base))

    async def resource_types(self, request: Request, _: Caller) -> Response:
        """Answer with the types of resources."""
        _refuse_filter(request)
        return told(listing(list(resource_types(self._all.user_type(), self._all.base).values())))

    async def resource_type(self, request: Request, _: Caller) -> Response:
        """Answer with one type."""
        return told(_one(resource_types(self._all.user_type(), self._all.base), request.path_params["name"]))

    async def schemas(self, request: Request, _: Caller) -> Response:
        """Answer with the schemas, as the plan in force makes them."""
        _refuse_filter(request)
        return told(listing(list(schemas(self._all.user_type(), self._all.base).values())))

    async def schema(self, request: Request, _: Caller) -> Response:
        """Answer with one schema."""
        return told(_one(schemas(self._all.user_type(), self._all.base), request.path_params["name"]))

    # Everything (section 3.4.2.1)

    async def search(self, request: Request, caller: Caller) -> Response:
        """Answer with users and groups, asked for in a body (section 3.4.3)."""
        body = await _search(request)
        users, groups = Query.of(body, self._all.user_type()), Query.of(body, GROUP_TYPE)
        sources: list[tuple[Query, Source]] = [
            (users, await self._all.users(caller)),
            (groups, await self._all.groups(caller, members=groups.reads("members"))),
        ]
        return listed_answer(await find_in_all(sources), users)

    async def bulk(self, request: Request, caller: Caller) -> Response:
        """Carry out several changes (section 3.7)."""
        operations, most_errors = bulk_request(await _body(request))
        return told(await Bulk(self._all, caller).carry_out(operations, most_errors=most_errors))

    async def me(self, request: Request, caller: Caller) -> Response:
        """Answer with the person who asks (section 3.11); 404 where who asks has no account."""
        projection = _projection(request, self._all.user_type())
        if caller.machine:
            raise ScimError(404, "", "a client is no user")
        return answered(await (await self._all.users(caller)).get(caller.name), projection, request)

    # Users (RFC 7643, section 4.1)

    async def list_users(self, request: Request, caller: Caller) -> Response:
        """Answer with users (section 3.4.2)."""
        query = Query.of(_parameters(request), self._all.user_type())
        return listed_answer(await find(query, await self._all.users(caller)), query)

    async def search_users(self, request: Request, caller: Caller) -> Response:
        """Answer with users, asked for in a body (section 3.4.3)."""
        query = Query.of(await _search(request), self._all.user_type())
        return listed_answer(await find(query, await self._all.users(caller)), query)

    async def create_user(self, request: Request, caller: Caller) -> Response:
        """Make a user (section 3.3)."""
        projection = _projection(request, self._all.user_type())
        given = checked_resource(await _body(request), self._all.user_type())
        return answered(await (await self._all.users(caller)).create(given), projection, request, status=201)

    async def read_user(self, request: Request, caller: Caller) -> Response:
        """Answer with one user (section 3.4.1)."""
        projection = _projection(request, self._all.user_type())
        return answered(await (await self._all.users(caller)).get(request.path_params["user"]), projection, request)

    async def replace_user(self, request: Request, caller: Caller) -> Response:
        """Replace a user (section 3.5.1)."""
        projection = _projection(request, self._all.user_type())
        given = checked_resource(await _body(request), self._all.user_type())
        users = await self._all.users(caller)
        return answered(
            await users.replace(request.path_params["user"], given, _condition(request)), projection, request
        )

    async def change_user(self, request: Request, caller: Caller) -> Response:
        """Change a user (section 3.5.2)."""
        of = self._all.user_type()
        projection = _projection(request, of)
        asked = operations(await _body(request))
        users = await self._all.users(caller)
        after = await users.patch(
            request.path_params["user"], lambda resource: patched(resource, asked, of), _condition(request)
        )
        return answered(after, projection, request)

    async def delete_user(self, request: Request, caller: Caller) -> Response:
        """Delete a user (section 3.6)."""
        await (await self._all.users(caller)).delete(request.path_params["user"], _condition(request))
        return Response(status_code=204)

    # Groups (RFC 7643, section 4.2)

    async def list_groups(self, request: Request, caller: Caller) -> Response:
        """Answer with groups (section 3.4.2)."""
        query = Query.of(_parameters(request), GROUP_TYPE)
        return listed_answer(await find(query, await self._all.groups(caller, members=query.reads("members"))), query)

    async def search_groups(self, request: Request, caller: Caller) -> Response:
        """Answer with groups, asked for in a body (section 3.4.3)."""
        query = Query.of(await _search(request), GROUP_TYPE)
        return listed_answer(await find(query, await self._all.groups(caller, members=query.reads("members"))), query)

    async def create_group(self, request: Request, caller: Caller) -> Response:
        """Make a group (section 3.3)."""
        projection = _projection(request, GROUP_TYPE)
        given = checked_resource(await _body(request), GROUP_TYPE)
        groups = await self._all.groups(caller, members=projection.shows("members"))
        return answered(await groups.create(given), projection, request, status=201)

    async def read_group(self, request: Request, caller: Caller) -> Response:
        """Answer with one group (section 3.4.1)."""
        projection = _projection(request, GROUP_TYPE)
        groups = await self._all.groups(caller, members=projection.shows("members"))
        return answered(await groups.get(request.path_params["group"]), projection, request)

    async def replace_group(self, request: Request, caller: Caller) -> Response:
        """Replace a group (section 3.5.1)."""
        projection = _projection(request, GROUP_TYPE)
        given = checked_resource(await _body(request), GROUP_TYPE)
        groups = await self._all.groups(caller, members=projection.shows("members"))
        return answered(
            await groups.replace(request.path_params["group"], given, _condition(request)), projection, request
        )

    async def change_group(self, request: Request, caller: Caller) -> Response:
        """Change a group (section 3.5.2)."""
        projection = _projection(request, GROUP_TYPE)
        asked = operations(await _body(request))
        groups = await self._all.groups(caller, members=projection.shows("members"))
        after = await groups.patch(request.path_params["group"], asked, _condition(request))
        return answered(after, projection, request)

    async def delete_group(self, request: Request, caller: Caller) -> Response:
        """Delete a group (section 3.6)."""
        await (await self._all.groups(caller, members=False)).delete(request.path_params["group"], _condition(request))
        return Response(status_code=204)


def _one(found: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in found:
        raise ScimError(404, "", f"there is no {name[:80]!r} here")
    return found[name]


def _refuse_filter(request: Request) -> None:
    """Refuse a filter, as section 4 asks, so that nobody takes all for what was filtered."""
    if "filter" in request.query_params:
        raise ScimError(403, "", "this is not filtered (RFC 7644, section 4)")


def _parameters(request: Request) -> dict[str, str]:
    if len(request.scope["query_string"]) > _MAX_QUERY:
        raise ScimError(414, "", f"the query is longer than {_MAX_QUERY} bytes")
    return dict(request.query_params)


def _projection(request: Request, of: ResourceType) -> Projection:
    asked = _parameters(request)
    return Projection.of(asked.get("attributes", "").split(","), asked.get("excludedAttributes", "").split(","), of)


def _condition(request: Request) -> IfMatch:
    return IfMatch.of(request.headers.get("if-match"))


async def _search(request: Request) -> dict[str, Any]:
    body = await _body(request)
    named = body.get("schemas")
    if not isinstance(named, list) or SEARCH not in named:
        raise invalid_syntax(f"`schemas` does not name {SEARCH}")
    return body


async def _body(request: Request) -> dict[str, Any]:
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() not in _MEDIA_TYPES:
        raise ScimError(415, "", "the content type must be application/scim+json")
    try:
        return decode_json_object(await read_body(request, MAX_BODY))
    except EncodingError as error:
        raise invalid_syntax(f"the body is {error}") from None
