"""Bound tokens (RFC 9449, RFC 8705): which are taken as what, and from whom. All of it is Envoy's own.

At the edge a token with `cnf` must come as what it is bound to, so a stolen one is worth nothing as `Bearer`. Inside,
it is taken from the edge, which has seen the proof, and from nobody else: a service that was given one exchanges it.
"""

from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from ringwall.enforce import client_certificate
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

BOUND_AS_BEARER: Final = "bound-as-bearer"
"""RBAC policy of the edge that refuses a bound token without what it is bound to; answered with 401."""
UNBOUND_AS_DPOP: Final = "unbound-as-dpop"
"""RBAC policy of the edge that refuses a token with the scheme of bound ones; answered with 401."""
BOUND_ELSEWHERE: Final = "bound-elsewhere"
"""RBAC policy of services that refuses a bound token from whoever is not the edge; answered with 403."""


def at_edge() -> dict[str, Any]:
    """Return the policies of the edge.

    1. A token with `cnf` comes by the scheme `DPoP` (RFC 9449, section 7.2), or is bound to the certificate of the
       connection (RFC 8705, section 3).
    2. What comes by that scheme is bound to a key (RFC 9449, section 7.1).
    """
    return {
        BOUND_AS_BEARER: _refusing(_has("cnf"), _not(_by_dpop()), _not(client_certificate.holds_it())),
        UNBOUND_AS_DPOP: _refusing(_by_dpop(), _has("sub"), _not(_has("cnf", "jkt"))),
    }


def inside(edge: str) -> dict[str, Any]:
    """Return the policies of services, which take bound tokens from the workload `edge`, a SPIFFE ID, alone."""
    from_edge = rbac_pb2.Principal(authenticated={"principal_name": {"exact": edge}})
    return {BOUND_ELSEWHERE: _refusing(_has("cnf"), _not(from_edge))}


def by_dpop() -> Any:
    """Match requests by their scheme."""
    return route_components_pb2.HeaderMatcher(
        name="authorization", string_match=string_pb2.StringMatcher(prefix="DPoP ", ignore_case=True)
    )


def _by_dpop() -> Any:
    return rbac_pb2.Principal(header=by_dpop())


def _has(*path: str) -> Any:
    """Match where the verified token has a claim, `null` included."""
    keys = [{"key": key} for key in (CLAIMS_KEY, *path)]
    present = value_pb2.ValueMatcher(present_match=True)
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": keys, "value": present}}
    )


def _not(principal: Any) -> Any:
    return rbac_pb2.Principal(not_id=principal)


def _refusing(*principals: Any) -> Any:
    all_of = rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))
    return rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)], principals=[all_of])
