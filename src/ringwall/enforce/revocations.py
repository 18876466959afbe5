"""The filter that refuses what was revoked: one configuration for every hop, delivered by ECDS.

It stands behind the verification of tokens, so the claims it looks at are the issuer's own. Values of one kind are
one matcher with alternatives: the claim is looked up once, however many are revoked.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as rbac_filter_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from ringwall.model.revocation import Revocation, Revoked
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

POLICY: Final = "revoked-"
"""Begins the names of its policies; the rest is the kind."""

_ALWAYS: Final = -1
_CLAIMS: Final[Mapping[Revoked, tuple[str, ...]]] = {
    Revoked.TOKEN: ("jti",),
    Revoked.SESSION: ("sid",),
    Revoked.GRANT: ("grant_id",),
    Revoked.USER: ("sub",),
    Revoked.CLIENT: ("client_id", "azp"),
}


def config(revocations: Iterable[Revocation]) -> Any:
    """Return the RBAC configuration that refuses these; with none it refuses nothing."""
    policies = {
        f"{POLICY}{kind}": _policy(kind, tuple(found))
        for kind, found in groupby(sorted(revocations), key=attrgetter("kind"))
    }
    return rbac_filter_pb2.RBAC(rules=rbac_pb2.RBAC(action="DENY", policies=policies or {POLICY + "none": _nobody()}))


def _policy(kind: Revoked, revocations: Sequence[Revocation]) -> Any:
    if kind is Revoked.WORKLOAD:
        principals = [_workload(revocation.value) for revocation in revocations]
    else:
        principals = [
            rbac_pb2.Principal(
                and_ids=rbac_pb2.Principal.Set(ids=[_claim("iss", [issuer]), _claim(claim, values), *age])
            )
            for (issuer, before), found in groupby(sorted(revocations, key=_alike), key=_alike)
            for age in [[] if before == _ALWAYS else [_issued(before)]]
            for values in [[revocation.value for revocation in found]]
            for claim in _CLAIMS[kind]
        ]
    return _refusing(principals)


def _alike(revocation: Revocation) -> tuple[str, int]:
    return revocation.issuer, _ALWAYS if revocation.before is None else revocation.before


def _nobody() -> Any:
    return _refusing([rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))])


def _refusing(principals: Sequence[Any]) -> Any:
    return rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)], principals=principals)


def _workload(spiffe_id: str) -> Any:
    return rbac_pb2.Principal(authenticated={"principal_name": {"exact": spiffe_id}})


def _issued(before: int) -> Any:
    """Match tokens that were issued before a second."""
    return _matching("iat", value_pb2.ValueMatcher(double_match={"range": {"start": -1.0e18, "end": float(before)}}))


def _claim(name: str, values: Sequence[str]) -> Any:
    alternatives = [value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=value)) for value in values]
    value = value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=alternatives))
    if len(alternatives) == 1:
        value = alternatives[0]
    return _matching(name, value)


def _matching(name: str, value: Any) -> Any:
    path = [{"key": CLAIMS_KEY}, {"key": name}]
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": path, "value": value}}
    )
