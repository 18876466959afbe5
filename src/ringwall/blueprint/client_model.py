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
    id_token_encrypted_response_alg: At[str] | None = None
    id_token_encrypted_response_enc: At[str] | None = None
    userinfo_encrypted_response_alg: At[str] | None = None
    userinfo_encrypted_response_enc: At[str] | None = None
    backchannel_logout_uri: At[str] | None = None
    jwks: tuple[Key, ...] = ()
    third_party: At[bool] | None = None
    title: At[str] | None = None
    pushed_requests: At[bool] | None = None
    device_flow: At[bool] | None = None
    certificates: Names = ()
    bound_tokens: At[bool] | None = None
    profile: At[str] | None = None
    given: frozenset[str] = frozenset()
