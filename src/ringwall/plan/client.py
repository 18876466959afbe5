"""A client of the built-in issuer."""

from enum import StrEnum

from pydantic import Field

from ringwall.plan.base import Part
from ringwall.plan.certificate import CertificateSubject


class ClientKind(StrEnum):
    """What a client is, which decides which grants it may use (RFC 6749, section 2.1; RFC 8252)."""

    MACHINE = "machine"
    WEB = "web"
    NATIVE = "native"
    BROWSER = "browser"


class Profile(StrEnum):
    """A set of rules that somebody else has written down, which an issuer can follow as a whole."""

    FAPI2 = "fapi2"
    OIDC_CERTIFICATION = "oidc_certification"
    """Less than Ringwall's own rules: clients with a secret or a key may do without PKCE. On loopback only."""


class Client(Part):
    """A client of the built-in issuer, outside the system.

    Attributes:
        kind: a machine asks for tokens of its own; the others sign people in. Native and browser applications
            cannot keep a secret, so they have none.
        scopes: scopes it may ask for.
        redirect_uris: where people are sent after they signed in, compared exactly.
        post_logout_redirect_uris: where they may be sent after they signed out.
        id_token_signed_response_alg: what its ID tokens and logout tokens are signed with (the same section 2).
        id_token_encrypted_response_alg, id_token_encrypted_response_enc: how its ID tokens and logout tokens are
            encrypted for the key in its `jwks` that is for that (the same section 2); empty where they are not.
        userinfo_encrypted_response_alg, userinfo_encrypted_response_enc: the same of what it asks about people.
        introspection_encrypted_response_alg, introspection_encrypted_response_enc: the same of what it asks about
            tokens (RFC 9701, section 6).
        backchannel_logout_uri: where it is told of sign-ins that have ended (OpenID Connect Back-Channel Logout 1.0,
            section 2.2); empty where it is not.
        third_party: whether people are asked before it learns about them.
        title: what people are told that it is called; empty for its name.
        userinfo_signed_response_alg: what is signed with which it is told about people; empty for plain JSON.
        jwks: public keys by which it proves who it is, a JWK set as JSON; empty where it has a secret or nothing.
        jwks_uri: where it keeps such keys itself, in place of `jwks`; empty where it does not.
        sector: clients of the same sector know a person by the same name, and no others do (OpenID Connect Core 1.0,
            section 8.1); empty where it knows people by the name that the system has for them.
        pushed_requests: whether it must push its authorization requests (RFC 9126, section 5).
        device_flow: whether devices with it may wait for a person to let them in (RFC 8628).
        bound_tokens: whether it only ever gets tokens that are bound to a key (RFC 9449, section 5.2; RFC 8705).
        certificates: SHA-256, as base64url, of each certificate by which it proves who it is (RFC 8705, section 2.2).
        certificate_subject: what its certificate says where an authority vouches for it (RFC 8705, section 2.1).
        authorities: those authorities, base64 DER of their certificates; empty for those of the edge.
        profile: what the issuer follows for it, besides its own rules.
        links: what people may read about it, as pairs of a kind and an address: only of one that has registered itself.
        request_uris: where its signed requests lie that it may name (OpenID Connect Core 1.0, section 6.2).
        default_max_age: how long ago people may have signed in where it does not say; None for any time.
        default_acr_values: how surely people must have signed in where it does not say.
    """

    name: str
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    claims: tuple[tuple[str, str | int | bool | tuple[str, ...]], ...] = ()
    kind: ClientKind = Field(default=ClientKind.MACHINE, exclude_if=lambda kind: kind is ClientKind.MACHINE)
    redirect_uris: tuple[str, ...] = Field(default=(), exclude_if=lambda uris: not uris)
    post_logout_redirect_uris: tuple[str, ...] = Field(default=(), exclude_if=lambda uris: not uris)
    id_token_signed_response_alg: str = Field(default="ES256", exclude_if=lambda alg: alg == "ES256")
    id_token_encrypted_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    id_token_encrypted_response_enc: str = Field(default="", exclude_if=lambda enc: not enc)
    userinfo_encrypted_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    userinfo_encrypted_response_enc: str = Field(default="", exclude_if=lambda enc: not enc)
    introspection_encrypted_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    introspection_encrypted_response_enc: str = Field(default="", exclude_if=lambda enc: not enc)
    backchannel_logout_uri: str = Field(default="", exclude_if=lambda uri: not uri)
    third_party: bool = Field(default=False, exclude_if=lambda third_party: not third_party)
    title: str = Field(default="", exclude_if=lambda title: not title)
    userinfo_signed_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    jwks: str = Field(default="", exclude_if=lambda jwks: not jwks)
    jwks_uri: str = Field(default="", exclude_if=lambda uri: not uri)
    sector: str = Field(default="", exclude_if=lambda sector: not sector)
    pushed_requests: bool = Field(default=False, exclude_if=lambda pushed: not pushed)
    device_flow: bool = Field(default=False, exclude_if=lambda device: not device)
    bound_tokens: bool = Field(default=False, exclude_if=lambda bound: not bound)
    certificates: tuple[str, ...] = Field(default=(), exclude_if=lambda certificates: not certificates)
    certificate_subject: CertificateSubject | None = Field(default=None, exclude_if=lambda subject: subject is None)
    authorities: tuple[str, ...] = Field(default=(), exclude_if=lambda authorities: not authorities)
    profile: Profile | None = Field(default=None, exclude_if=lambda profile: profile is None)
    links: tuple[tuple[str, str], ...] = Field(default=(), exclude_if=lambda links: not links)
    request_uris: tuple[str, ...] = Field(default=(), exclude_if=lambda uris: not uris)
    default_max_age: int | None = Field(default=None, exclude_if=lambda seconds: seconds is None)
    default_acr_values: tuple[str, ...] = Field(default=(), exclude_if=lambda values: not values)

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret (RFC 6749, section 2.1)."""
        return self.kind is ClientKind.NATIVE or self.kind is ClientKind.BROWSER

    @property
    def signs_people_in(self) -> bool:
        """Whether it may send people to the issuer."""
        return self.kind is not ClientKind.MACHINE
