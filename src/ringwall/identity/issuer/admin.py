"""What only the user who runs Ringwall may ask of the issuer: on a Unix socket of its own, mode 0600.

No proxy knows that socket, so nothing that comes through the edge can reach these endpoints.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.access_tokens import DEVELOPMENT_SECONDS, TokenNotIssuedError, for_person, parse_scopes
from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin_groups import GroupAdministration
from ringwall.identity.issuer.admin_request import read_object, texts
from ringwall.identity.issuer.admin_revocations import RevocationAdministration
from ringwall.identity.issuer.admin_upstreams import UpstreamAdministration
from ringwall.identity.issuer.admin_users import USER_HANDLERS, UserAdministration
from ringwall.identity.issuer.answers import OPERATOR_HANDLERS, answer
from ringwall.identity.issuer.clients.initial_access import DEFAULT_SECONDS, LONGEST_SECONDS, InitialAccess
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.issuer.storage import Storage
from ringwall.model.clock import Clock


class Administration:
    """What answers; one method per endpoint."""

    def __init__(self, *, directory: LiveDirectory, keys: KeyKeeper, clock: Clock, initial: InitialAccess) -> None:
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._initial = initial

    async def development_token(self, request: Request) -> Response:
        """Issue a token for a development user: `{"person": …, "scopes"?: [...], "lifetime"?: seconds}`."""
        asked = await read_object(request, {"person": str, "scopes": list, "lifetime": int})
        scopes = texts(asked, "scopes")
        if "person" not in asked:
            raise RequestRefusedError(400, "invalid_request", "`person` is missing")
        issued = for_person(
            asked["person"],
            parse_scopes(" ".join(scopes)) if scopes else (),
            directory=self._directory.current(),
            clock=self._clock,
            seconds=asked.get("lifetime", DEVELOPMENT_SECONDS),
            sign=self._keys.sign,
        )
        return answer({"access_token": issued.text, "token_type": "Bearer", "expires_in": issued.seconds})

    async def registration_token(self, request: Request) -> Response:
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

    async def rotate(self, request: Request) -> Response:
        """Rotate the signing key: `{"compromised"?: true}` drops all keys at once. Answers with the keys."""
        asked = await read_object(request, {"compromised": bool})
        if asked.get("compromised", False):
            self._keys.replace_compromised()
        else:
            self._keys.rotate()
        return self._describe()

    async def keys(self, _: Request) -> Response:
        """Answer with the state of every published key."""
        self._keys.tick()
        return self._describe()

    def _describe(self) -> Response:
        keys = [
            {
                "kid": key.kid,
                "state": key.state.value,
                "published": key.published,
                "activated": key.activated,
                "signed_until": key.signed_until,
            }
            for key in self._keys.published_keys()
        ]
        return answer({"keys": keys, "next_change": self._keys.next_change()})


def create_admin_app(
    *, directory: LiveDirectory, keys: KeyKeeper, clock: Clock, people: IssuerPeople, storage: Storage
) -> Starlette:
    """Return the application for the administration socket."""
    administration = Administration(directory=directory, keys=keys, clock=clock, initial=InitialAccess(storage, clock))
    app = Starlette(
        routes=[
            Route("/dev/token", administration.development_token, methods=["POST"]),
            Route("/keys/rotate", administration.rotate, methods=["POST"]),
            Route("/keys", administration.keys, methods=["GET"]),
            Route("/registration-tokens", administration.registration_token, methods=["POST"]),
            *UserAdministration(people, directory=directory, clock=clock).routes(),
            *GroupAdministration(people, directory=directory).routes(),
            *RevocationAdministration(storage).routes(),
            *UpstreamAdministration(people, directory=directory, clock=clock).routes(),
        ],
        exception_handlers={**OPERATOR_HANDLERS, **USER_HANDLERS},
    )
    app.router.redirect_slashes = False  # as for the public application
    return app
