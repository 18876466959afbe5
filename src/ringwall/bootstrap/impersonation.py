"""Lends the operator the identity of a service, in development mode, to try what that service may not do."""

from collections.abc import Mapping
from typing import Any

from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.errors import RingwallError
from ringwall.plan.model import Plan

LEND = "lend-identity"


class ImpersonationError(RingwallError):
    """The identity of a service is not given to the operator."""

    code = "impersonation"


def lend(plan: Plan, authority: WorkloadAuthority, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return certificate chain, key and trust bundle (PEM) of the service that is asked for.

    Raises:
        ImpersonationError: this is not development mode, or there is no such service of the user.
    """
    if not plan.development:
        raise ImpersonationError(
            "outside development mode nobody is given the identity of a service",
            hint="try it in development mode; the policies are the same",
        )
    service = plan.by_name.get(asked["service"])
    if service is None or service.builtin:
        raise ImpersonationError(f"there is no service {asked['service']!r} whose identity could be lent")
    held = authority.svid(service.spiffe_id)
    return {
        "chain": held.chain_pem.decode(),
        "key": held.key_pem.reveal().decode(),
        "bundle": authority.trust_bundle().decode(),
    }
