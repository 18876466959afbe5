"""Workloads that are revoked get no identity any more."""

from ringwall.identity.workload.attestation import AttestationError, Attestor
from ringwall.identity.workload.processes import Caller
from ringwall.model.revocation import RevocationSource, Revoked


class UnrevokedAttestor:
    """An `Attestor` that knows everybody whom another one knows, but those that are revoked."""

    def __init__(self, attestor: Attestor, revoked: RevocationSource) -> None:
        self._attestor = attestor
        self._revoked = revoked

    def attest(self, caller: Caller) -> str:
        """Return the SPIFFE ID of the workload that the caller is part of; raise AttestationError otherwise."""
        found = self._attestor.attest(caller)
        if any(each.kind is Revoked.WORKLOAD and each.value == found for each in self._revoked.revocations()):
            raise AttestationError(f"{found} is revoked")
        return found
