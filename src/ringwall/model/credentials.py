"""What the proxies are given to prove who they are and to check who others are.

`enforce` delivers these and `identity` makes them; neither sees the other, both see these types.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ringwall.model.secret import Secret


@dataclass(frozen=True, slots=True)
class X509Credential:
    """A certificate chain (PEM, leaf first) with its private key (PEM, PKCS#8) and its validity (epoch seconds)."""

    chain_pem: bytes
    key_pem: Secret
    not_before: float
    not_after: float


class CredentialSource(Protocol):
    """Gives workload certificates; asking twice gives the same one until it is renewed."""

    def svid(self, spiffe_id: str) -> X509Credential:
        """Return the current X.509-SVID of a workload of the plan."""
        ...

    def trust_bundle(self) -> bytes:
        """Return the PEM of every root that is to be trusted now (several while roots are replaced)."""
        ...

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        """Return a development server certificate for these host names and addresses."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever something that the methods above return has changed."""
        ...


class TokenKeySource(Protocol):
    """Gives the public keys of every issuer of the plan."""

    def key_sets(self) -> Mapping[str, str]:
        """Return for each issuer name its JWK set as JSON, filtered to signature keys with a pinned algorithm."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever a key set has changed."""
        ...
