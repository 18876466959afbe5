"""Certificates, keys and trust as SDS secrets."""

from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from ringwall.enforce import names
from ringwall.model.credentials import X509Credential


def certificate(name: str, credential: X509Credential) -> Any:
    """Return the secret with a certificate chain and its key."""
    return secret_pb2.Secret(
        name=name,
        tls_certificate=common_pb2.TlsCertificate(
            certificate_chain=base_pb2.DataSource(inline_bytes=credential.chain_pem),
            private_key=base_pb2.DataSource(inline_bytes=credential.key_pem.reveal()),
        ),
    )


def bundle(roots_pem: bytes) -> Any:
    """Return the secret with every root that is trusted now."""
    return secret_pb2.Secret(
        name=names.BUNDLE_SECRET,
        validation_context=common_pb2.CertificateValidationContext(
            trusted_ca=base_pb2.DataSource(inline_bytes=roots_pem)
        ),
    )
