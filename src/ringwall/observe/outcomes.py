"""What a proxy's own words about an answer mean: status, response code details and flags → `Outcome`.

The details name the filter that answered, so they count for more than the status: a 403 that came from a
service was allowed here. Source: Envoy's documentation of response code details and of `%RESPONSE_FLAGS%`,
checked against the pinned binary by the tests.
"""

from typing import Final

from ringwall.model.events import Outcome

VIA_UPSTREAM: Final = "via_upstream"
TCP: Final = "TCP"
"""Method name in records of TCP connections."""

_BY_DETAIL: Final = (
    ("rbac_access_denied_matched_policy[token-shape]", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied_matched_policy[host-shape]", Outcome.REJECTED),
    ("rbac_access_denied_matched_policy[path-shape]", Outcome.REJECTED),
    ("rbac_access_denied_matched_policy[foreign-origin]", Outcome.REJECTED),
    ("upgrade_failed", Outcome.REJECTED),
    ("rbac_access_denied_matched_policy[revoked-", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied_matched_policy[step-up", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied_matched_policy[bound-as-bearer]", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied_matched_policy[certificate-", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied_matched_policy[unbound-as-dpop]", Outcome.UNAUTHENTICATED),
    ("rbac_access_denied", Outcome.DENIED),
    ("jwt_authn_access_denied", Outcome.UNAUTHENTICATED),
    ("ext_authz_denied[proof-", Outcome.UNAUTHENTICATED),
    ("ext_authz_denied[unjudged-", Outcome.FAILED),
    ("ext_authz_denied", Outcome.DENIED),
    ("ext_authz_error", Outcome.FAILED),
    ("request_rate_limited", Outcome.LIMITED),
    ("local_rate_limited", Outcome.LIMITED),
    ("rate_limited", Outcome.LIMITED),
    ("route_not_found", Outcome.NO_ROUTE),
    ("upstream_", Outcome.FAILED),
    ("no_healthy_upstream", Outcome.FAILED),
    ("cluster_not_found", Outcome.FAILED),
    ("no_cluster", Outcome.FAILED),
    ("response_timeout", Outcome.FAILED),
    ("overload", Outcome.FAILED),
    ("http1.", Outcome.REJECTED),
    ("http2.", Outcome.REJECTED),
    ("http3.", Outcome.REJECTED),
    ("path_normalization_failed", Outcome.REJECTED),
    ("request_payload_too_large", Outcome.REJECTED),
    ("request_overall_timeout", Outcome.REJECTED),
    ("request_header_timeout", Outcome.REJECTED),
    ("downstream_", Outcome.ALLOWED),
)
"""By prefix, first match. A client that left (`downstream_…`) left a request that had been let through."""

UNKNOWN_KEY: Final = frozenset(
    {
        "jwt_authn_access_denied{Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt}",
        "jwt_authn_access_denied{Jwt_verification_fails}",
    }
)
"""Details of a refusal that a key too new to be known here would explain: with `kid` in the token, and without."""

_FLAG_OUTCOMES: Final = {
    "RL": Outcome.LIMITED,
    "UAEX": Outcome.DENIED,
    "NR": Outcome.NO_ROUTE,
    "DPE": Outcome.REJECTED,
    "UF": Outcome.FAILED,
    "UH": Outcome.FAILED,
    "UC": Outcome.FAILED,
    "UO": Outcome.FAILED,
    "UT": Outcome.FAILED,
    "NC": Outcome.FAILED,
    "OM": Outcome.FAILED,
}

_BY_STATUS: Final = {
    401: Outcome.UNAUTHENTICATED,
    403: Outcome.DENIED,
    404: Outcome.NO_ROUTE,
    405: Outcome.NO_ROUTE,
    429: Outcome.LIMITED,
}
_NOWHERE: Final = {("rbac_access_denied_matched_policy[none]", 404), ("direct_response", 200)}
"""No route matched: what refuses everything without rules of its own came before the router, or a gRPC client was
told in a trailer what is 404 or 405 to others."""
_SWITCHED: Final = 101
"""A WebSocket connection was opened; how it ended is no decision."""
_SERVER_ERROR: Final = 500
_REDIRECT: Final = 300


def outcome_of(status: int, details: str, flags: str, method: str) -> Outcome:
    """Return what happened to a request at the hop that recorded this."""
    if details == VIA_UPSTREAM or status == _SWITCHED:
        return Outcome.ALLOWED
    if (details, status) in _NOWHERE:
        return Outcome.NO_ROUTE
    for prefix, outcome in _BY_DETAIL:
        if details.startswith(prefix):
            return outcome
    for flag in flags.split(","):
        if flag in _FLAG_OUTCOMES:
            return _FLAG_OUTCOMES[flag]
    if method == TCP:
        return Outcome.ALLOWED
    return _by_status(status)


def _by_status(status: int) -> Outcome:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= _SERVER_ERROR:
        return Outcome.FAILED
    if status >= _REDIRECT:  # a redirect to HTTPS, or a request that was refused
        return Outcome.REJECTED
    return Outcome.ALLOWED
