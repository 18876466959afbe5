"""From what came on a connection to a certificate that an authority of the plan vouches for (RFC 5280, section 6)."""

import base64
import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError

MAX_TEXT: Final = 16_384
MAX_SHOWN: Final = 6
"""Certificates that a client may show: its own, and those between it and the authority."""
MAX_BETWEEN: Final = 3
"""Authorities between a client's certificate and one of the plan's."""
_LEAST_RSA: Final = 2048
_CONSTRAINTS: Final = (x509.DNSName, x509.IPAddress, x509.RFC822Name)
"""Name constraints that are known to be applied."""


class CertificateRefusedError(RingwallError):
    """A certificate does not show what it should.

    Attributes:
        reason: short stable name of the check that failed.
    """

    code = "certificate-refused"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_chain(text: str, *, thumbprint: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates that the edge has seen on a connection, the client's own first.

    Args:
        text: PEM blocks, percent-encoded, as Envoy writes them.
        thumbprint: SHA-256 of the client's own, as base64url: what its tokens are bound to is what is looked at here.

    Raises:
        CertificateRefusedError: there is none, or one cannot be read, or another is first.
    """
    if not 0 < len(text) <= MAX_TEXT:
        raise CertificateRefusedError("missing", "the client shows no certificate, or too many")
    try:
        found = x509.load_pem_x509_certificates(unquote(text, encoding="ascii", errors="strict").encode("ascii"))
    except ValueError:
        raise CertificateRefusedError("unreadable", "a certificate cannot be read") from None
    if len(found) > MAX_SHOWN:
        raise CertificateRefusedError("missing", f"the client shows more than {MAX_SHOWN} certificates")
    if encode_base64url(found[0].fingerprint(hashes.SHA256())) != thumbprint:
        raise CertificateRefusedError("thumbprint", "the certificate is another one than that of the connection")
    return tuple(found)


def verify_chain(shown: Sequence[x509.Certificate], *, authorities: tuple[str, ...], clock: Clock) -> x509.Certificate:
    """Return the client's own certificate if an authority vouches for it, or raise CertificateRefusedError.

    Sections are those of RFC 5280.

    1. A path of signatures leads from it to an authority of the plan (6.1.3, a.1), over what the client has shown and
       nothing else; nothing is fetched.
    2. Each certificate on it is valid now (6.1.3, a.2); nobody on it but the client's own is none of an authority
       (4.2.1.9 and 4.2.1.3), and path lengths are kept (4.2.1.9).
    3. The client's own is for clients: `clientAuth`, where it has extended key usages (4.2.1.12), and it is none of
       an authority.
    4. Names are within what its authorities may vouch for (4.2.1.10). Where these are constraints that cannot be
       applied here, it is refused, critical or not.
    5. No critical extension is unknown (4.2), and no key too weak.
    """
    own, between = shown[0], list(shown[1:])
    # A certificate for a client needs no `subjectAltName`, and which key its authority has signed it with is found out.
    policy = ExtensionPolicy.webpki_defaults_ee()
    policy = policy.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    policy = policy.may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
    try:
        verifier = (
            PolicyBuilder()
            .store(_store(authorities))
            .time(dt.datetime.fromtimestamp(clock.now(), dt.UTC))
            .max_chain_depth(MAX_BETWEEN)
            .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=policy)
            .build_client_verifier()
        )
        path = verifier.verify(own, between).chain  # 1, 2, 3, 4, 5
        constraints = [constraint for certificate in path[1:] for constraint in _constraints(certificate)]
        key = own.public_key()
    except (VerificationError, ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise CertificateRefusedError("chain", f"no authority vouches for the certificate: {error}") from None
    if not all(isinstance(constraint, _CONSTRAINTS) for constraint in constraints):  # 4
        raise CertificateRefusedError("constraints", "an authority has name constraints that cannot be applied")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:  # 5
        raise CertificateRefusedError("key", "the certificate's key is too weak")
    return own


@lru_cache(maxsize=64)
def _store(authorities: tuple[str, ...]) -> Store:
    return Store([x509.load_der_x509_certificate(base64.b64decode(text)) for text in authorities])


def _constraints(certificate: x509.Certificate) -> Sequence[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    return (*(found.permitted_subtrees or ()), *(found.excluded_subtrees or ()))
