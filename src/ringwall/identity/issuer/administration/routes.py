"""The administration's routes: those of the table and no other, each behind the same questions."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.administration.actor import Actor, Actors
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.problems import ProblemError, missing, problem_of
from ringwall.identity.issuer.request import sent_path
from ringwall.model.administration import CLOSED, AdminOperation
from ringwall.model.errors import RingwallError
from ringwall.model.route import matches, takes

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that somebody may make.

    Attributes:
        request: the request.
        actor: who makes it.
        operation: what it is.
    """

    request: Request
    actor: Actor
    operation: AdminOperation

    def named(self, parameter: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[parameter])


Handler = Callable[[Asked], Awaitable[Response]]


Refusal = Callable[[RingwallError], Response]


def routes(
    operations: Sequence[AdminOperation],
    handler_of: Callable[[str], Handler],
    *,
    actors: Actors,
    authority: Authority,
    refused: Refusal = problem_of,
) -> list[Route]:
    """Return the routes of operations, whose handlers are asked for when first needed, and what refuses the rest.

    For each request: 1. who asks; 2. the path means to the policies what it means to the router; 3. the policies let
    them. Only then is anything of it read.
    """

    def guarded(operation: AdminOperation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                actor = await actors.of(request)  # 1
                path = sent_path(request)
                if not matches(operation.template, path) or not takes(operation.method, request.method):  # 2
                    raise missing("operation")
                authority.require(actor, operation.name, path)  # 3
                return await handler_of(operation.name)(Asked(request=request, actor=actor, operation=operation))
            except RingwallError as error:
                return refused(error)

        return endpoint

    made = [Route(o.template, guarded(o), methods=[o.method]) for o in operations]
    return [*made, *_nothing_else(made, refused)]


def _nothing_else(made: Iterable[Route], refused: Refusal) -> Iterable[Route]:
    made = list(made)

    async def nothing(request: Request) -> Response:
        path = sent_path(request)
        methods = sorted({m for route in made if matches(route.path, path) for m in route.methods or ()})
        if methods and request.method not in methods:
            allow = {"allow": ", ".join(methods)}
            return refused(ProblemError(405, "method-not-allowed", "not by this method", headers=allow))
        return refused(missing("operation"))

    taken = {f"/{route.path.split('/')[1]}" for route in made}
    for path in CLOSED:
        if path in taken:
            yield Route(f"{path}/{{rest:path}}", nothing, methods=list(_METHODS))
