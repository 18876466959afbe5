"""What only the user who runs Ringwall may ask of the issuer: on a Unix socket of its own, mode 0600.

No proxy knows that socket, so nothing that comes through the edge can be taken for the operator.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.access_tokens import DEVELOPMENT_SECONDS, TokenNotIssuedError, for_person, parse_scopes
from ringwall.identity.issuer.admin_request import read_object, texts
from ringwall.identity.issuer.admin_revocations import RevocationAdministration
from ringwall.identity.issuer.admin_upstreams import UpstreamAdministration
from ringwall.identity.issuer.administration.actor import Operators
from ringwall.identity.issuer.administration.api import administration_routes
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.answers import OPERATOR_HANDLERS, answer
from ringwall.identity.issuer.clients.initial_access import DEFAULT_SECONDS, LONGEST_SECONDS, InitialAccess
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.people.errors import PeopleError


class DevelopmentTokens:
    """Tokens for people who prove nothing; outside development mode there are none."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        """Issue a token for a development user: `{"person": …, "scopes"?: [...], "lifetime"?: seconds}`."""
        asked = await read_object(request, {"person": str, "scopes": list, "lifetime": int})
        scopes = texts(asked, "scopes")
        if "person" not in asked:
            raise RequestRefusedError(400, "invalid_request", "`person` is missing")
        issued = for_person(
            asked["person"],
            parse_scopes(" ".join(scopes)) if scopes else (),
            directory=self._context.directory.current(),
            clock=self._context.clock,
            seconds=asked.get("lifetime", DEVELOPMENT_SECONDS),
            sign=self._context.keys.sign,
        )
        return answer({"access_token": issued.text, "token_type": "Bearer", "expires_in": issued.seconds})


class RegistrationTokens:
    """Tokens by which somebody may register a client."""

    def __init__(self, context: IssuerContext) -> None:
        self._directory = context.directory
        self._initial = InitialAccess(context.storage, context.clock)

    async def post(self, request: Request) -> Response:
        """Give an initial access token (RFC 7591, section 3): `{"lifetime"?: seconds, "reusable"?: true}`."""
        asked = await read_object(request, {"lifetime": int, "reusable": bool})
        if self._directory.current().registration is None:
            hint = "add `registration` to the built-in issuer in the blueprint"
            raise TokenNotIssuedError("access_denied", "the blueprint lets no client register", hint=hint)
        seconds = asked.get("lifetime", DEFAULT_SECONDS)
        if not 0 < seconds <= LONGEST_SECONDS:
            raise RequestRefusedError(400, "invalid_request", f"a lifetime is between 1 and {LONGEST_SECONDS} seconds")
        token = await self._initial.give(seconds=seconds, reusable=asked.get("reusable", False))
        return answer({"initial_access_token": token.reveal().decode("ascii"), "expires_in": seconds})


async def on_people(_: Request, error: Exception) -> Response:
    """Tell the operator what is refused, and what to do about it; to the public, these errors tell less."""
    assert isinstance(error, PeopleError)  # noqa: S101  # registered for this type only
    return answer({"error": error.code, "error_description": error.message, "hint": error.hint}, status=400)


def create_admin_app(context: IssuerContext) -> Starlette:
    """Return the application for the administration socket."""
    authority = Authority(context)
    app = Starlette(
        routes=[
            Route("/dev/token", DevelopmentTokens(context).post, methods=["POST"]),
            Route("/registration-tokens", RegistrationTokens(context).post, methods=["POST"]),
            *RevocationAdministration(context.storage).routes(),
            *UpstreamAdministration(
                context.people, directory=context.directory, clock=context.clock, keystore=context.keystore
            ).routes(),
            *administration_routes(
                context, actors=Operators(), authority=authority, escalation=Escalation(context, authority)
            ),
        ],
        exception_handlers={**OPERATOR_HANDLERS, PeopleError: on_people},
    )
    app.router.redirect_slashes = False  # as for the public application
    return app
