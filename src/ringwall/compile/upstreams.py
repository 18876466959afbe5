"""Providers at which people sign in: from what the blueprint says and the preset knows to what the issuer does."""

from collections.abc import Mapping
from typing import TypeVar

from ringwall.blueprint.check_upstreams import preset_of
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.shape import At
from ringwall.blueprint.upstream_model import Upstream, UpstreamSaml
from ringwall.blueprint.upstream_presets import ENTRA_TENANTS, Preset
from ringwall.model.errors import Span
from ringwall.plan.upstream import TENANT, AttributeRule, ClientAuthentication, OidcProvider, RoleRule, SamlProvider
from ringwall.plan.upstream import Upstream as PlanUpstream

T = TypeVar("T")

_METADATA = "/.well-known/openid-configuration"
_OPENID = "openid"


def lower_upstreams(blueprint: Blueprint) -> tuple[PlanUpstream, ...]:
    """Return the providers of the built-in issuer, ordered by name."""
    found = [_lower(upstream) for issuer in blueprint.issuers or () for upstream in issuer.upstreams]
    return tuple(sorted(found, key=lambda upstream: upstream.name))


def _lower(upstream: Upstream) -> PlanUpstream:
    preset = preset_of(upstream)
    tenant = _text(upstream.tenant, "")
    tenants = tuple(at.value for at in upstream.tenants) or ((tenant,) if tenant else ())
    return PlanUpstream(
        name=upstream.name.value,
        title=_text(upstream.title, upstream.name.value),
        oidc=_oidc(upstream, preset) if upstream.saml is None else None,
        saml=_saml(upstream.saml, upstream) if upstream.saml is not None else None,
        tenants=tuple(sorted(tenants)),
        tenant_claim=preset.tenant_claim,
        create=_text(upstream.accounts, "") == "create",
        create_for=tuple(sorted(at.value for at in upstream.create_for)),
        authoritative_for=tuple(sorted(at.value for at in upstream.authoritative_for)),
        user_name=upstream.user_name.value if upstream.user_name is not None else _user_name(upstream, preset),
        display_name=(_text(upstream.saml.display_name, "name"),) if upstream.saml is not None else ("name",),
        email=(_text(upstream.saml.email, "email"),) if upstream.saml is not None else ("email",),
        email_verified=preset.email_verified,
        email_needs_tenant=preset.email_needs_tenant,
        roles=_roles(upstream),
        attributes=tuple(
            AttributeRule(claim=claim.value, attribute=name.value, at=_place(name.span))
            for name, claim in upstream.attributes
        ),
        acr=_levels(upstream.acr, preset.acr),
        amr=_levels(upstream.amr, preset.amr),
        session_seconds=upstream.session.value if upstream.session is not None else 0,
    )


def _oidc(upstream: Upstream, preset: Preset) -> OidcProvider:
    tenant = _text(upstream.tenant, "")
    asked = preset.issuer.replace("{tenant}", tenant) or _text(upstream.issuer, "")
    issuer = preset.issuer.replace("{tenant}", TENANT) if tenant == ENTRA_TENANTS else asked
    scopes = tuple(at.value for at in upstream.scopes) or preset.scopes
    secret = upstream.secret
    return OidcProvider(
        issuer=issuer,
        discovery=_text(upstream.discovery, asked.rstrip("/") + _METADATA),
        client_id=_text(upstream.client_id, ""),
        authentication=ClientAuthentication(_text(upstream.authentication, preset.authentication)),
        secret_file=_text(secret.file, "") if secret is not None else "",
        secret_env=_text(secret.env, "") if secret is not None else "",
        scopes=tuple(dict.fromkeys((_OPENID, *scopes))),
        algorithms=tuple(at.value for at in upstream.algorithms) or preset.algorithms,
        userinfo=upstream.userinfo.value if upstream.userinfo is not None else preset.userinfo,
        logout=upstream.logout is not None and upstream.logout.value,
    )


def _saml(saml: UpstreamSaml, upstream: Upstream) -> SamlProvider:
    assert saml.provider is not None  # noqa: S101  # metadata that cannot be read is an error of the check
    return SamlProvider(
        entity_id=saml.provider.entity_id,
        location=saml.provider.location,
        certificates=saml.provider.certificates,
        subject=_text(saml.subject, ""),
        sign_requests=saml.provider.wants_signed if saml.sign_requests is None else saml.sign_requests.value,
        encrypted=saml.encrypted is not None and saml.encrypted.value,
        logout=upstream.logout is not None and upstream.logout.value,
        logout_location=saml.provider.logout_location,
        logout_response_location=saml.provider.logout_response_location,
    )


def _user_name(upstream: Upstream, preset: Preset) -> tuple[str, ...]:
    return preset.user_name if upstream.saml is None else ("name_id",)


def _roles(upstream: Upstream) -> tuple[RoleRule, ...]:
    """Return the rules in the order of the file, those for everybody first."""
    everybody = [RoleRule(role=role.value, at=_place(role.span)) for role in upstream.default_roles]
    mapped = [
        RoleRule(
            claim=rules.claim.value if rules.claim is not None else ("roles",),
            value=value.value,
            role=role.value,
            at=_place(value.span),
        )
        for rules in upstream.roles
        for value, role in rules.map
    ]
    return (*everybody, *mapped)


def _levels(own: tuple[tuple[At[str], At[str]], ...], preset: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what the user wrote, if anything: it replaces what the preset knows, so that it can be less."""
    given = {value.value: level.value for value, level in own} or preset
    return tuple(sorted(given.items()))


def _text(at: At[str] | None, default: str) -> str:
    return default if at is None else at.value


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}" if span.line else span.file
