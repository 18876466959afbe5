"""Authorization requests (RFC 6749, section 4.1.1; OpenID Connect Core 1.0, section 3.1.2.1): read in two steps.

First it is found out who asks and where an answer may go; what is wrong before that is told to the person on a page,
and nobody is sent anywhere. All else that is wrong is told to the client at its redirect URI.
"""

import re
from dataclasses import dataclass
from typing import Final

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError, parse_scopes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.grants.pkce import may_go_without
from ringwall.identity.issuer.oauth.own_pages import NAME, own_pages
from ringwall.identity.issuer.oauth.redirects import RegisteredUri, find_registered
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.issuer.request import Parameters
from ringwall.model.errors import RingwallError
from ringwall.plan.client import Client

RESPONSE_MODES: Final = ("query", "form_post")
PROMPTS: Final = ("none", "login", "consent", "select_account")
STANDARD_SCOPES: Final = ("openid", "profile", "email")
"""Scopes that every client which signs people in may ask for; others only if the plan lists them for it."""
MAX_AGE: Final = 2**31

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)


class UntrustedRequestError(RingwallError):
    """It is not sure who asks, or where the answer may go, so it goes to the person alone."""

    code = "authorization-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """Where and how a client is answered; made only for a registered redirect URI.

    Attributes:
        client: who asked.
        uri: where the answer goes.
        mode: one of RESPONSE_MODES.
        state: given back as it came; empty for none (RFC 6749, section 4.1.2).
    """

    client: Client
    uri: RegisteredUri
    mode: str
    state: str


UNMET: Final = "unmet_authentication_requirements"
"""Nobody signed in as surely as asked (OpenID Connect Core Error Code unmet_authentication_requirements 1.0)."""


class AuthorizationRefusedError(RingwallError):
    """A request is refused, and the client is told so (RFC 6749, section 4.1.2.1).

    Attributes:
        oauth: the error's code.
    """

    code = "authorization-refused"

    def __init__(self, oauth: str, message: str) -> None:
        super().__init__(message)
        self.oauth = oauth


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks for, checked as far as it can be without knowing the person.

    Attributes:
        reply: where the answer goes.
        scopes: what it may have of what it asks for.
        challenge: PKCE S256 challenge (RFC 7636, section 4.2); empty where there may be none, and is none.
        nonce: goes into the ID token; empty for none.
        prompts: some of PROMPTS.
        max_age: how many seconds ago the person may have signed in at most; None for any.
        acr_values: levels of which one suffices; empty for any.
        login_hint: who the client believes is there.
        id_token_hint: an ID token of whom the client means.
        dpop_jkt: thumbprint of the key that alone can redeem the code; empty for any (RFC 9449, section 10).
    """

    reply: ReplyTo
    scopes: tuple[str, ...]
    challenge: str
    nonce: str
    prompts: frozenset[str]
    max_age: int | None
    acr_values: tuple[str, ...]
    login_hint: str
    id_token_hint: str
    dpop_jkt: str = ""


async def find_reply(parameters: Parameters, context: IssuerContext) -> ReplyTo:
    """Return who is to be answered and where, or raise UntrustedRequestError.

    1. `client_id` names a client that signs people in. 2. `redirect_uri` is there, and one that it registered
    (RFC 6749, section 3.1.2.4). 3. `response_mode` decides how it is answered, also where it is told of an error.
    """
    name = parameters.get("client_id", "")
    client = own_pages(context.directory.current()) if name == NAME else await context.client(name)
    if client is None or not client.signs_people_in:  # 1
        raise UntrustedRequestError("The application that sent you here is not known.")
    uri = find_registered(client, parameters.get("redirect_uri", ""))
    if uri is None:  # 2
        raise UntrustedRequestError("The application that sent you here did not say where to return to.")
    mode = parameters.get("response_mode", "query")
    return ReplyTo(
        client=client, uri=uri, mode=mode if mode in RESPONSE_MODES else "query", state=parameters.get("state", "")
    )  # 3


def read_request(parameters: Parameters, reply: ReplyTo, directory: Directory) -> AuthorizationRequest:
    """Return the request, or raise AuthorizationRefusedError for the client.

    1. Request objects are refused, not ignored (OpenID Connect Core 1.0, section 6).
    2. `response_type` is `code`: implicit and hybrid do not exist (RFC 9700, section 2.1.2).
    3. `response_mode` is a known one (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1).
    4. PKCE with S256 is always used; `plain`, which an attacker would downgrade to, does not exist
       (RFC 7636, section 4.3; RFC 9700, section 2.1.1). See `grants.pkce` for who may do without.
    5. Scopes that the client may not have are left out, and it is told which it got (RFC 6749, section 3.3;
       OpenID Connect Core 1.0, section 3.1.2.1).
    6. `resource` is a part of this system (RFC 8707, section 2).
    7. `prompt` and `max_age` are well-formed, and `none` stands alone (OpenID Connect Core 1.0, section 3.1.2.1).
       What is not said of how people sign in is as the client has registered it (Registration 1.0, section 2).
    8. `dpop_jkt` is a thumbprint (RFC 9449, section 10).
    """
    for name in ("request", "request_uri", "registration"):  # 1
        if name in parameters:
            raise AuthorizationRefusedError(f"{name}_not_supported", f"`{name}` is not supported")
    if "response_type" not in parameters:  # 2
        raise AuthorizationRefusedError("invalid_request", "`response_type` is missing")
    if parameters["response_type"] != "code":
        raise AuthorizationRefusedError("unsupported_response_type", "only the response type `code` exists")
    if parameters.get("response_mode", "query") not in RESPONSE_MODES:  # 3
        raise AuthorizationRefusedError("invalid_request", f"`response_mode` is one of {', '.join(RESPONSE_MODES)}")
    challenge = _challenge(parameters, reply.client, directory)  # 4
    scopes = _scopes(parameters, reply.client)  # 5
    check_resources(parameters.all("resource"), directory)  # 6
    prompts = frozenset(parameters.get("prompt", "").split())  # 7
    if not prompts <= set(PROMPTS) or ("none" in prompts and len(prompts) > 1):
        raise AuthorizationRefusedError("invalid_request", "`prompt` is malformed")
    if "dpop_jkt" in parameters and not _THUMBPRINT.fullmatch(parameters["dpop_jkt"]):  # 8
        raise AuthorizationRefusedError("invalid_request", "`dpop_jkt` is a SHA-256 thumbprint")
    return AuthorizationRequest(
        reply=reply,
        scopes=scopes,
        challenge=challenge,
        nonce=parameters.get("nonce", ""),
        prompts=prompts,
        max_age=_max_age(parameters, reply.client),
        acr_values=tuple(parameters.get("acr_values", "").split()) or reply.client.default_acr_values,
        login_hint=parameters.get("login_hint", "")[:200],
        id_token_hint=parameters.get("id_token_hint", ""),
        dpop_jkt=parameters.get("dpop_jkt", ""),
    )


def _challenge(parameters: Parameters, client: Client, directory: Directory) -> str:
    challenge, method = parameters.get("code_challenge", ""), parameters.get("code_challenge_method", "")
    if not challenge and not method and may_go_without(client, directory.profile):
        return ""
    if method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise AuthorizationRefusedError("invalid_request", "PKCE is required: `code_challenge` with the method S256")
    return challenge


def _scopes(parameters: Parameters, client: Client) -> tuple[str, ...]:
    try:
        wanted = parse_scopes(parameters["scope"]) if "scope" in parameters else ()
    except TokenNotIssuedError as error:
        raise AuthorizationRefusedError(error.oauth, error.message) from None
    return tuple(scope for scope in wanted if scope in STANDARD_SCOPES or scope in client.scopes)


def _max_age(parameters: Parameters, client: Client) -> int | None:
    if "max_age" not in parameters:
        return client.default_max_age
    if not _SECONDS.fullmatch(parameters["max_age"]) or int(parameters["max_age"]) > MAX_AGE:
        raise AuthorizationRefusedError("invalid_request", "`max_age` is a number of seconds")
    return int(parameters["max_age"])
