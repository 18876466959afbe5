"""The public application: every endpoint, client authentication method and grant that exists, in one place."""

from starlette.applications import Starlette
from starlette.routing import Route

from ringwall.identity.issuer.answers import HANDLERS
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.clients.public import PublicMethod
from ringwall.identity.issuer.clients.secret import SecretMethod
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.client_credentials import ClientCredentialsGrant
from ringwall.identity.issuer.grants.grant import Grant
from ringwall.identity.issuer.oauth.jwks import JwksEndpoint
from ringwall.identity.issuer.oauth.metadata import MetadataEndpoint
from ringwall.identity.issuer.oauth.token import TokenEndpoint
from ringwall.identity.issuer.throttle import Throttle


def create_app(context: IssuerContext) -> Starlette:
    """Return the public application, as the edge exposes it under the path of the issuer's URL."""
    clients = ClientAuthenticator(
        [
            SecretMethod(directory=context.directory, secrets=context.secrets, throttle=Throttle(context.clock)),
            PublicMethod(context.directory),
        ]
    )
    grants: list[Grant] = [ClientCredentialsGrant(context)]
    metadata = MetadataEndpoint(context, client_methods=clients.names, grants=[grant.name for grant in grants])
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", metadata.get, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", metadata.get, methods=["GET"]),
            Route("/jwks", JwksEndpoint(context).get, methods=["GET"]),
            Route("/token", TokenEndpoint(clients=clients, grants=grants).post, methods=["POST"]),
        ],
        exception_handlers=HANDLERS,
    )
