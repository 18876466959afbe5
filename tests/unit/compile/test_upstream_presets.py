"""Each preset against documents in the form that the provider's own documentation shows.

What the issuer does with them is the running code's: discovery, ID token and mapping.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.blueprint.upstream_presets import PRESETS
from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.identity.federation.fetch import Fetched, Fetcher
from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.mapping import Mapped, map_claims, tenant_allowed
from ringwall.identity.upstream.oidc.id_token import verify_id_token
from ringwall.identity.upstream.oidc.provider import Known, Provider
from ringwall.model.clock import ManualClock
from ringwall.plan.upstream import Upstream

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
OTHER_TENANT = "11111111-2222-3333-4444-555555555555"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of Microsoft's consumer accounts."""
CLOCK = ManualClock()
NOW = int(CLOCK.now())

BLUEPRINT = """
ringwall: 1
system: clinic
roles: {{clinician: , guest: }}
issuers:
  local:
    upstreams:
      it: {{client_id: app-1, secret: {{file: s}}, {more}}}
services:
  app: {{listen: "127.0.0.1:9000", expose: /, operations: ["GET /"], allow: [{{users: any}}]}}
"""


def planned(folder: Path, more: str) -> Upstream:
    (folder / "ringwall.yaml").write_text(BLUEPRINT.format(more=more))
    return plan_files(DiskFiles(folder)).plan.upstreams[0]


class Recorded(Fetcher):
    """Answers with documents instead of asking."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        super().__init__(development=False)
        self._documents = documents

    def get(self, url: str, **_: Any) -> Fetched:
        return Fetched(json.dumps(self._documents[url]).encode(), public=True)


def _key(kid: str) -> RSAKey:
    key = make_key("RS256", kid)
    assert isinstance(key, RSAKey)
    return key


KEY = _key("kid-1")
JWK = {name: value for name, value in public_jwk(KEY).items() if name != "alg"}
"""Entra and others publish keys without `alg`."""
MICROSOFT = "https://login.microsoftonline.com"
DOCUMENTS: dict[str, dict[str, Any]] = {
    "entra": {
        "issuer": f"{MICROSOFT}/{TENANT}/v2.0",
        "authorization_endpoint": f"{MICROSOFT}/{TENANT}/oauth2/v2.0/authorize",
        "token_endpoint": f"{MICROSOFT}/{TENANT}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{MICROSOFT}/{TENANT}/discovery/v2.0/keys",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "end_session_endpoint": f"{MICROSOFT}/{TENANT}/oauth2/v2.0/logout",
        "id_token_signing_alg_values_supported": ["RS256"],
        "http_logout_supported": True,
        "tenant_region_scope": "EU",
    },
    "entra-many": {
        "issuer": f"{MICROSOFT}/{{tenantid}}/v2.0",
        "authorization_endpoint": f"{MICROSOFT}/organizations/oauth2/v2.0/authorize",
        "token_endpoint": f"{MICROSOFT}/organizations/oauth2/v2.0/token",
        "jwks_uri": f"{MICROSOFT}/organizations/discovery/v2.0/keys",
    },
    "okta": {
        "issuer": "https://example.okta.com/oauth2/default",
        "authorization_endpoint": "https://example.okta.com/oauth2/default/v1/authorize",
        "token_endpoint": "https://example.okta.com/oauth2/default/v1/token",
        "userinfo_endpoint": "https://example.okta.com/oauth2/default/v1/userinfo",
        "jwks_uri": "https://example.okta.com/oauth2/default/v1/keys",
        "end_session_endpoint": "https://example.okta.com/oauth2/default/v1/logout",
        "acr_values_supported": ["urn:okta:loa:1fa:any", "urn:okta:loa:2fa:any", "phr", "phrh"],
    },
    "ping": {
        "issuer": "https://auth.pingone.eu/env-1/as",
        "authorization_endpoint": "https://auth.pingone.eu/env-1/as/authorize",
        "token_endpoint": "https://auth.pingone.eu/env-1/as/token",
        "userinfo_endpoint": "https://auth.pingone.eu/env-1/as/userinfo",
        "jwks_uri": "https://auth.pingone.eu/env-1/as/jwks",
        "end_session_endpoint": "https://auth.pingone.eu/env-1/as/signoff",
    },
    "keycloak": {
        "issuer": "https://sso.example/realms/clinic",
        "authorization_endpoint": "https://sso.example/realms/clinic/protocol/openid-connect/auth",
        "token_endpoint": "https://sso.example/realms/clinic/protocol/openid-connect/token",
        "jwks_uri": "https://sso.example/realms/clinic/protocol/openid-connect/certs",
        "end_session_endpoint": "https://sso.example/realms/clinic/protocol/openid-connect/logout",
        "authorization_response_iss_parameter_supported": True,
    },
    "google": {
        "issuer": "https://accounts.google.com",
        "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
        "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
        "id_token_signing_alg_values_supported": ["RS256"],
    },
    "identityserver": {
        "issuer": "https://demo.duendesoftware.com",
        "jwks_uri": "https://demo.duendesoftware.com/.well-known/openid-configuration/jwks",
        "authorization_endpoint": "https://demo.duendesoftware.com/connect/authorize",
        "token_endpoint": "https://demo.duendesoftware.com/connect/token",
        "userinfo_endpoint": "https://demo.duendesoftware.com/connect/userinfo",
        "end_session_endpoint": "https://demo.duendesoftware.com/connect/endsession",
        "authorization_response_iss_parameter_supported": True,
    },
}
WHERE = {
    "entra": f"{MICROSOFT}/{TENANT}/v2.0",
    "entra-many": f"{MICROSOFT}/organizations/v2.0",
}
BLUEPRINTS = {
    "entra": f"preset: entra, tenant: {TENANT}",
    "entra-many": f"preset: entra, tenant: organizations, tenants: [{TENANT}]",
    "google": "preset: google, tenants: [clinic.example]",
    **{
        name: f'preset: {name}, issuer: "{DOCUMENTS[name]["issuer"]}"'
        for name in ("okta", "ping", "keycloak", "identityserver")
    },
}
STANDARD = {"aud": "app-1", "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "nonce": "n-1"}
TOKENS: dict[str, dict[str, Any]] = {
    "entra": {
        "ver": "2.0",
        "iss": f"{MICROSOFT}/{TENANT}/v2.0",
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "name": "Abe Lincoln",
        "preferred_username": "AbeLi@clinic.example",
        "email": "abeli@clinic.example",
        "oid": "00000000-0000-0000-66f3-3332eca7ea81",
        "tid": TENANT,
        "roles": ["Doctors"],
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "rh": "0.AAAA",
    },
    "okta": {
        "ver": 1,
        "iss": "https://example.okta.com/oauth2/default",
        "sub": "00uid4BxXw6I6TV4m0g3",
        "jti": "ID.4eAWJOCMB3SX8XewDfVR",
        "amr": ["mfa", "otp", "pwd"],
        "idp": "00oigpTeBgLcIbGXk0h7",
        "preferred_username": "abe@clinic.example",
        "auth_time": NOW,
        "at_hash": "3-PLhXgoU9dI1KCTwCZ3yw",
        "acr": "urn:okta:loa:2fa:any",
    },
    "ping": {
        "iss": "https://auth.pingone.eu/env-1/as",
        "sub": "1f4ee2b1-0f0a-4f0c-9f0e-6f7b7c7d8e9f",
        "acr": "Single_Factor",
        "amr": ["mfa"],
        "auth_time": NOW,
        "sid": "ec1b7e2a",
        "env": "env-1",
        "org": "org-1",
        "preferred_username": "abe",
        "email": "abe@clinic.example",
    },
    "keycloak": {
        "iss": "https://sso.example/realms/clinic",
        "sub": "a93f0c62-5a8e-4f3d-9c53-8a2f9a0f4b2e",
        "typ": "ID",
        "azp": "app-1",
        "sid": "0b2e1f7d",
        "acr": "1",
        "auth_time": NOW,
        "email_verified": True,
        "name": "Abe Lincoln",
        "preferred_username": "abe",
        "email": "abe@clinic.example",
    },
    "google": {
        "iss": "https://accounts.google.com",
        "azp": "app-1",
        "sub": "10769150350006150715113082367",
        "hd": "clinic.example",
        "email": "abe@clinic.example",
        "email_verified": True,
        "name": "Abe Lincoln",
        "picture": "https://lh3.example/photo.jpg",
    },
    "identityserver": {
        "iss": "https://demo.duendesoftware.com",
        "sub": "11",
        "amr": ["pwd"],
        "auth_time": NOW,
        "idp": "local",
        "sid": "9A2C1F",
    },
}
TOKENS["entra-many"] = TOKENS["entra"]


def asked(name: str, folder: Path, **document: Any) -> tuple[Upstream, Known]:
    upstream = planned(folder, BLUEPRINTS[name])
    assert upstream.oidc is not None
    base = WHERE.get(name, DOCUMENTS[name]["issuer"])
    documents = {
        f"{base}/.well-known/openid-configuration": {**DOCUMENTS[name], **document},
        DOCUMENTS[name]["jwks_uri"]: {"keys": [{**JWK, "x5c": ["MIIC"], "x5t": "kid-1", "issuer": base}]},
    }
    provider = Provider("it", upstream.oidc, fetcher=Recorded(documents), clock=CLOCK, development=False)
    return upstream, asyncio.run(provider.known())


def verified(name: str, folder: Path, **changes: Any) -> tuple[Upstream, dict[str, Any]]:
    upstream, known = asked(name, folder)
    claims = {**STANDARD, **TOKENS[name], **changes}
    claims = {key: value for key, value in claims.items() if value is not None and key != "at_hash"}
    header = {"alg": "RS256", "kid": "kid-1", "typ": "JWT"}
    text = sign(header, json.dumps(claims), KEY)
    done = verify_id_token(text, upstream=upstream, keys=known.keys, nonce="n-1", access_token="at", clock=CLOCK)
    return upstream, dict(done.claims)


def mapped(name: str, folder: Path, **changes: Any) -> Mapped:
    return map_claims(*verified(name, folder, **changes))


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_discovery_and_id_token_of_the_documentations_form_are_taken(name: str, tmp_path: Path) -> None:
    upstream, claims = verified(name, tmp_path)
    assert tenant_allowed(upstream, claims)
    _, known = asked(name, tmp_path)
    assert known.token_endpoint == DOCUMENTS[name]["token_endpoint"]
    assert upstream.oidc is not None
    methods = DOCUMENTS[name].get("token_endpoint_auth_methods_supported")
    assert methods is None or upstream.oidc.authentication in methods


def test_every_preset_is_tested() -> None:
    assert {name.partition("-")[0] for name in BLUEPRINTS} == PRESETS.keys() - {"oidc"}


# Entra ID: addresses are mutable and unverified, tenants are many


@pytest.mark.parametrize(
    "verified_by", [{}, {"email_verified": True}, {"xms_edov": False}, {"xms_edov": "0"}], ids=repr
)
def test_an_address_of_entra_counts_only_where_the_domains_owner_is_the_tenants(
    tmp_path: Path, verified_by: dict[str, Any]
) -> None:
    """nOAuth: whoever runs a tenant writes any address into it."""
    assert mapped("entra", tmp_path, **verified_by).email == ""


@pytest.mark.parametrize("verified_by", [True, "1", 1, "true"])
def test_xms_edov_is_believed(tmp_path: Path, verified_by: Any) -> None:
    assert mapped("entra", tmp_path, xms_edov=verified_by).email == "abeli@clinic.example"


@pytest.mark.parametrize("tenant", [OTHER_TENANT, PERSONAL, "{tenantid}", "organizations", f"{TENANT}/v2.0/.."])
@pytest.mark.parametrize("name", ["entra", "entra-many"])
def test_other_tenants_of_entra_are_refused(tmp_path: Path, name: str, tenant: str) -> None:
    with pytest.raises(UpstreamRefusedError):
        verified(name, tmp_path, iss=f"{MICROSOFT}/{tenant}/v2.0", tid=tenant)


def test_tid_must_be_that_of_the_issuer(tmp_path: Path) -> None:
    with pytest.raises(UpstreamRefusedError, match="another tenant"):
        verified("entra-many", tmp_path, tid=OTHER_TENANT)
    upstream, claims = verified("entra", tmp_path, tid=OTHER_TENANT)
    assert not tenant_allowed(upstream, claims)


def test_the_template_of_many_tenants_is_no_issuer_of_one(tmp_path: Path) -> None:
    upstream = planned(tmp_path, BLUEPRINTS["entra"])
    assert upstream.oidc is not None
    base = f"{MICROSOFT}/{TENANT}/v2.0"
    document = {**DOCUMENTS["entra"], "issuer": f"{MICROSOFT}/{{tenantid}}/v2.0"}
    fetcher = Recorded({f"{base}/.well-known/openid-configuration": document})
    provider = Provider("it", upstream.oidc, fetcher=fetcher, clock=CLOCK, development=False)
    with pytest.raises(Exception, match="belongs to the issuer"):
        asyncio.run(provider.known())


def test_groups_that_entra_leaves_out_because_they_are_many_are_told(tmp_path: Path) -> None:
    more = f'preset: entra, tenant: {TENANT}, roles: {{claim: groups, map: {{"g-1": clinician}}}}'
    upstream = planned(tmp_path, more)
    overage = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}
    done = map_claims(upstream, overage)
    assert done.roles == ()
    assert any("groups" in sentence for sentence in done.left_out)


# Google: only `hd` says that an account is an organization's


def test_an_address_of_google_counts_only_of_an_organizations_account(tmp_path: Path) -> None:
    assert mapped("google", tmp_path).email == "abe@clinic.example"
    assert mapped("google", tmp_path, hd=None).email == ""
    assert mapped("google", tmp_path, email_verified=False).email == ""


@pytest.mark.parametrize("hd", [None, "evil.example", "", ["clinic.example"]])
def test_other_organizations_of_google_are_refused(tmp_path: Path, hd: Any) -> None:
    assert not tenant_allowed(*verified("google", tmp_path, hd=hd))


# Levels


@pytest.mark.parametrize(
    ("name", "changes", "level"),
    [
        ("okta", {}, "mfa"),
        ("okta", {"acr": "phr"}, "phr"),
        ("okta", {"acr": "urn:okta:loa:1fa:any"}, "pwd"),
        ("okta", {"acr": "made-up", "amr": ["mfa"]}, "pwd"),
        ("ping", {}, "mfa"),
        ("ping", {"amr": ["pwd"]}, "pwd"),
        ("keycloak", {"acr": "2"}, "pwd"),
        ("identityserver", {"amr": ["mfa"]}, "mfa"),
        ("entra", {"acr": "1", "amr": ["mfa"]}, "pwd"),
        ("google", {"acr": "phr", "amr": ["hwk"]}, "pwd"),
    ],
    ids=repr,
)
def test_a_level_is_believed_only_as_the_preset_knows_it(
    tmp_path: Path, name: str, changes: dict[str, Any], level: str
) -> None:
    assert mapped(name, tmp_path, **changes).level == level


def test_what_the_blueprint_says_replaces_what_the_preset_knows(tmp_path: Path) -> None:
    more = f'{BLUEPRINTS["okta"]}, acr: {{"phr": mfa}}, scopes: [groups], userinfo: false, user_name: [a.b, c]'
    upstream = planned(tmp_path, more)
    assert upstream.acr == (("phr", "mfa"),)
    assert upstream.user_name == ("a.b", "c")
    assert upstream.oidc is not None
    assert (upstream.oidc.scopes, upstream.oidc.userinfo) == (("openid", "groups"), False)
