"""What the user wrote about clients, as typed values."""

from dataclasses import dataclass

from ringwall.blueprint.shape import At, ClaimValue, Key, Names
from ringwall.model.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of the built-in issuer."""

    name: At[str]
    span: Span
    roles: Names = ()
    scopes: Names = ()
    claims: tuple[tuple[At[str], ClaimValue], ...] = ()
    kind: At[str] | None = None
    redirect_uris: Names = ()
    post_logout_redirect_uris: Names = ()
    id_token_signed_response_alg: At[str] | None = None
    userinfo_signed_response_alg: At[str] | None = None
    id_token_encrypted_response_alg: At[str] | None = None
    id_token_encrypted_response_enc: At[str] | None = None
    userinfo_encrypted_response_alg: At[str] | None = None
    userinfo_encrypted_response_enc: At[str] | None = None
    introspection_encrypted_response_alg: At[str] | None = None
    introspection_encrypted_response_enc: At[str] | None = None
    backchannel_logout_uri: At[str] | None = None
    jwks: tuple[Key, ...] = ()
    jwks_uri: At[str] | None = None
    subject_type: At[str] | None = None
    sector_identifier_uri: At[str] | None = None
    third_party: At[bool] | None = None
    title: At[str] | None = None
    pushed_requests: At[bool] | None = None
    device_flow: At[bool] | None = None
    certificates: Names = ()
    tls_client_auth_subject_dn: At[str] | None = None
    tls_client_auth_san_dns: At[str] | None = None
    tls_client_auth_san_uri: At[str] | None = None
    tls_client_auth_san_ip: At[str] | None = None
    tls_client_auth_san_email: At[str] | None = None
    authorities: At[str] | None = None
    authorities_read: tuple[str, ...] = ()
    bound_tokens: At[bool] | None = None
    profile: At[str] | None = None
    given: frozenset[str] = frozenset()

    @property
    def certificate_subjects(self) -> tuple[tuple[str, At[str]], ...]:
        """What its certificate must say, by key; one at most is right."""
        named = {
            "tls_client_auth_subject_dn": self.tls_client_auth_subject_dn,
            "tls_client_auth_san_dns": self.tls_client_auth_san_dns,
            "tls_client_auth_san_uri": self.tls_client_auth_san_uri,
            "tls_client_auth_san_ip": self.tls_client_auth_san_ip,
            "tls_client_auth_san_email": self.tls_client_auth_san_email,
        }
        return tuple((key, at) for key, at in named.items() if at is not None)
