"""Whose certificate proves that somebody is a client (RFC 8705, section 2.1)."""

from enum import StrEnum
from typing import Final

from ringwall.plan.base import Part

VOUCHED: Final = "tls_client_auth"
"""How a client authenticates by a certificate that an authority vouches for."""


class SubjectKind(StrEnum):
    """Which part of a certificate names its client, as metadata of clients call it (RFC 8705, section 2.1.2)."""

    DN = "tls_client_auth_subject_dn"
    DNS = "tls_client_auth_san_dns"
    URI = "tls_client_auth_san_uri"
    IP = "tls_client_auth_san_ip"
    EMAIL = "tls_client_auth_san_email"


class CertificateSubject(Part):
    """What a client's certificate must say.

    Attributes:
        kind: where it says so.
        value: what: a name of RFC 4514, or what an entry of `subjectAltName` holds. Host names are in lower case.
    """

    kind: SubjectKind
    value: str
