"""Reads the certificates of those who vouch for clients, in PEM files beside the blueprint (RFC 8705, section 2.1)."""

import base64
from dataclasses import replace
from typing import Final

from ringwall.blueprint.files import FileRefusedError, Files
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At

MOST: Final = 20
"""Certificates in one file: all of them go with the plan to the issuer."""
_HINT: Final = "one or more CERTIFICATE blocks, each of an authority"


def with_client_authorities(blueprint: Blueprint, files: Files, report: Report) -> Blueprint:
    """Return the blueprint with what the files of authorities hold; what is wrong is reported."""
    edge = blueprint.edge
    if edge is not None and edge.client_authorities is not None:
        edge = replace(edge, client_authorities_read=_read(edge.client_authorities, files, report))
    clients = tuple(
        replace(client, authorities_read=_read(client.authorities, files, report)) if client.authorities else client
        for client in blueprint.clients
    )
    return replace(blueprint, edge=edge, clients=clients)


def read_authorities(content: bytes) -> tuple[str, ...]:
    """Return the authorities of a PEM file, base64 DER each; ValueError says why not.

    1. There are certificates, not too many, and no private key beside them. 2. Each may sign others: `cA` of
    `basicConstraints` (RFC 5280, section 4.2.1.9) and `keyCertSign` of `keyUsage` (section 4.2.1.3).
    """
    from cryptography import x509  # noqa: PLC0415  # only where a blueprint names authorities
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # as above

    if b"PRIVATE KEY" in content:  # 1
        raise ValueError("a private key has no place in it; make a new one, as this one has been copied")
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError("this is no PEM file of certificates") from None
    if len(found) > MOST:
        raise ValueError(f"there are more than {MOST} certificates in it")
    for certificate in found:  # 2
        try:
            extensions = certificate.extensions
            may = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
            may = may and extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
            may = False
        if not may:
            number = found.index(certificate) + 1
            raise ValueError(f"certificate {number} is none of an authority (`CA:TRUE`, `keyCertSign`)")
    return tuple(base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in found)


def _read(at: At[str], files: Files, report: Report) -> tuple[str, ...]:
    try:
        return read_authorities(files.read(at.value))
    except FileRefusedError as error:
        report.error(error.code, error.message, at.span, hint=error.hint)
    except ValueError as error:
        report.error("bad-authorities", f"{at.value}: {error}", at.span, hint=_HINT)
    return ()
