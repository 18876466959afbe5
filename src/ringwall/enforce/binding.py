"""Bound tokens (RFC 9449, RFC 8705): which are taken as what, and from whom. All of it is Envoy's own.

At the edge a token with `cnf` must come as what it is bound to, so a stolen one is worth nothing as `Bearer`. Inside,
it is taken from the edge, which has seen the proof, and from nobody else: a service that was given one exchanges it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from ringwall.enforce import client_certificate
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.client import Client

_THUMBPRINT: Final = "x5t#S256"
BOUND_AS_BEARER: Final = "bound-as-bearer"
"""RBAC policy of the edge that refuses a bound token without what it is bound to; answered with 401."""
CERTIFICATE: Final = "certificate-"
"""Begins the names of policies of the edge that refuse a token which is bound to a certificate; answered with 401."""
CERTIFICATE_MISSING: Final = f"{CERTIFICATE}missing"
"""It comes without that certificate."""
CERTIFICATE_WITHDRAWN: Final = f"{CERTIFICATE}withdrawn"
"""The plan does not name that certificate any more, or not its client."""
UNBOUND_AS_DPOP: Final = "unbound-as-dpop"
"""RBAC policy of the edge that refuses a token with the scheme of bound ones; answered with 401."""
BOUND_ELSEWHERE: Final = "bound-elsewhere"
"""RBAC policy of services that refuses a bound token from whoever is not the edge; answered with 403."""


Holders = tuple[tuple[str, tuple[str, ...]], ...]
"""Clients whose tokens can be bound to certificates, each with the SHA-256 of those that the plan names, if any."""


def holders(clients: Iterable[Client]) -> Holders:
    """Return which of the clients can have tokens that are bound to a certificate."""
    return tuple(
        (client.name, client.certificates)
        for client in clients
        if client.certificates or client.certificate_subject is not None or client.bound_tokens
    )


def at_edge(*, issuer: str, held_by: Holders) -> dict[str, Any]:
    """Return the policies of the edge.

    1. A token with `cnf` comes by the scheme `DPoP` (RFC 9449, section 7.2), or is bound to the certificate of the
       connection (RFC 8705, section 3).
    2. What comes by that scheme is bound to a key (RFC 9449, section 7.1).
    3. A token of the built-in issuer that is bound to a certificate is of a client that the plan still knows, and of a
       certificate that it still names where it names any: taken out of the blueprint, it is worth nothing at once.

    Args:
        issuer: the built-in one; empty where there is none.
        held_by: clients whose tokens can be bound to certificates.
    """
    to_certificate = _has("cnf", _THUMBPRINT)
    policies = {
        BOUND_AS_BEARER: _refusing(_has("cnf"), _not(to_certificate), _not(_by_dpop())),
        CERTIFICATE_MISSING: _refusing(to_certificate, _not(_by_dpop()), _not(client_certificate.holds_it())),
        UNBOUND_AS_DPOP: _refusing(_by_dpop(), _has("sub"), _not(_has("cnf", "jkt"))),
    }
    if issuer:
        of_ours = _is(_exactly(issuer), "iss")
        policies[CERTIFICATE_WITHDRAWN] = _refusing(to_certificate, of_ours, _not(_any(_rightly(held_by))))
    return policies


def _rightly(held_by: Holders) -> list[Any]:
    """Match tokens by their client and its certificate; that can be any where the plan names none."""
    by_other_means = [_exactly(name) for name, digests in held_by if not digests]
    registered = string_pb2.StringMatcher(prefix=REGISTERED_PREFIX)
    return [
        _is(_either([*by_other_means, value_pb2.ValueMatcher(string_match=registered)]), "client_id"),
        *(
            _all(
                _is(_exactly(name), "client_id"),
                _is(_either([_exactly(digest) for digest in digests]), "cnf", _THUMBPRINT),
            )
            for name, digests in held_by
            if digests
        ),
    ]


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
    return _is(value_pb2.ValueMatcher(present_match=True), *path)


def _is(value: Any, *path: str) -> Any:
    """Match where a claim of the verified token has a value."""
    keys = [{"key": key} for key in (CLAIMS_KEY, *path)]
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": keys, "value": value}}
    )


def _exactly(text: str) -> Any:
    return value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=text))


def _either(values: Sequence[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    return value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=values))


def _not(principal: Any) -> Any:
    return rbac_pb2.Principal(not_id=principal)


def _all(*principals: Any) -> Any:
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))


def _any(principals: Sequence[Any]) -> Any:
    return rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=principals))


def _refusing(*principals: Any) -> Any:
    return rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)], principals=[_all(*principals)])
