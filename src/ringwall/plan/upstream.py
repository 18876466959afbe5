"""Identity providers of others at which people sign in, and what is made of what they say.

The part that every protocol has is `Upstream`; what one protocol needs is a part of its own: `OidcProvider`,
`SamlProvider`. Secrets are never here: only where they lie.
"""

from enum import StrEnum
from typing import Final

from pydantic import Field

from ringwall.plan.base import Part

TENANT: Final = "{tenantid}"
"""Stands for the tenant in the URL of an issuer that has a URL for each."""


class ClientAuthentication(StrEnum):
    """How Ringwall proves to a provider who it is (OpenID Connect Core 1.0, section 9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY = "private_key_jwt"


class RoleRule(Part):
    """A role for those of whom the provider says something.

    Attributes:
        claim: where it says it; empty where everybody gets the role who signs in there.
        value: what it says: the claim itself, or one of its values.
        role: of the blueprint.
        at: `file:line` of the rule.
    """

    claim: tuple[str, ...] = ()
    value: str = ""
    role: str
    at: str


class AttributeRule(Part):
    """An attribute that is taken over.

    Attributes:
        claim: where the provider says it.
        attribute: its name in the account, and as a claim of the plan.
        at: `file:line` of the rule.
    """

    claim: tuple[str, ...]
    attribute: str
    at: str


class OidcProvider(Part):
    """An OpenID provider.

    Attributes:
        issuer: what `iss` must be, exactly; TENANT in it stands for one of `Upstream.tenants`.
        discovery: where its metadata lies.
        client_id: what Ringwall is called there.
        authentication: how it proves who it is.
        secret_file: path of the file that holds the secret, relative to the blueprint's folder.
        secret_env: environment variable that holds it.
        scopes: what is asked for.
        algorithms: with which ID tokens may be signed.
        userinfo: whether claims are asked for at the UserInfo endpoint too.
        logout: whether who signs out here is signed out there too.
    """

    issuer: str
    discovery: str
    client_id: str
    authentication: ClientAuthentication = ClientAuthentication.BASIC
    secret_file: str = ""
    secret_env: str = ""
    scopes: tuple[str, ...] = ("openid",)
    algorithms: tuple[str, ...] = Field(min_length=1)
    userinfo: bool = False
    logout: bool = False


class SamlProvider(Part):
    """A SAML 2.0 provider, from its metadata (saml-metadata-2.0-os, section 2.4.3).

    Attributes:
        entity_id: who it is.
        location: where it takes authentication requests by redirect.
        certificates: base64 DER of those that hold its keys for signatures.
        subject: the attribute that says who somebody is; empty for the NameID.
        sign_requests: whether requests to sign in are signed.
        encrypted: whether assertions must be encrypted.
        logout: whether who signs out here is signed out there too.
        logout_location: where it takes logout requests by redirect; empty where it takes none.
        logout_response_location: where it takes our answers to its own; empty where that is the same.
    """

    entity_id: str
    location: str
    certificates: tuple[str, ...] = Field(min_length=1)
    subject: str = ""
    sign_requests: bool = False
    encrypted: bool = False
    logout: bool = False
    logout_location: str = ""
    logout_response_location: str = ""


class Upstream(Part):
    """A provider at which people sign in.

    Attributes:
        name: in the blueprint, and in URLs.
        title: what people read on its button.
        oidc: how it is spoken to, where that is OpenID Connect.
        saml: how it is spoken to, where that is SAML 2.0.
        tenants: tenants whose people may sign in; all where it is empty.
        tenant_claim: where the provider names the tenant.
        create: whether who has no account gets one.
        create_for: e-mail domains whose people alone get one; all where it is empty.
        authoritative_for: e-mail domains for which the provider's word is believed, so that a verified address finds
            the account that has it.
        user_name, display_name, email, email_verified: where it says these.
        email_needs_tenant: whether a verified address counts only of somebody who has a tenant.
        roles: in the order of the blueprint.
        attributes: in the order of the blueprint.
        acr: pairs of a value of `acr` and our level.
        amr: pairs of a value of `amr` and our level.
        session_seconds: how long a sign-in there is good for, sessions and refresh tokens; 0 for as long as any other.
    """

    name: str
    title: str
    oidc: OidcProvider | None = None
    saml: SamlProvider | None = None
    tenants: tuple[str, ...] = ()
    tenant_claim: tuple[str, ...] = ()
    create: bool = False
    create_for: tuple[str, ...] = ()
    authoritative_for: tuple[str, ...] = ()
    user_name: tuple[str, ...] = ("preferred_username",)
    display_name: tuple[str, ...] = ("name",)
    email: tuple[str, ...] = ("email",)
    email_verified: tuple[str, ...] = ("email_verified",)
    email_needs_tenant: bool = False
    roles: tuple[RoleRule, ...] = ()
    attributes: tuple[AttributeRule, ...] = ()
    acr: tuple[tuple[str, str], ...] = ()
    amr: tuple[tuple[str, str], ...] = ()
    session_seconds: int = 0

    @property
    def issuer(self) -> str:
        """Who the provider is: its `iss`, or its entity ID."""
        if self.saml is not None:
            return self.saml.entity_id
        return self.oidc.issuer if self.oidc is not None else ""

    @property
    def logout(self) -> bool:
        """Whether who signs out here is signed out there too."""
        provider = self.oidc if self.saml is None else self.saml
        return provider is not None and provider.logout
