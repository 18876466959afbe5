"""The administration API: its routes, for the public application and for the administration socket."""

from functools import cache
from typing import Final

from starlette.routing import Route

from ringwall.identity.issuer.administration.actor import Actors
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.routes import Handler, routes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.model.administration import OPERATIONS

PATH: Final = "/admin/"
"""Begins the paths of its operations; others of the table are carried out elsewhere."""


def administration_routes(
    context: IssuerContext, *, actors: Actors, authority: Authority, escalation: Escalation
) -> list[Route]:
    """Return the routes of the administration, below the issuer's URL or on the administration socket."""

    @cache
    def handlers() -> dict[str, Handler]:
        from ringwall.identity.issuer.administration.handlers import handlers as made  # noqa: PLC0415  # takes long

        return made(context, escalation)

    ours = [operation for operation in OPERATIONS if operation.template.startswith(PATH)]
    return routes(ours, lambda name: handlers()[name], actors=actors, authority=authority)
