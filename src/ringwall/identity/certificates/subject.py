"""Whether a certificate names the client that it should (RFC 8705, section 2.1.2)."""

import ipaddress

from cryptography import x509

from ringwall.model.distinguished_names import comparable, read_name
from ringwall.plan.certificate import CertificateSubject, SubjectKind


def names(certificate: x509.Certificate, subject: CertificateSubject) -> bool:
    """Return whether a certificate that somebody vouches for is about a subject.

    A distinguished name is compared by `distinguishedNameMatch`; it is the whole subject or nothing. For the others one
    of the entries of `subjectAltName` must be it: a host name without regard to case, and never by a wildcard, a URI
    letter by letter, an address as the number that it is (RFC 5952, section 8), an e-mail address but for the case of
    its host (RFC 5280, section 7.5). What the subject calls itself, in its common name, counts for none of these.
    """
    try:
        if subject.kind is SubjectKind.DN:
            return comparable(certificate.subject) == read_name(subject.value)
        names_found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    if subject.kind is SubjectKind.DNS:
        return subject.value in {_lower(name) for name in names_found.get_values_for_type(x509.DNSName)}
    if subject.kind is SubjectKind.URI:
        return subject.value in names_found.get_values_for_type(x509.UniformResourceIdentifier)
    if subject.kind is SubjectKind.IP:
        return ipaddress.ip_address(subject.value) in names_found.get_values_for_type(x509.IPAddress)
    return subject.value in {_host_lower(name) for name in names_found.get_values_for_type(x509.RFC822Name)}


def _lower(text: str) -> str:
    """Return ASCII in lower case: no other letter becomes one of ASCII, as the Kelvin sign would."""
    return text.lower() if text.isascii() else text


def _host_lower(text: str) -> str:
    local, at, host = text.rpartition("@")
    return f"{local}{at}{_lower(host)}"
