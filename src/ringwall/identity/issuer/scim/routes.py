"""The routes of SCIM: operations of the administration's table, behind the same questions."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.administration.actor import Actor, Actors
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.routes import Asked, Handler, routes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.scim.answers import refused
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.identity.issuer.scim.endpoints import ScimEndpoints
from ringwall.model.administration import BY_NAME


def scim_routes(context: IssuerContext, *, actors: Actors, authority: Authority, escalation: Escalation) -> list[Route]:
    """Return the routes, below the issuer's URL."""

    def handler(method: Callable[[Request, Caller], Awaitable[Response]]) -> Handler:
        async def handle(asked: Asked) -> Response:
            return await method(asked.request, caller_of(asked.actor, context.directory.current()))

        return handle

    endpoints = ScimEndpoints(context, escalation)
    methods = {
        "scim.config": endpoints.config,
        "scim.resource-types": endpoints.resource_types,
        "scim.resource-type": endpoints.resource_type,
        "scim.schemas": endpoints.schemas,
        "scim.schema": endpoints.schema,
        "scim.search": endpoints.search,
        "scim.bulk": endpoints.bulk,
        "scim.me": endpoints.me,
        "scim.users.list": endpoints.list_users,
        "scim.users.search": endpoints.search_users,
        "scim.users.create": endpoints.create_user,
        "scim.users.read": endpoints.read_user,
        "scim.users.replace": endpoints.replace_user,
        "scim.users.change": endpoints.change_user,
        "scim.users.delete": endpoints.delete_user,
        "scim.groups.list": endpoints.list_groups,
        "scim.groups.search": endpoints.search_groups,
        "scim.groups.create": endpoints.create_group,
        "scim.groups.read": endpoints.read_group,
        "scim.groups.replace": endpoints.replace_group,
        "scim.groups.change": endpoints.change_group,
        "scim.groups.delete": endpoints.delete_group,
    }
    handlers = {name: handler(method) for name, method in methods.items()}
    ours = [BY_NAME[name] for name in handlers]
    return routes(ours, handlers.__getitem__, actors=actors, authority=authority, refused=refused)


def caller_of(actor: Actor, directory: Directory) -> Caller:
    """Return who provisions: a client in its own name, or a person with whichever client they use."""
    client = str((actor.claims or {}).get("client_id", ""))
    return Caller(
        actor=actor,
        client=client,
        machine=client == actor.name and client in directory.clients,
        roles=frozenset(actor.roles).union(*(directory.includes.get(role, frozenset()) for role in actor.roles)),
        known=directory.roles,
    )
