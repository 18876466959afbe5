"""What is known of providers that many people have: data, from their own documentation.

A preset fills in what the user leaves out, and nothing else. Everything that it says can be said in the blueprint too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ENTRA_TENANTS: Final = "organizations"
"""The `tenant` of Entra that stands for every organization; whoever names it lists those that are meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A kind of provider.

    Attributes:
        issuer: its `iss`; `{tenant}` is the `tenant` of the blueprint; empty where the blueprint has to say.
        issuer_hint: what such a URL looks like.
        authentication: how a client authenticates.
        scopes: what is asked for.
        algorithms: with which it signs.
        userinfo: whether its ID tokens leave out what its UserInfo endpoint says.
        tenant_claim: where a token names the tenant; empty where there is none.
        user_name: claim with a name that people know.
        email_verified: claim that says that the provider has verified the address.
        email_needs_tenant: whether a verified address of somebody without a tenant proves nothing.
        acr: its values of `acr`, and our levels.
        amr: its values of `amr`, and our levels.
    """

    issuer: str = ""
    issuer_hint: str = "https://idp.example"
    authentication: str = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256")
    userinfo: bool = False
    tenant_claim: tuple[str, ...] = ()
    user_name: tuple[str, ...] = ("preferred_username",)
    email_verified: tuple[str, ...] = ("email_verified",)
    email_needs_tenant: bool = False
    acr: Mapping[str, str] = field(default_factory=dict)
    amr: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_tenant(self) -> bool:
        """Whether its URL has the tenant in it."""
        return "{tenant}" in self.issuer


PRESETS: Final[Mapping[str, Preset]] = {
    "oidc": Preset(),
    # Addresses and user names are mutable there, and whoever runs a tenant can write any address into it. Only the
    # optional claim `xms_edov` says that the domain's owner is the tenant's ("Migrate away from using email claims
    # for user identification or authorization", Microsoft Learn).
    "entra": Preset(
        issuer="https://login.microsoftonline.com/{tenant}/v2.0",
        authentication="client_secret_post",
        algorithms=("RS256",),
        tenant_claim=("tid",),
        email_verified=("xms_edov",),
    ),
    # ID tokens that come with an access token are thin ("ID tokens", Okta Developer); levels as in "Step-up
    # authentication using ACR values".
    "okta": Preset(
        issuer_hint="https://example.okta.com, or https://example.okta.com/oauth2/default",
        algorithms=("RS256",),
        userinfo=True,
        acr={
            "urn:okta:loa:1fa:any": "pwd",
            "urn:okta:loa:1fa:pwd": "pwd",
            "urn:okta:loa:2fa:any": "mfa",
            "phr": "phr",
            "phrh": "phr",
        },
    ),
    "ping": Preset(
        issuer_hint="https://auth.pingone.eu/ENVIRONMENT-ID/as", algorithms=("RS256", "ES256"), amr={"mfa": "mfa"}
    ),
    "keycloak": Preset(issuer_hint="https://sso.example/realms/REALM"),
    # `hd` names the organization. Without it an account is a person's own, and its address may long be another's
    # ("OpenID Connect", Google Identity: authoritative only with `hd`).
    "google": Preset(
        issuer="https://accounts.google.com",
        authentication="client_secret_post",
        algorithms=("RS256",),
        tenant_claim=("hd",),
        user_name=("email",),
        email_needs_tenant=True,
    ),
    # Duende and other IdentityServers put identity claims into UserInfo, unless told otherwise.
    "identityserver": Preset(userinfo=True, algorithms=("RS256", "ES256", "PS256"), amr={"mfa": "mfa"}),
}
"""By name; `oidc` is any provider."""
