"""The session that a browser has at the edge: an access token in a cookie, which every proxy verifies by itself.

The edge is a client of its own. Where a service asks browsers to sign in, the edge sends them here; the ordinary
authorization code flow follows (RFC 6749, section 4.1, with PKCE), in which whoever is signed in already is asked
nothing, and at its end the issuer takes the code itself, in the edge's place. The same way renews the session, page by
page, for as long as the sign-in lasts; no refresh token ever reaches a browser.
"""

import hmac
import re
import secrets
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.clients.model import AuthenticatedClient
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.authorization_code import AuthorizationCodeGrant
from ringwall.identity.issuer.grants.grant import TokenRequest
from ringwall.identity.issuer.grants.pkce import challenge_of
from ringwall.identity.issuer.host_cookies import START, clear_cookie, read_cookie, write_cookie
from ringwall.identity.issuer.oauth.authorization_request import UNMET
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, parse_parameters
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, encode_base64url
from ringwall.model import cookies
from ringwall.plan.model import EDGE

_START_SECONDS: Final = 600
_RETURN: Final = b"return_to="
_LONGEST: Final = 2048
_DEMAND: Final = re.compile(r"(acr_values|max_age)=([A-Za-z0-9+_.:-]{1,256})&", re.ASCII)
_DEMANDS: Final = re.compile(rb"(?:acr_values=[A-Za-z0-9+_.:-]{1,256}&)?(?:max_age=[0-9]{1,9}&)?")
"""What the edge puts before `return_to`, which is the last parameter and not encoded."""
_NOT_SURE_ENOUGH: Final = (
    "This page needs a surer sign-in than a password. Add a passkey or an authenticator app to your account; then open"
    " the page again, and sign in with it."
)
_PATH: Final = re.compile(rb"/(?![/\\])[!-\[\]-~]*")
"""A path of this host with its query: never `//host`, and no character that a browser reads as another."""


class EdgeSessionEndpoint:
    """Begins sessions at the edge, and finishes what it began."""

    def __init__(self, context: IssuerContext, *, pages: Pages) -> None:
        self._context = context
        self._pages = pages
        self._codes = AuthorizationCodeGrant(context)

    async def get(self, request: Request) -> Response:
        """Begin, or take the answer of the authorization endpoint."""
        query: bytes = request.scope["query_string"]
        asked, marker, to = query.partition(_RETURN)
        if marker and _DEMANDS.fullmatch(asked):
            return self._begin(to, dict(_DEMAND.findall(asked.decode("ascii"))))
        try:
            return await self._finish(request, parse_parameters(query))
        except (RequestRefusedError, EncodingError):
            return self._pages.show("error", status=400, message="Signing in did not work. Open the page again.")

    def _begin(self, to: bytes, demands: dict[str, str]) -> Response:
        """Send the browser to the authorization endpoint, with what the operation asks of the sign-in (RFC 9470).

        1. It comes back to a path of this host, else to the first page. 2. Only this browser can finish: state and
        verifier are in a cookie (RFC 6749, section 10.12; RFC 7636, section 4.1).
        """
        issuer = self._issuer()
        if not _PATH.fullmatch(to) or len(to) > _LONGEST:  # 1
            to = b"/"
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = challenge_of(verifier)
        asked = {
            "response_type": "code",
            "client_id": EDGE,
            "redirect_uri": f"{issuer}/session",
            "scope": "openid",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **{name: value.replace("+", " ") for name, value in demands.items()},
        }
        response = _see(f"{issuer}/authorize?{urlencode(asked)}")
        kept = ".".join((state, verifier, encode_base64url(to)))  # 2
        write_cookie(response, START, kept, seconds=_START_SECONDS)
        return response

    async def _finish(self, request: Request, parameters: Parameters) -> Response:
        """Give the browser its session.

        1. It is the browser that began, and this is the answer to what it began (RFC 6749, section 10.12). 2. The
        answer is this issuer's (RFC 9207, section 2.4). 3. The code is good (RFC 6749, section 4.1.3).
        """
        issuer = self._issuer()
        began = (read_cookie(request, START, longest=2 * _LONGEST) or "").split(".")
        if len(began) != 3 or not hmac.compare_digest(began[0], parameters.get("state", "")):  # 1  # noqa: PLR2004
            raise RequestRefusedError(400, "invalid_request", "this browser did not begin this")
        if parameters.get("iss") != self._context.directory.current().issuer:  # 2
            raise RequestRefusedError(400, "invalid_request", "the answer is another issuer's")
        if parameters.get("error") == UNMET:
            return self._pages.show(
                "error", status=400, message=_NOT_SURE_ENOUGH, onwards="/account", onwards_says="Go to your account"
            )
        client = self._context.directory.current().clients[EDGE]
        form = parse_parameters(
            urlencode(
                {
                    "code": parameters.get("code", ""),
                    "redirect_uri": f"{issuer}/session",
                    "code_verifier": began[1],
                }
            ).encode("ascii")
        )
        asked = TokenRequest(
            client=AuthenticatedClient(client=client, method="none", confirmation={}), form=form, confirmation={}
        )
        answer = await self._codes.issue(asked)  # 3
        response = _see(decode_base64url(began[2]).decode("ascii"))
        write_cookie(response, cookies.TOKEN, answer.access.text)
        clear_cookie(response, START)
        return response

    def _issuer(self) -> str:
        directory = self._context.directory.current()
        if EDGE not in directory.clients:
            raise RequestRefusedError(404, "not_found", "no service of this system asks browsers to sign in")
        return directory.issuer.rstrip("/")


def _see(location: str) -> Response:
    return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
