"""Headers by which a service learns who is asking. No client can set them: every hop removes them first."""

from typing import Final

SUBJECT: Final = "x-ringwall-subject"
"""`sub` of the verified token; absent without one."""
ISSUER: Final = "x-ringwall-issuer"
"""`iss` of the verified token."""
ROLES: Final = "x-ringwall-roles"
"""The token's list of roles as a JSON array."""
CALLER: Final = "x-ringwall-caller"
"""SPIFFE ID of the calling workload, from its certificate."""
OPERATION: Final = "x-ringwall-operation"
"""Operation id of the plan."""
ROUTED_PATH: Final = "x-ringwall-path"
"""The path without its query, for the edge's own choice of a route table; never reaches a service."""
WANTS_A_PAGE: Final = "x-ringwall-page"
"""Set by the edge where a browser asks for a page without a token of its own; never reaches a service."""
CROSS_SITE: Final = "x-ringwall-cross-site"
"""Set by the edge where a page of another site makes a browser change something by its session."""
REQUEST_ID: Final = "x-request-id"
"""Made by the edge; the same at every hop, in every log record and in every error answer."""

CLIENT_CERTIFICATES: Final = "x-client-certificate-*"
"""What the edge says to the issuer about the certificate on a client's connection; removed from what arrives."""
CLIENT_CERTIFICATE: Final = "x-client-certificate-sha256"
"""SHA-256, as base64url, of the certificate on a client's connection. The edge says it to the issuer alone."""
CLIENT_CERTIFICATE_CHAIN: Final = "x-client-certificate-chain"
"""That certificate and what the client has shown with it, as percent-encoded PEM; where somebody needs it."""

IDENTITY_HEADERS: Final = (SUBJECT, ISSUER, ROLES, CALLER, OPERATION)
"""Everything that is removed from what arrives, and set anew."""

FORWARDED_FOR: Final = "x-forwarded-for"
"""The client's address as the edge saw it, and nothing else. Believe it where `CALLER` is the edge: a service that
calls another without its outbound listener, as a SPIFFE client of its own, can still set it."""

FORWARDED_PROTO: Final = "x-forwarded-proto"
"""`https` for what came through the edge; to be believed where `FORWARDED_FOR` is."""
FORWARDED_HOST: Final = "x-forwarded-host"
"""Host, and port unless it is the scheme's own, that was asked for; the same as `Host`."""
FORWARDED_PREFIX: Final = "x-forwarded-prefix"
"""The service's path prefix at the edge, which was removed; absent where it has none. To be believed where
`FORWARDED_FOR` is."""
FORWARDED: Final = (FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PREFIX)
"""What an application needs to write URLs that lead back to it."""

FORGEABLE: Final = (
    "x-ringwall-*",
    "x-envoy-*",
    "x-forwarded-*",
    CLIENT_CERTIFICATES,
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
)
"""Other headers by which a client could claim to be, or to ask for, something else; a `*` ends a prefix."""
