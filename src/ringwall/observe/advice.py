"""Plain sentences for what a proxy recorded: what happened at a hop, and what to do about it."""

from typing import Final

from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe.outcomes import TCP, VIA_UPSTREAM

_TOKENS: Final = (
    (
        "jwt_is_missing",
        "the request carried no token",
        "send `Authorization: Bearer TOKEN`; in development `ringwall token --as NAME` prints one",
    ),
    ("jwt_is_expired", "the token has expired", "get a new one; if it is new, compare the clocks"),
    ("jwt_not_yet_valid", "the token is not valid yet", "compare the clocks of issuer and proxy"),
    (
        "audiences_in_jwt_are_not_allowed",
        "the token is for another audience",
        "ask its issuer for a token for this system's audience, or add the audience under `issuers`",
    ),
    (
        "jwt_issuer_is_not_configured",
        "the token's issuer is not believed here",
        "add it under `issuers` in the blueprint, or use a token of one that is there",
    ),
    (
        "jwks_doesn",
        "the token is signed with a key or algorithm that its issuer does not publish here",
        "get a new token; `ringwall status` shows whether the issuer's keys could be fetched",
    ),
    (
        "jwt_verification_fails",
        "the token's signature is wrong, or it has no `exp` or no usable `sub`",
        "get a new token; if it came unchanged from its issuer, look whether the issuer is the one you think",
    ),
    ("jwt_subject", "the token's subject is not accepted", "`sub` must be there, and hold no control characters"),
    ("jwt_header", "the token is malformed", "get a new one, and send it unchanged"),
    ("jwt_payload", "the token is malformed", "get a new one, and send it unchanged"),
    ("jwt_is_not_in_the_form", "the token is malformed", "get a new one, and send it unchanged"),
    (
        "token-shape",
        "the Authorization header is not one bearer token",
        "send exactly one header `Authorization: Bearer TOKEN` with a signed JWT",
    ),
    ("revoked-token", "the token was revoked", "get a new one"),
    ("revoked-session", "the sign-in that the token comes from was ended", "sign in again"),
    ("revoked-grant", "the authorization that the token comes from was ended", "sign in again"),
    ("revoked-user", "the user is revoked", "`ringwall revoke list`; `ringwall revoke user NAME --lift` lifts it"),
    (
        "revoked-client",
        "the client is revoked",
        "`ringwall revoke list`; `ringwall revoke client NAME --lift` lifts it",
    ),
    (
        "revoked-workload",
        "the calling workload is revoked",
        "`ringwall revoke list`; `ringwall revoke workload NAME --lift` lifts it",
    ),
)
"""By a part of the response code details, in lower case: what it means and what to do."""

_DENIED: Final = (
    (
        "held-by-another",
        "the token was exchanged by another service than the one that shows it",
        "a service exchanges the token that it was called with for one of its own; the edge takes no such token",
    ),
    (
        "bound-elsewhere",
        "the token is bound to a key of the edge's client, and another service than the edge shows it",
        "a service exchanges the token that it was called with for one of its own",
    ),
)
"""Denials that are no policy's."""

_NEW_PROOF: Final = "make a new proof for each request, with its method, its URL and the hash of the token"
_PROOFS: Final = (
    (
        "[step-up-age]",
        "the person signed in too long ago for this operation",
        "sign in again with the `max_age` of the challenge; `step_up` of the service says so",
    ),
    (
        "[step-up]",
        "the person is not signed in as surely as this operation asks, or nobody is",
        "sign in again with the `acr_values` of the challenge; `step_up` of the service says so",
    ),
    (
        "bound-as-bearer",
        "the token is bound to a key, and came as a bearer token without it",
        "send it as `DPoP` with a proof for each request",
    ),
    (
        "certificate-missing",
        "the token is bound to a certificate, and came on a connection without it",
        "send it with its certificate to a domain that `client_certificates` of `edge` names",
    ),
    (
        "certificate-withdrawn",
        "the token is bound to a certificate that the blueprint names no more, or its client is gone",
        "its client gets a new token with a certificate that `clients` names",
    ),
    ("unbound-as-dpop", "the token came by the scheme `DPoP` and is bound to no key", "send it as `Bearer`"),
    ("[proof-count]", "the request has no DPoP proof", _NEW_PROOF),
    ("[proof-htm]", "the DPoP proof is for another method", _NEW_PROOF),
    (
        "[proof-htu]",
        "the DPoP proof is for another URL",
        f"{_NEW_PROOF}; `htu` is the URL that the client asked for, without its query",
    ),
    ("[proof-ath]", "the DPoP proof is for another token", _NEW_PROOF),
    ("[proof-iat]", "the DPoP proof is too old, or from the future", f"{_NEW_PROOF}; compare the clocks"),
    ("[proof-replay]", "the DPoP proof was used before", "make a new one for each request; or somebody has copied it"),
    (
        "[proof-forgotten]",
        "the DPoP proof is from a time of which the edge remembers nothing",
        "make a new one; if that does not help, the machine's clock was set back",
    ),
    (
        "[proof-nonce]",
        "the DPoP proof lacks the edge's nonce",
        "use the one in `DPoP-Nonce` of that answer",
    ),
    ("[proof-key]", "the DPoP proof is of another key than the one that the token is bound to", "use that key"),
    (
        "[proof-confirmation]",
        "the token is bound to something else than a key for DPoP proofs",
        "look at `cnf` of the token",
    ),
    (
        "[proof-authority]",
        "a bound token was sent to a host or port that is not the edge's own",
        "use one of `edge.domains`, with the port on which the edge listens",
    ),
    ("[proof-", "the DPoP proof is malformed, or its signature is wrong", _NEW_PROOF),
)

_WRONG_METHOD: Final = 405

_CORS: Final = "cors_response"
_SWITCHED: Final = 101
_REJECTED: Final = {
    308: ("plain HTTP was redirected to HTTPS", "use https:// and the edge's port"),
    400: ("the request was malformed", "look at its path and headers: escaped slashes and broken framing are refused"),
    408: ("the request did not arrive in time", "the client is slow, or holds connections open on purpose"),
    413: ("the body is too large", "send less, or raise `max_body` of the service"),
    421: ("this host name is not served here", "use one of `edge.domains`"),
    426: ("the protocol version is not accepted", "use HTTP/1.1 or newer"),
    431: ("the headers are too large", "send fewer or shorter headers"),
}

_REFUSED: Final = (
    (
        "foreign-origin",
        "a web page of another origin asked for a WebSocket connection",
        "name its origin under `cors` of the service if it may",
    ),
    (
        "upgrade_failed",
        "no WebSocket connection, or other protocol, is offered here",
        "name the operation under `websockets` of its service",
    ),
)

_FAILED: Final = (
    (
        "[unjudged-",
        "a bound token came and its proof could not be judged, so the request was refused",
        "is the disk full? See the log of the control plane",
    ),
    ("ext_authz_error", "the decision point did not answer, so the request was refused", "see `ringwall status`"),
    (
        "websocket_handshake_unsuccessful",
        "the service opened no WebSocket connection",
        "look at the service; or take the operation out of `websockets`",
    ),
    ("no_healthy_upstream", "nothing runs behind this hop", "see `ringwall status`; look at the service's log"),
    ("cluster_not_found", "nothing is configured behind this hop yet", "see `ringwall status`"),
    ("stream_idle_timeout", "the service did not answer in time", "look at the service, or raise its `timeout`"),
    ("response_timeout", "the service did not answer in time", "look at the service, or raise its `timeout`"),
    ("upstream_response_timeout", "the service did not answer in time", "look at the service, or raise its `timeout`"),
    ("upstream_reset", "the connection to the service failed or was closed", "look at the service's log"),
    ("overload", "the proxy is overloaded", "see `ringwall status`"),
)


def describe(event: DecisionEvent) -> tuple[str, str]:
    """Return what happened and what to do about it; the second is empty where nothing needs doing."""
    match event.outcome:
        case Outcome.ALLOWED:
            found = _allowed(event), ""
        case Outcome.DENIED:
            found = _by_detail(event, _DENIED, ("the policies do not allow it", ""))
        case Outcome.UNAUTHENTICATED:
            found = _by_detail(event, (*_PROOFS, *_TOKENS), ("the token is not believed", "get a new token"))
        case Outcome.LIMITED:
            found = (
                f"over a rate limit of {event.hop}",
                "wait and try again; `limit` under `edge` counts each address, `limit` of a service each principal",
            )
        case Outcome.NO_ROUTE:
            found = (
                f"no operation of the plan is {event.method} {event.path}"
                + (", though the path exists for another method" if event.status == _WRONG_METHOD else ""),
                "`ringwall plan` lists them; declare it in the service's contract and allow it, or mend the path",
            )
        case Outcome.REJECTED:
            by_status = _REJECTED.get(event.status, ("the request was refused before any policy was asked", ""))
            found = _by_detail(event, _REFUSED, by_status)
        case Outcome.FAILED:
            found = _by_detail(event, _FAILED, ("the request failed on its way", "look at the service's log"))
    return found


def by_policies(event: DecisionEvent) -> bool:
    """Return whether policies have decided, where a request was allowed or denied."""
    return not any(part in event.detail for part, _, _ in _DENIED)


def _allowed(event: DecisionEvent) -> str:
    if event.method == TCP:
        return "the connection was let through"
    if event.status == 0 or event.detail.startswith("downstream_"):
        return "it was let through; the client left before the answer"
    if event.detail == _CORS:
        return "a browser asked whether a page of another origin may call, and the proxy answered by the blueprint"
    if event.status == _SWITCHED:
        return "it was let through and became a WebSocket connection, which has ended"
    if event.detail == VIA_UPSTREAM:
        return f"it was let through and answered with {event.status}"
    return f"it was answered with {event.status}"


def _by_detail(
    event: DecisionEvent, table: tuple[tuple[str, str, str], ...], otherwise: tuple[str, str]
) -> tuple[str, str]:
    detail = event.detail.lower()
    return next(((what, todo) for part, what, todo in table if part in detail), otherwise)
