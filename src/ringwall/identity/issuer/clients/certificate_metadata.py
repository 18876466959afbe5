"""What clients that register themselves say of their certificates (RFC 8705, sections 2.1.2 and 3.4)."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.model import certificate_names
from ringwall.model.distinguished_names import read_name
from ringwall.plan.certificate import VOUCHED, CertificateSubject, SubjectKind

BOUND: Final = "tls_client_certificate_bound_access_tokens"
SUBJECTS: Final = tuple(kind.value for kind in SubjectKind)
_LONGEST: Final = 1000
_FORMS: Final = {
    SubjectKind.DNS: certificate_names.DNS_NAME,
    SubjectKind.URI: certificate_names.URI,
    SubjectKind.EMAIL: certificate_names.EMAIL,
}


def certificate_of(asked: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return what its certificate must say: exactly one thing where it authenticates so, and nothing otherwise.

    Tokens of such a client are bound to its certificate whether it asks for that or not.
    """
    if method != VOUCHED:
        return {}
    named = [kind for kind in SubjectKind if kind.value in asked]
    if len(named) != 1:
        raise MetadataRefusedError(f"{VOUCHED} needs one of {', '.join(SUBJECTS)}")
    kind = named[0]
    try:
        return {kind.value: _checked(kind, asked[kind.value]), BOUND: True}
    except ValueError:
        raise MetadataRefusedError(f"`{kind.value}` is malformed") from None


def subject_of(metadata: Mapping[str, Any]) -> CertificateSubject | None:
    """Return what the certificate of a registered client must say; None where it authenticates otherwise."""
    if metadata["token_endpoint_auth_method"] != VOUCHED:
        return None
    return next(CertificateSubject(kind=kind, value=metadata[kind]) for kind in SubjectKind if kind.value in metadata)


def _checked(kind: SubjectKind, value: str) -> str:
    """Return the value as certificates are compared with it; ValueError where none could be it."""
    if len(value) > _LONGEST:
        raise ValueError
    if kind is SubjectKind.DN:
        read_name(value)
        return value
    if kind is SubjectKind.IP:
        return str(ipaddress.ip_address(value))
    if not re.fullmatch(_FORMS[kind].rstrip("$"), value, re.ASCII):
        raise ValueError
    if kind is SubjectKind.DNS:
        return value.lower()
    return certificate_names.mail_address(value) if kind is SubjectKind.EMAIL else value
