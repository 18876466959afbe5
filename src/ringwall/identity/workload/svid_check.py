"""Whether a certificate is a proper X.509-SVID. Every SVID passes here before it is handed out.

Source: the SPIFFE X.509-SVID standard, section 5 (Validation) and the sections it refers to.
"""

import datetime as dt

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ringwall.identity.workload.certificates import is_valid_at
from ringwall.model.errors import RingwallError
from ringwall.model.spiffe import SpiffeId, SpiffeIdError


class SvidError(RingwallError):
    """A certificate is not a proper X.509-SVID."""

    code = "svid"


def check_leaf(chain: list[x509.Certificate], roots: list[x509.Certificate], now: float) -> SpiffeId:
    """Return the SPIFFE ID of the leaf of `chain`, verified against `roots`; raise SvidError otherwise.

    The steps stand in the order in which they are taken.

    Args:
        chain: leaf first, then the intermediates.
        roots: X.509 bundle of the trust domain that the caller is held against.
        now: seconds since the epoch.
    """
    if not chain:
        raise SvidError("there is no certificate")
    leaf = chain[0]
    # 1. The extensions can be read at all, and none is there twice (RFC 5280 4.2).
    try:
        extensions = leaf.extensions
    except ValueError as error:
        raise SvidError("the certificate's extensions cannot be read") from error
    # 2. Exactly one URI SAN, which is a SPIFFE ID (sections 2 and 5.2).
    spiffe_id = _only_uri(extensions)
    # 3. The SPIFFE ID of a leaf has a path (sections 3.1 and 5.2).
    if not spiffe_id.path:
        raise SvidError(f"{spiffe_id} names a trust domain, not a workload")
    # 4. It is not a signing certificate: `cA` is false (sections 4.1 and 5.2).
    _check_basic(extensions, ca=False)
    # 5. Key usage is there, critical, with digitalSignature and without keyCertSign and cRLSign (sections 4.3 and 5.2).
    usage = _usage(extensions)
    if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise SvidError("the key usage of an SVID is digitalSignature, and never keyCertSign or cRLSign")
    # 6. Extended key usage, where it is there, has both serverAuth and clientAuth (section 4.4).
    _check_extended(extensions)
    # 7. The issuing certificates are of the same trust domain, where they say (section 3.2).
    for issuer in chain[1:]:
        check_signing(issuer, spiffe_id.trust_domain)
    # 8. Path validation after RFC 5280, at this time (section 5.1).
    _check_path(chain, roots, now)
    return spiffe_id


def check_signing(certificate: x509.Certificate, trust_domain: str) -> None:
    """Raise SvidError where this is not a signing certificate of the trust domain (sections 3.2, 4.1 and 4.3)."""
    extensions = certificate.extensions
    spiffe_id = _only_uri(extensions)
    if spiffe_id != SpiffeId(trust_domain, ""):
        raise SvidError(f"a signing certificate of {trust_domain} does not say {spiffe_id}")
    _check_basic(extensions, ca=True)
    usage = _usage(extensions)
    if not usage.key_cert_sign or usage.digital_signature:
        raise SvidError("the key usage of a signing certificate is keyCertSign, and never digitalSignature")


def _only_uri(extensions: x509.Extensions) -> SpiffeId:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise SvidError("there is no subject alternative name") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise SvidError(f"an SVID has exactly one URI name, this has {len(uris)}")
    try:
        return SpiffeId.parse(uris[0])
    except SpiffeIdError as error:
        raise SvidError(error.message, hint=error.hint) from error


def _check_basic(extensions: x509.Extensions, *, ca: bool) -> None:
    try:
        actual = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        actual = False  # the default, RFC 5280 4.2.1.9
    if actual is not ca:
        raise SvidError("this is a signing certificate" if actual else "this is not a signing certificate")


def _usage(extensions: x509.Extensions) -> x509.KeyUsage:
    try:
        extension = extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as error:
        raise SvidError("there is no key usage") from error
    if not extension.critical:
        raise SvidError("the key usage is not marked critical")
    return extension.value


def _check_extended(extensions: x509.Extensions) -> None:
    try:
        purposes = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= purposes:
        raise SvidError("the extended key usage of an SVID names both serverAuth and clientAuth")


def _check_path(chain: list[x509.Certificate], roots: list[x509.Certificate], now: float) -> None:
    if not roots:
        raise SvidError("there is no root to verify against")
    if not is_valid_at(chain[0], now):
        raise SvidError(
            f"the certificate is valid from {chain[0].not_valid_before_utc} to {chain[0].not_valid_after_utc}, not now"
        )
    policy = PolicyBuilder().store(Store(roots)).time(_moment(now))
    try:
        policy.build_client_verifier().verify(chain[0], chain[1:])
    except VerificationError as error:
        raise SvidError(f"no path to a trusted root: {error}") from error


def _moment(now: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(now, dt.UTC)
