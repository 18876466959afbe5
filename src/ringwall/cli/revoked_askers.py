"""What revocations mean for a question that is only asked: whose token would be refused, and which callers."""

from dataclasses import replace
from pathlib import Path

from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.reading import RevocationReader
from ringwall.model.clock import SystemClock
from ringwall.model.revocation import Revoked
from ringwall.observe.askers import Asker
from ringwall.plan.model import Plan


class RevokedAskers:
    """Knows what is revoked in one system, whether it runs or not."""

    def __init__(self, plan: Plan, state: Path) -> None:
        self._plan = plan
        self._known = RevocationReader(state / REVOCATIONS_FILE, SystemClock())

    def checked(self, asker: Asker) -> Asker:
        """Return the asker as one whose token is disbelieved, where it is revoked."""
        if asker.claims is None or asker.disbelieved:
            return asker
        claims = dict(asker.claims)
        if claims.get("sub") in {client.name for client in self._plan.clients}:
            claims.setdefault("client_id", claims["sub"])  # a client's own tokens say so (RFC 9068, section 2.2)
        found = self._known.of_token(claims)
        if found is None:
            return asker
        return replace(asker, disbelieved=f"the {found.kind} is revoked; `ringwall revoke list` says until when")

    def workloads(self) -> frozenset[str]:
        """Return the names of the services that are revoked."""
        return frozenset(
            service.name
            for service in self._plan.services
            if self._known.find(Revoked.WORKLOAD, service.spiffe_id) is not None
        )
