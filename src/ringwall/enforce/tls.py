"""TLS on every hop: what each side offers, presents and demands.

Key exchange offers the hybrid post-quantum group X25519MLKEM768 first (draft-ietf-tls-ecdhe-mlkem); the
inner hops are TLS 1.3 only. Certificates and trust come by SDS, so that they change without touching a listener.
"""

from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.quic.v3 import quic_transport_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2

from ringwall.enforce import names
from ringwall.enforce.proto import TRUE, ads, pack

GROUPS = ("X25519MLKEM768", "X25519", "P-256", "P-384")
"""Key exchange groups, most preferred first."""

HOP_GROUPS = ("X25519MLKEM768",)
"""What a Ringwall proxy offers when it calls another: nothing but the hybrid group.

The called side accepts all of `GROUPS`, for SPIFFE clients that are not Ringwall's.
"""

SUITES_TLS12 = (
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""Forward secret, authenticated encryption only (RFC 9325, section 4.2)."""


def _secret(name: str) -> Any:
    return secret_pb2.SdsSecretConfig(name=name, sds_config=ads())


def _uri(**match: str) -> Any:
    return common_pb2.SubjectAltNameMatcher(san_type="URI", matcher=string_pb2.StringMatcher(**match))


def _validation(san: Any) -> Any:
    """Trust the bundle, and of what it vouches for only what has this SAN."""
    return tls_pb2.CommonTlsContext.CombinedCertificateValidationContext(
        default_validation_context=common_pb2.CertificateValidationContext(match_typed_subject_alt_names=[san]),
        validation_context_sds_secret_config=_secret(names.BUNDLE_SECRET),
    )


def _tls13(groups: tuple[str, ...]) -> Any:
    return common_pb2.TlsParameters(
        tls_minimum_protocol_version="TLSv1_3", tls_maximum_protocol_version="TLSv1_3", ecdh_curves=groups
    )


def _socket(context: Any) -> Any:
    return base_pb2.TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))


def edge_socket(*, certificates: bool = False) -> Any:
    """Return the public side: TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1.

    With `certificates` a client is asked for one and need not have one. Any is taken, whoever has signed it: it proves
    that its key is there, and nothing else is concluded from it. No session of TLS is resumed then.
    """
    common = tls_pb2.CommonTlsContext(
        tls_params=common_pb2.TlsParameters(
            tls_minimum_protocol_version="TLSv1_2",
            tls_maximum_protocol_version="TLSv1_3",
            cipher_suites=SUITES_TLS12,
            ecdh_curves=GROUPS,
        ),
        tls_certificate_sds_secret_configs=[_secret(names.EDGE_CERTIFICATE)],
        alpn_protocols=["h2", "http/1.1"],
    )
    context = tls_pb2.DownstreamTlsContext(common_tls_context=common)
    if certificates:
        context.common_tls_context.validation_context.trust_chain_verification = "ACCEPT_UNTRUSTED"
        context.disable_stateless_session_resumption = True
        context.disable_stateful_session_resumption = True
    return _socket(context)


def edge_quic_socket() -> Any:
    """Return the public side of HTTP/3."""
    common = tls_pb2.CommonTlsContext(
        tls_params=common_pb2.TlsParameters(ecdh_curves=GROUPS),
        tls_certificate_sds_secret_configs=[_secret(names.EDGE_CERTIFICATE)],
        alpn_protocols=["h3"],
    )
    context = quic_transport_pb2.QuicDownstreamTransport(
        downstream_tls_context=tls_pb2.DownstreamTlsContext(common_tls_context=common)
    )
    return base_pb2.TransportSocket(name="envoy.transport_sockets.quic", typed_config=pack(context))


def inbound_socket(service: str, trust_domain: str, alpn: tuple[str, ...]) -> Any:
    """Return a service's side: its own SVID, and a client certificate of the trust domain or no connection."""
    common = tls_pb2.CommonTlsContext(
        tls_params=_tls13(GROUPS),
        tls_certificate_sds_secret_configs=[_secret(names.svid(service))],
        combined_validation_context=_validation(_uri(prefix=f"spiffe://{trust_domain}/")),
        alpn_protocols=alpn,
    )
    return _socket(
        tls_pb2.DownstreamTlsContext(
            common_tls_context=common,
            require_client_certificate=TRUE,
            # A resumed session would outlive the certificate it was opened with.
            disable_stateless_session_resumption=True,
            disable_stateful_session_resumption=True,
        )
    )


def hop_socket(caller: str, callee: str, callee_id: str, alpn: tuple[str, ...]) -> Any:
    """Return the calling side of a hop: the caller's SVID, and exactly the callee's SPIFFE ID or no connection."""
    common = tls_pb2.CommonTlsContext(
        tls_params=_tls13(HOP_GROUPS),
        tls_certificate_sds_secret_configs=[_secret(names.svid(caller))],
        combined_validation_context=_validation(_uri(exact=callee_id)),
        alpn_protocols=alpn,
    )
    return _socket(tls_pb2.UpstreamTlsContext(common_tls_context=common, sni=callee))
