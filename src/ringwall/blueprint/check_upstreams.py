"""Whether people could sign in at the providers that the blueprint names."""

import re
from typing import Final
from urllib.parse import urlsplit

from ringwall.blueprint.issuer_model import Issuer
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At
from ringwall.blueprint.upstream_model import Upstream
from ringwall.blueprint.upstream_presets import ENTRA_TENANTS, PRESETS, Preset
from ringwall.blueprint.values import Endpoint

_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


_OIDC_KEYS: Final = frozenset(
    {
        *("preset", "issuer", "discovery", "tenant", "tenants", "client_id", "secret", "authentication"),
        *("scopes", "algorithms", "userinfo", "amr"),
    }
)
"""What means nothing to a SAML provider."""


def check_upstreams(blueprint: Blueprint, report: Report) -> None:
    """Report what is missing, too much, or dangling."""
    for issuer in blueprint.issuers or ():
        if issuer.upstreams and not issuer.builtin:
            hint = "its tokens are believed as they are; people are sent elsewhere by the built-in issuer only"
            message = f"the issuer of others {issuer.name.value!r} has no 'upstreams'"
            report.error("wrong-key", message, issuer.upstreams[0].name.span, hint=hint)
            continue
        for upstream in issuer.upstreams:
            _Checker(blueprint, upstream, report).run()
        _check_once(issuer, report)


def preset_of(upstream: Upstream) -> Preset:
    """Return the preset of a provider."""
    return PRESETS[upstream.preset.value if upstream.preset is not None else "oidc"]


def _check_once(issuer: Issuer, report: Report) -> None:
    seen: dict[str, str] = {}
    for upstream in issuer.upstreams:
        url = upstream.issuer.value if upstream.issuer is not None else ""
        if url and url in seen:
            message = f"{upstream.name.value!r} and {seen[url]!r} are the same provider, whose people would be the same"
            report.error("duplicate-upstream", message, upstream.name.span)
        seen[url] = upstream.name.value


class _Checker:
    def __init__(self, blueprint: Blueprint, upstream: Upstream, report: Report) -> None:
        self._blueprint = blueprint
        self._upstream = upstream
        self._preset = preset_of(upstream)
        self._report = report
        self._name = upstream.name.value

    def run(self) -> None:
        if "saml" in self._upstream.given:
            self._check_saml()
        else:
            self._check_issuer()
            self._check_tenants()
            self._check_client()
        self._check_accounts()
        roles = {role.name.value for role in self._blueprint.roles}
        named = [role for rules in self._upstream.roles for _, role in rules.map]
        for role in (*named, *self._upstream.default_roles):
            if role.value not in roles:
                self._report.unknown("role", role.value, role.span, roles)
        claims = {claim.name.value for claim in self._blueprint.claims}
        for attribute, _ in self._upstream.attributes:
            if attribute.value not in claims:
                self._report.unknown("claim", attribute.value, attribute.span, claims)

    def _check_saml(self) -> None:
        saml = self._upstream.saml
        if saml is None:
            return  # reported where it was read
        for key in sorted(self._upstream.given & _OIDC_KEYS):
            message = f"{self._name!r} speaks SAML, and has no {key!r}"
            self._report.error("wrong-key", message, saml.span, hint=f"remove {key!r}, or 'saml'")
        provider, at = saml.provider, saml.metadata
        if provider is None or at is None:
            return  # reported where it was read
        if not provider.location:
            hint = "its SingleSignOnService needs the binding HTTP-Redirect"
            self._report.error("bad-metadata", f"{self._name!r} takes no requests by redirect", at.span, hint=hint)
            return
        for url in (provider.location, provider.logout_location, provider.logout_response_location):
            if url:
                self._check_url(At(url, at.span))
        if self._upstream.logout is not None and self._upstream.logout.value and not provider.logout_location:
            hint = "its SingleLogoutService needs the binding HTTP-Redirect, else leave `logout` out"
            message = f"{self._name!r} takes no logout requests by redirect"
            self._report.error("bad-metadata", message, self._upstream.logout.span, hint=hint)

    def _check_issuer(self) -> None:
        upstream, preset = self._upstream, self._preset
        if preset.issuer and upstream.issuer is not None:
            self._wrong(upstream.issuer, "issuer", "the preset knows its URL")
        if not preset.issuer and "issuer" not in upstream.given:
            self._missing("issuer", f"for instance {preset.issuer_hint}")
        for url in (upstream.issuer, upstream.discovery):
            if url is not None:
                self._check_url(url)

    def _check_url(self, url: At[str]) -> None:
        try:
            parts = urlsplit(url.value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host:
            self._report.error("bad-value", "this is not a URL with a host", url.span)
            return
        local = host == "localhost" or Endpoint(host).is_loopback
        if url.value.startswith("http:") and not (self._blueprint.is_development and local):
            hint = "plain http is for loopback in development mode"
            self._report.error("insecure-url", "people are sent to https only", url.span, hint=hint)
        if url is self._upstream.issuer and (parts.query or parts.fragment or "{" in url.value):
            self._report.error("bad-value", "an issuer URL has no query, no fragment and no '{'", url.span)

    def _check_tenants(self) -> None:
        upstream, preset = self._upstream, self._preset
        if not preset.needs_tenant:
            if upstream.tenant is not None:
                self._wrong(upstream.tenant, "tenant", "only the preset `entra` has it in its URL")
            if upstream.tenants and not preset.tenant_claim:
                self._wrong(upstream.tenants[0], "tenants", "the presets `entra` and `google` have them")
            return
        if upstream.tenant is None:
            if "tenant" not in upstream.given:
                self._missing("tenant", "the directory (tenant) ID, from the app registration's overview")
            return
        many = upstream.tenant.value == ENTRA_TENANTS
        if many and not upstream.tenants:
            self._missing("tenants", "the ids of those whose people may sign in")
        if not many and upstream.tenants:
            self._wrong(upstream.tenants[0], "tenants", "`tenant` says already which one")
        for tenant in (*upstream.tenants, *(() if many else (upstream.tenant,))):
            if not _GUID.fullmatch(tenant.value):
                hint = "a domain name or `common` is not what stands in `iss`"
                self._report.error("bad-value", "a tenant of Entra is named by its id, a GUID", tenant.span, hint=hint)

    def _check_client(self) -> None:
        upstream = self._upstream
        if "client_id" not in upstream.given:
            self._missing("client_id", "what Ringwall is called there")
        method = upstream.authentication.value if upstream.authentication is not None else self._preset.authentication
        secret = upstream.secret
        if method == "private_key_jwt":
            if secret is not None:
                message = f"{self._name!r} signs with the issuer's key, and has no secret"
                self._report.error("wrong-key", message, secret.span, hint="leave `secret` out")
            return
        if "secret" not in upstream.given:
            self._missing("secret", "{file: …} or {env: RINGWALL_SECRET_…}; the secret itself is never written here")
        elif secret is not None and len(secret.given) != 1:
            self._report.error("bad-value", "a secret lies in a file, or in an environment variable", secret.span)

    def _check_accounts(self) -> None:
        upstream = self._upstream
        creates = upstream.accounts is not None and upstream.accounts.value == "create"
        if upstream.create_for and not creates:
            self._wrong(upstream.create_for[0], "create_for", "it goes with `accounts: create`")
        if creates and self._preset.tenant_claim and not (upstream.tenants or upstream.tenant or upstream.create_for):
            at = upstream.accounts.span if upstream.accounts is not None else upstream.span
            message = f"anybody with an account at {self._name!r} gets one here"
            self._report.warning("open-upstream", message, at, hint="name `tenants` or `create_for`")

    def _missing(self, key: str, hint: str) -> None:
        message = f"{self._name!r} needs the key {key!r}"
        self._report.error("missing-key", message, self._upstream.name.span, hint=hint)

    def _wrong(self, value: At[str], key: str, hint: str) -> None:
        self._report.error("wrong-key", f"{self._name!r} has no {key!r}", value.span, hint=hint)
