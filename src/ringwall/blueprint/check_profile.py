"""Whether what follows the FAPI 2.0 Security Profile can do so; the profile itself is enforced by the issuer."""

from ringwall.blueprint.client_model import Client
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report


def check_profile(blueprint: Blueprint, report: Report) -> None:
    """Report every client and service that the FAPI 2.0 Security Profile has no place for."""
    whole = next((issuer.profile for issuer in blueprint.issuers or () if issuer.profile is not None), None)
    for issuer in blueprint.issuers or ():
        if issuer.profile is not None and not issuer.builtin:
            message = "a profile is for Ringwall's own issuer"
            report.error("wrong-key", message, issuer.profile.span, hint="move it to `local`, or to a client")
    for client in blueprint.clients:
        if whole is not None or client.profile is not None:
            _check_client(client, report)
    for service in blueprint.services if whole is not None else ():
        if service.login is not None and service.login.value:
            message = "a session of a browser is a token that is bound to no key, which the profile does not allow"
            report.error("profile", message, service.login.span, hint="give `profile` to clients, not to the issuer")


def _check_client(client: Client, report: Report) -> None:
    """Report what is against FAPI 2.0 Security Profile, section 5.3.2.1 (2, 3, 6), 5.3.2.2 (3, 8) and 5.4.1."""
    name = client.name.value
    if client.kind is not None and client.kind.value in {"native", "browser"}:
        hint = "make it `web`, with keys"
        report.error("profile", f"{name!r} cannot keep a key, which the profile asks for", client.kind.span, hint=hint)
    elif not client.jwks and not client.certificates and not client.certificate_subjects:
        hint = "add its public keys as `jwks`, or its `certificates`, or what an authority says in one"
        report.error("profile", f"{name!r} needs keys: the profile allows no secret", client.name.span, hint=hint)
    for flag, needed in ((client.pushed_requests, True), (client.bound_tokens, True), (client.device_flow, False)):
        if flag is not None and flag.value is not needed:
            report.error("profile", f"the profile says otherwise for {name!r}", flag.span, hint="leave this out")
    signed = client.id_token_signed_response_alg
    if signed is not None and signed.value == "RS256":
        report.error("profile", "the profile does not allow RS256", signed.span, hint="leave this out: ES256")
    for uri in client.redirect_uris:
        if uri.value.startswith("http://"):
            report.error("profile", "the profile allows https alone", uri.span)
