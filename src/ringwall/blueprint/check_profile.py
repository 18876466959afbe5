"""Whether what follows a profile can do so; the profile itself is enforced by the issuer."""

from typing import Final

from ringwall.blueprint.client_model import Client
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.values import Endpoint
from ringwall.model.errors import Span

FAPI2: Final = "fapi2"
CERTIFICATION: Final = "oidc_certification"


def check_profile(blueprint: Blueprint, report: Report) -> None:
    """Report every client and service that the FAPI 2.0 Security Profile has no place for, and what is insecure."""
    whole = next(
        (i.profile for i in blueprint.issuers or () if i.profile is not None and i.profile.value == FAPI2), None
    )
    for issuer in blueprint.issuers or ():
        if issuer.profile is not None and not issuer.builtin:
            message = "a profile is for Ringwall's own issuer"
            report.error("wrong-key", message, issuer.profile.span, hint="move it to `local`, or to a client")
        elif issuer.profile is not None and issuer.profile.value == CERTIFICATION:
            _check_certification(blueprint, issuer.profile.span, report)
    for client in blueprint.clients:
        if whole is not None or client.profile is not None:
            _check_client(client, report)
    for service in blueprint.services if whole is not None else ():
        if service.login is not None and service.login.value:
            message = "a session of a browser is a token that is bound to no key, which the profile does not allow"
            report.error("profile", message, service.login.span, hint="give `profile` to clients, not to the issuer")


def _check_certification(blueprint: Blueprint, at: Span, report: Report) -> None:
    """Report that the profile is there, as long as it is, and refuse it wherever others could come by."""
    edge = blueprint.edge
    hosts = [] if edge is None else [domain.value for domain in edge.domains]
    if edge is not None and edge.listen is not None:
        hosts.append(edge.listen.value.host)
    strange = next((host for host in hosts if not _on_loopback(host)), None)
    if strange is not None:
        hint = "leave `profile` out: PKCE is there to protect sign-ins"
        report.error(
            "insecure-profile", f"{CERTIFICATION!r} is for loopback only, and {strange!r} is not", at, hint=hint
        )
        return
    message = f"{CERTIFICATION!r} lets clients do without PKCE; it is for running conformance tests, and nothing else"
    report.warning("insecure-profile", message, at, hint="leave `profile` out when they are done")


def _on_loopback(host: str) -> bool:
    return Endpoint(host.strip("[]")).is_loopback or host.endswith(".localhost")  # RFC 6761, section 6.3


def _check_client(client: Client, report: Report) -> None:
    """Report what is against FAPI 2.0 Security Profile, section 5.3.2.1 (2, 3, 6), 5.3.2.2 (3, 8) and 5.4.1."""
    name = client.name.value
    if client.kind is not None and client.kind.value in {"native", "browser"}:
        hint = "make it `web`, with keys"
        report.error("profile", f"{name!r} cannot keep a key, which the profile asks for", client.kind.span, hint=hint)
    elif not (client.jwks or client.jwks_uri or client.certificates or client.certificate_subjects):
        hint = "add its public keys as `jwks` or `jwks_uri`, or its `certificates`, or what an authority says in one"
        report.error("profile", f"{name!r} needs keys: the profile allows no secret", client.name.span, hint=hint)
    for flag, needed in ((client.pushed_requests, True), (client.bound_tokens, True), (client.device_flow, False)):
        if flag is not None and flag.value is not needed:
            report.error("profile", f"the profile says otherwise for {name!r}", flag.span, hint="leave this out")
    for signed in (client.id_token_signed_response_alg, client.userinfo_signed_response_alg):
        if signed is not None and signed.value == "RS256":
            report.error("profile", "the profile does not allow RS256", signed.span, hint="use ES256")
    for uri in (*client.redirect_uris, *((client.jwks_uri,) if client.jwks_uri is not None else ())):
        if uri.value.startswith("http://"):
            report.error("profile", "the profile allows https alone", uri.span)
