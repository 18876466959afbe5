"""A revoked workload gets no identity."""

import pytest

from ringwall.identity.revocation.workloads import UnrevokedAttestor
from ringwall.identity.workload.attestation import AttestationError
from ringwall.identity.workload.processes import Caller
from ringwall.model.revocation import NothingRevoked, Revocation, Revoked

PORTAL = "spiffe://test/service/portal"


class Everybody:
    def attest(self, caller: Caller) -> str:  # noqa: ARG002  # the protocol's
        return PORTAL


class OneRevoked(NothingRevoked):
    def __init__(self, *revocations: Revocation) -> None:
        self._revocations = revocations

    def revocations(self) -> tuple[Revocation, ...]:
        return self._revocations


def attest(*revocations: Revocation) -> str:
    caller: Caller = None  # type: ignore[assignment]  # nobody looks at it here
    return UnrevokedAttestor(Everybody(), OneRevoked(*revocations)).attest(caller)


def test_who_is_revoked_is_nobody() -> None:
    with pytest.raises(AttestationError, match="revoked"):
        attest(Revocation(Revoked.WORKLOAD, PORTAL))


def test_others_are_who_they_are() -> None:
    assert attest(Revocation(Revoked.WORKLOAD, PORTAL + "2"), Revocation(Revoked.USER, PORTAL, "i")) == PORTAL
