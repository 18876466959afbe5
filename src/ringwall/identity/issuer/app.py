"""The public application: every endpoint, client authentication method and grant that exists, in one place."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.account.door import Door
from ringwall.identity.issuer.account.providers import AccountProviders
from ringwall.identity.issuer.account.routes import account_routes
from ringwall.identity.issuer.administration.actor import TokenHolders
from ringwall.identity.issuer.administration.api import administration_routes
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.answers import HANDLERS
from ringwall.identity.issuer.browser_sessions import BrowserSessions
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.clients.mutual_tls import MutualTlsMethod
from ringwall.identity.issuer.clients.private_key_jwt import PrivateKeyMethod
from ringwall.identity.issuer.clients.public import PublicMethod
from ringwall.identity.issuer.clients.secret import SecretMethod
from ringwall.identity.issuer.clients.workload import WorkloadMethod
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.dpop.proofs import ProofTaker
from ringwall.identity.issuer.grants.authorization_code import AuthorizationCodeGrant
from ringwall.identity.issuer.grants.client_credentials import ClientCredentialsGrant
from ringwall.identity.issuer.grants.device_code import DeviceCodeGrant
from ringwall.identity.issuer.grants.grant import Grant
from ringwall.identity.issuer.grants.refresh_token import RefreshTokenGrant
from ringwall.identity.issuer.grants.token_exchange import TokenExchangeGrant
from ringwall.identity.issuer.invitation import InvitationEndpoint
from ringwall.identity.issuer.oauth.assets import Assets
from ringwall.identity.issuer.oauth.authorize import AuthorizeEndpoint
from ringwall.identity.issuer.oauth.consent import ConsentEndpoint
from ringwall.identity.issuer.oauth.cors import BrowserClientOrigins
from ringwall.identity.issuer.oauth.device_authorization import DeviceAuthorizationEndpoint
from ringwall.identity.issuer.oauth.device_page import DevicePage
from ringwall.identity.issuer.oauth.edge_session import EdgeSessionEndpoint
from ringwall.identity.issuer.oauth.end_session import EndSessionEndpoint
from ringwall.identity.issuer.oauth.introspect import IntrospectEndpoint
from ringwall.identity.issuer.oauth.jwks import JwksEndpoint
from ringwall.identity.issuer.oauth.kept_requests import KeptRequests
from ringwall.identity.issuer.oauth.login import LoginEndpoint
from ringwall.identity.issuer.oauth.metadata import MetadataEndpoint
from ringwall.identity.issuer.oauth.par import ParEndpoint
from ringwall.identity.issuer.oauth.register import RegisterEndpoint
from ringwall.identity.issuer.oauth.revoke import RevokeEndpoint
from ringwall.identity.issuer.oauth.sign_in_page import SignInPage
from ringwall.identity.issuer.oauth.token import TokenEndpoint
from ringwall.identity.issuer.oauth.userinfo import UserinfoEndpoint
from ringwall.identity.issuer.pages.errors import ErrorPages
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.scim.routes import scim_routes
from ringwall.identity.issuer.services import Services
from ringwall.identity.issuer.standing import Standing
from ringwall.identity.issuer.throttle import Throttle
from ringwall.identity.issuer.upstream_departures import Departures
from ringwall.identity.issuer.upstream_endings import UpstreamEndings
from ringwall.identity.issuer.upstream_sign_in import UpstreamSignIn
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut
from ringwall.identity.issuer.upstream_sources import UpstreamSources
from ringwall.model.route import ISSUER_HEALTH
from ringwall.plan.store import PlanStore


def create_app(context: IssuerContext) -> Starlette:
    """Return the public application, as the edge exposes it under the path of the issuer's URL."""
    directory, clock = context.directory, context.clock
    standing = Standing(context)
    throttle = Throttle(storage=context.storage, keystore=context.keystore, clock=clock)
    services = Services(PlanStore(context.settings.plan_folder))
    clients = ClientAuthenticator(
        [
            SecretMethod(context, throttle),
            PrivateKeyMethod(context),
            MutualTlsMethod(context),
            WorkloadMethod(context, services),
        ],
        public=PublicMethod(context),
        revoked=standing.client_revoked,
    )
    grants: list[Grant] = [
        ClientCredentialsGrant(context),
        AuthorizationCodeGrant(context),
        RefreshTokenGrant(context),
        TokenExchangeGrant(context, services=services, standing=standing),
        DeviceCodeGrant(context),
    ]
    app = Starlette(
        routes=[
            *_for_machines(context, clients, grants),
            *_about_tokens(context, clients, standing),
            *_for_people(context),
            *_for_administrators(context),
        ],
        middleware=[Middleware(BrowserClientOrigins, directory=directory)],
        exception_handlers=ErrorPages(Pages(directory)).over(HANDLERS),
    )
    app.router.redirect_slashes = False  # it would believe the request's own Host
    return app


async def alive(_: Request) -> Response:
    """Say that this process answers; the database is no part of it, as without it none of several would be better."""
    return Response(status_code=204)


def _for_machines(context: IssuerContext, clients: ClientAuthenticator, grants: list[Grant]) -> list[Route]:
    proofs, kept = ProofTaker(context), KeptRequests(context)
    metadata = MetadataEndpoint(context, client_methods=clients.names, grants=[grant.name for grant in grants])
    return [
        Route("/token", TokenEndpoint(clients=clients, grants=grants, proofs=proofs).post, methods=["POST"]),
        Route("/par", ParEndpoint(context, clients=clients, proofs=proofs, kept=kept).post, methods=["POST"]),
        Route(
            "/device_authorization",
            DeviceAuthorizationEndpoint(context, clients=clients).post,
            methods=["POST"],
        ),
        Route(ISSUER_HEALTH, alive, methods=["GET"]),
        Route("/jwks", JwksEndpoint(context).get, methods=["GET"]),
        Route("/.well-known/openid-configuration", metadata.get, methods=["GET"]),
        Route("/.well-known/oauth-authorization-server", metadata.get, methods=["GET"]),
        Route("/userinfo", UserinfoEndpoint(context, proofs=proofs).answer, methods=["GET", "POST"]),
    ]


def _about_tokens(context: IssuerContext, clients: ClientAuthenticator, standing: Standing) -> list[Route]:
    register = RegisterEndpoint(context)
    return [
        Route("/introspect", IntrospectEndpoint(context, clients=clients, standing=standing).post, methods=["POST"]),
        Route("/register", register.post, methods=["POST"]),
        Route("/register/{client}", register.get, methods=["GET"]),
        Route("/register/{client}", register.put, methods=["PUT"]),
        Route("/register/{client}", register.delete, methods=["DELETE"]),
        Route("/revoke", RevokeEndpoint(context, clients=clients, standing=standing).post, methods=["POST"]),
    ]


def _for_administrators(context: IssuerContext) -> list[Route]:
    actors, authority = TokenHolders(context, proofs=ProofTaker(context)), Authority(context)
    escalation = Escalation(context, authority)  # one for both: it lets no two take away the last administrators
    return [
        *administration_routes(context, actors=actors, authority=authority, escalation=escalation),
        *scim_routes(context, actors=actors, authority=authority, escalation=escalation),
    ]


def _for_people(context: IssuerContext) -> list[Route]:
    pages = Pages(context.directory)
    forms = FormTokens(store=context.keystore, directory=context.directory)
    sessions = BrowserSessions(
        storage=context.storage, clock=context.clock, token_seconds=context.settings.token_seconds
    )
    authorize = AuthorizeEndpoint(context, sessions=sessions, pages=pages, forms=forms)
    sign_in = SignInPage(context, pages=pages, forms=forms)
    login = LoginEndpoint(context, authorize=authorize, page=sign_in, sessions=sessions, forms=forms)
    consent = ConsentEndpoint(context, authorize=authorize, sessions=sessions, forms=forms, pages=pages)
    sources = UpstreamSources(context)
    door, departures = Door(context, sessions=sessions, forms=forms, pages=pages), Departures(context)
    providers = AccountProviders(door, sources=sources, departures=departures)
    upstream = UpstreamSignIn(
        context,
        authorize=authorize,
        page=sign_in,
        pages=pages,
        sessions=sessions,
        sources=sources,
        departures=departures,
        connections=providers,
    )
    upstream_sign_out = UpstreamSignOut(context, sources=sources, pages=pages)
    endings = UpstreamEndings(context, sessions=sessions, sources=sources, sign_out=upstream_sign_out, pages=pages)
    invitation = InvitationEndpoint(context, sessions=sessions, forms=forms, pages=pages)
    device = DevicePage(context, sessions=sessions, pages=pages, forms=forms)
    end_session = EndSessionEndpoint(context, sessions=sessions, pages=pages, forms=forms, elsewhere=upstream_sign_out)
    return [
        Route("/authorize", authorize.get, methods=["GET"]),
        Route("/authorize", authorize.post, methods=["POST"]),
        Route("/login", login.get, methods=["GET"]),
        Route("/login", login.post, methods=["POST"]),
        Route("/upstream/{name}", upstream.begin, methods=["GET"]),
        Route("/upstream/{name}/metadata", upstream.metadata, methods=["GET"]),
        Route("/upstream/{name}/callback", upstream.finish, methods=["GET"]),
        Route("/upstream/{name}/signed-out", upstream_sign_out.finish, methods=["GET"]),
        Route("/upstream/{name}/callback", upstream.finish_by_form, methods=["POST"]),
        Route("/upstream/{name}/backchannel_logout", endings.back_channel, methods=["POST"]),
        Route("/upstream/{name}/logout", endings.single_logout, methods=["GET", "POST"]),
        Route("/consent", consent.get, methods=["GET"]),
        Route("/consent", consent.post, methods=["POST"]),
        Route("/session", EdgeSessionEndpoint(context, pages=pages).get, methods=["GET"]),
        Route("/end_session", end_session.get, methods=["GET"]),
        Route("/end_session", end_session.post, methods=["POST"]),
        Route("/sign-out", end_session.confirm, methods=["POST"]),
        Route("/invitation", invitation.get, methods=["GET"]),
        Route("/invitation", invitation.post, methods=["POST"]),
        Route("/device", device.get, methods=["GET"]),
        Route("/device", device.post, methods=["POST"]),
        Route("/assets/{name}", Assets(context.directory).get, methods=["GET"]),
        *account_routes(door, providers, upstream_sign_out),
    ]
