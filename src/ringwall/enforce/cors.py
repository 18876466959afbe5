"""Calls of web pages from other origins (Fetch standard, section 3.2), decided at the edge.

A browser asks with OPTIONS before it sends what a plain form could not. The proxy answers that question itself, before
any token is looked at, since browsers send none with it; the call that follows is judged like every other. What a
service says about origins itself is removed where the blueprint speaks for it.
"""

from collections.abc import Iterable
from typing import Any

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.type.matcher.v3 import string_pb2

from ringwall.enforce.proto import FALSE, TRUE
from ringwall.model import headers
from ringwall.model.route import answered
from ringwall.plan.model import Cors

FILTER = "ringwall.cors"
RESPONSE_HEADERS = (
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-allow-private-network",
)
_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CHALLENGE = ("www-authenticate", "dpop-nonce")
"""What a page must read to send a bound token rightly (RFC 9449, section 9)."""
_SECONDS = 600
"""How long a browser may keep the answer."""


def filter_config() -> Any:
    """Return the filter's own configuration; it works on routes that bring a policy and on no other."""
    return cors_pb2.Cors()


def policy(cors: Cors, methods: Iterable[str]) -> Any:
    """Return the policy of a route for a path that takes these methods, `*` standing for all."""
    taken = set(methods)
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[string_pb2.StringMatcher(exact=origin) for origin in cors.origins],
        allow_methods=", ".join(_ALL_METHODS if "*" in taken else answered(taken)),
        allow_headers=", ".join(cors.headers),
        expose_headers=", ".join((headers.REQUEST_ID, *_CHALLENGE)),
        max_age=str(_SECONDS),
        allow_credentials=TRUE if cors.credentials else FALSE,
        forward_not_matching_preflights=FALSE,
    )
