"""The filter that refuses what was revoked, or is held by another: one configuration for every hop, by ECDS.

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

from ringwall.model.revocation import CLAIMS, Revocation, Revoked
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

POLICY: Final = "revoked-"
"""Begins the names of its policies; the rest is the kind."""

HELD_BY_ANOTHER: Final = "held-by-another"
_ALWAYS: Final = -1


def config(
    revocations: Iterable[Revocation],
    *,
    issuer: str = "",
    actors: Iterable[str] = (),
    bound: Mapping[str, Any] | None = None,
) -> Any:
    """Return the RBAC configuration that refuses these; with none, and no issuer, it refuses nothing.

    A token that was exchanged at `issuer` names the service that acts (`act`, RFC 8693, section 4.1). It is taken from
    that one alone, which shows it by its certificate; so it is good for nothing where it was not meant to go.

    Args:
        revocations: what is revoked.
        issuer: the built-in one; empty where there is none.
        actors: SPIFFE IDs of the services from which exchanged tokens are taken, each its own; none at the edge.
        bound: policies about bound tokens.
    """
    policies = {
        f"{POLICY}{kind}": _policy(kind, tuple(found))
        for kind, found in groupby(sorted(revocations), key=attrgetter("kind"))
    }
    policies |= bound or {}
    if issuer:
        policies[HELD_BY_ANOTHER] = _held_by_another(issuer, actors)
    return rbac_filter_pb2.RBAC(rules=rbac_pb2.RBAC(action="DENY", policies=policies or {POLICY + "none": _nobody()}))


def _held_by_another(issuer: str, actors: Iterable[str]) -> Any:
    exchanged = _matching("act", value_pb2.ValueMatcher(present_match=True), "sub")
    held = [_all(_claim("act", [actor], "sub"), _workload(actor)) for actor in actors]
    of_ours = [exchanged, _claim("iss", [issuer])]
    if held:
        rightly = rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=held))
        return _refusing([_all(*of_ours, rbac_pb2.Principal(not_id=rightly))])
    return _refusing([_all(*of_ours)])


def _all(*principals: Any) -> Any:
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))


def _policy(kind: Revoked, revocations: Sequence[Revocation]) -> Any:
    if kind is Revoked.WORKLOAD:
        principals = [_workload(revocation.value) for revocation in revocations]
    else:
        principals = [
            _all(_claim("iss", [issuer]), _claim(claim, values), *age)
            for (issuer, before), found in groupby(sorted(revocations, key=_alike), key=_alike)
            for age in [[] if before == _ALWAYS else [_issued(before)]]
            for values in [[revocation.value for revocation in found]]
            for claim in CLAIMS[kind]
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


def _claim(name: str, values: Sequence[str], *below: str) -> Any:
    alternatives = [value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=value)) for value in values]
    value = value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=alternatives))
    if len(alternatives) == 1:
        value = alternatives[0]
    return _matching(name, value, *below)


def _matching(name: str, value: Any, *below: str) -> Any:
    path = [{"key": key} for key in (CLAIMS_KEY, name, *below)]
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": path, "value": value}}
    )
