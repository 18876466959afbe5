"""Every operation with what carries it out."""

from starlette.routing import Route

from ringwall.identity.issuer.administration.actor import Actors
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.roles import RoleAdministration
from ringwall.identity.issuer.administration.routes import routes
from ringwall.identity.issuer.context import IssuerContext


def administration_routes(context: IssuerContext, *, actors: Actors, authority: Authority) -> list[Route]:
    """Return the routes of the administration, below the issuer's URL or on the administration socket."""
    handlers = {**RoleAdministration(context).handlers()}
    return routes(handlers, actors=actors, authority=authority)
