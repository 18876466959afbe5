"""Reads what SAML providers say of themselves in files beside the blueprint (saml-metadata-2.0-os, section 2.4.3)."""

import base64
import binascii
from dataclasses import replace
from typing import Any, Final

from ringwall.blueprint.files import FileRefusedError, Files
from ringwall.blueprint.issuer_model import Issuer
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At
from ringwall.blueprint.upstream_model import SamlMetadata, Upstream
from ringwall.model.xml import parse_xml

_METADATA: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_LEAST_RSA: Final = 2048
_LEAST_EC: Final = 256
_HINT: Final = "download the provider's metadata again, as XML"


def with_saml_metadata(issuers: tuple[Issuer, ...] | None, files: Files, report: Report) -> tuple[Issuer, ...] | None:
    """Return the issuers with what the metadata files of their providers say; what is wrong is reported."""
    if issuers is None or not any(upstream.saml for issuer in issuers for upstream in issuer.upstreams):
        return issuers
    return tuple(
        replace(issuer, upstreams=tuple(_with_metadata(upstream, files, report) for upstream in issuer.upstreams))
        for issuer in issuers
    )


def read_metadata(content: bytes) -> SamlMetadata:
    """Return what metadata says of the one provider in it; ValueError says why not.

    1. It is XML without a document type, so nothing is expanded or loaded. 2. It is about one provider of SAML 2.0.
    3. Every key for signatures that it has is a certificate (saml-metadata-2.0-os, section 2.4.1.1).
    """
    root = parse_xml(content, "this")  # 1
    entities = [root] if root.tag == f"{_METADATA}EntityDescriptor" else list(root.iter(f"{_METADATA}EntityDescriptor"))
    found = [(entity, role) for entity in entities for role in entity.iterchildren(f"{_METADATA}IDPSSODescriptor")]
    if len(found) != 1:  # 2
        raise ValueError(f"this is metadata of {len(found)} identity providers, and must be of one")
    entity, role = found[0]
    name = (entity.get("entityID") or "").strip()
    certificates = _certificates(role)
    if not name or not certificates:  # 2, 3
        raise ValueError("the metadata has no entityID, or no certificate for signatures")
    sign_on, logout = (_by_redirect(role, kind) for kind in ("SingleSignOnService", "SingleLogoutService"))
    return SamlMetadata(
        entity_id=name,
        location=sign_on[0],
        certificates=certificates,
        wants_signed=role.get("WantAuthnRequestsSigned", "").strip() in {"true", "1"},
        logout_location=logout[0],
        logout_response_location=logout[1],
    )


def _by_redirect(role: Any, kind: str) -> tuple[str, str]:
    """Return where a service takes requests by redirect, and where answers; empty where it does not say."""
    for each in role.iterchildren(f"{_METADATA}{kind}"):
        if each.get("Binding") == _REDIRECT:
            return each.get("Location", "").strip(), each.get("ResponseLocation", "").strip()
    return "", ""


def _certificates(role: Any) -> tuple[str, ...]:
    """Return the certificates for signatures: those without a use are for all uses."""
    from cryptography import x509  # noqa: PLC0415  # only where a blueprint speaks of SAML
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415  # as above

    found: dict[str, None] = {}
    for key in role.iterchildren(f"{_METADATA}KeyDescriptor"):
        if key.get("use", "signing") != "signing":
            continue
        for element in key.iter(f"{_SIGNATURE}X509Certificate"):
            text = "".join((element.text or "").split())
            try:
                found_key = x509.load_der_x509_certificate(base64.b64decode(text, validate=True)).public_key()
            except (binascii.Error, ValueError, UnsupportedAlgorithm):
                raise ValueError("a certificate of the metadata cannot be read") from None
            if not isinstance(found_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or found_key.key_size < (
                _LEAST_RSA if isinstance(found_key, rsa.RSAPublicKey) else _LEAST_EC
            ):
                raise ValueError("a key of the metadata is too weak, or neither RSA nor ECDSA")
            found[text] = None
    return tuple(found)


def _with_metadata(upstream: Upstream, files: Files, report: Report) -> Upstream:
    saml = upstream.saml
    if saml is None or saml.metadata is None:
        return upstream
    at: At[str] = saml.metadata
    try:
        provider = read_metadata(files.read(at.value))
    except FileRefusedError as error:
        report.error(error.code, error.message, at.span, hint=error.hint)
        return upstream
    except ValueError as error:
        report.error("bad-metadata", f"{at.value}: {error}", at.span, hint=_HINT)
        return upstream
    return replace(upstream, saml=replace(saml, provider=provider))
