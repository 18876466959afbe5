"""Whether clients have what their kind needs, and nothing else."""

from urllib.parse import urlsplit

from ringwall.blueprint.client_model import Client
from ringwall.blueprint.keys import can_encrypt, check_public, key_type
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.names import once
from ringwall.blueprint.report import Report
from ringwall.blueprint.values import EDGE
from ringwall.model.clients import REGISTERED_PREFIX


def check_clients(blueprint: Blueprint, report: Report) -> None:
    """Report what a client has that it has no use for, and what it lacks."""
    checker = _Checker(blueprint, report)
    for client in blueprint.clients:
        checker.check(client)


class _Checker:
    def __init__(self, blueprint: Blueprint, report: Report) -> None:
        self._blueprint = blueprint
        self._report = report

    def check(self, client: Client) -> None:
        """A client that signs people in needs what a login needs; a machine has no use for it."""
        report, name = self._report, client.name
        once("scope", client.scopes, self._report)
        once("redirect URI", client.redirect_uris, self._report)
        once("redirect URI", client.post_logout_redirect_uris, self._report)
        self._check_keys(client)
        if name.value.startswith(REGISTERED_PREFIX):
            message = f"names that begin with {REGISTERED_PREFIX!r} are those of clients that register themselves"
            report.error("reserved-name", message, name.span)
        if client.kind is None or client.kind.value == "machine":
            told = (client.backchannel_logout_uri,) if client.backchannel_logout_uri else ()
            uris = (*client.redirect_uris, *client.post_logout_redirect_uris, *told)
            flags = (client.third_party, client.title, client.pushed_requests, client.device_flow)
            answers = (
                *(client.id_token_signed_response_alg, client.id_token_encrypted_response_alg),
                *(client.userinfo_signed_response_alg, client.subject_type, client.sector_identifier_uri),
            )
            for what in [uri.span for uri in uris][:1] or [at.span for at in (*flags, *answers) if at]:
                hint = "say what it is: `kind: web`, `native` or `browser`"
                report.error("wrong-key", f"{name.value!r} is a machine, which signs nobody in", what, hint=hint)
            return
        if "redirect_uris" not in client.given:
            hint = "`redirect_uris: [https://…]`, where people return to"
            report.error("missing-key", f"{name.value!r} needs the key 'redirect_uris'", name.span, hint=hint)
        if client.roles or client.claims:
            at = (*client.roles, *(key for key, _ in client.claims))[0]
            hint = "what people may do follows from their own roles"
            report.error("wrong-key", f"{name.value!r} acts for people, and has no roles or claims", at.span, hint=hint)
        self._check_sector(client)
        if name.value in {self._blueprint.system.value, EDGE}:
            # An ID token's `aud` is the client, an access token's the system: no proxy may take one for the other.
            report.error("reserved-name", f"a client cannot have the system's name {name.value!r}", name.span)

    def _check_sector(self, client: Client) -> None:
        """Of a pairwise client it is known who shares its names of people (OpenID Connect Core 1.0, section 8.1)."""
        pairwise = client.subject_type is not None and client.subject_type.value == "pairwise"
        sector = client.sector_identifier_uri
        if sector is not None and not pairwise:
            hint = "add `subject_type: pairwise`, or leave this out"
            self._report.error("wrong-key", f"{client.name.value!r} is not pairwise", sector.span, hint=hint)
        if client.subject_type is None or not pairwise or sector is not None:
            return
        hosts = {urlsplit(uri.value).hostname for uri in client.redirect_uris}
        if len(hosts) > 1 or (client.kind is not None and client.kind.value == "native"):
            message = f"the sector of {client.name.value!r} does not follow from its redirect URIs"
            hint = "add `sector_identifier_uri`, whose host is the sector"
            self._report.error("missing-key", message, client.subject_type.span, hint=hint)

    def _check_keys(self, client: Client) -> None:
        """Whoever is to have keys can keep them, and has those that it needs."""
        if client.jwks and client.kind is not None and client.kind.value in {"native", "browser"}:
            hint = "leave `jwks` out: PKCE protects what it does"
            message = f"{client.name.value!r} cannot keep a key secret"
            self._report.error(
                "wrong-key", message, client.jwks[0][0][0].span if client.jwks[0] else client.span, hint=hint
            )
        if client.jwks_uri is not None and (
            client.jwks or (client.kind and client.kind.value in {"native", "browser"})
        ):
            message = f"{client.name.value!r} has no use for `jwks_uri`"
            hint = "its keys are in `jwks`, or in `jwks_uri`; a native or browser application has none"
            self._report.error("wrong-key", message, client.jwks_uri.span, hint=hint)
        for wanted in (
            client.id_token_encrypted_response_alg,
            client.userinfo_encrypted_response_alg,
            client.introspection_encrypted_response_alg,
        ):
            if wanted and not any(can_encrypt(key, wanted.value) for key in client.jwks):
                message = f"{client.name.value!r} has no key to encrypt for with {wanted.value}"
                kty = key_type(wanted.value)
                self._report.error("missing-key", message, wanted.span, hint=f"one in `jwks`: use: enc, kty: {kty}")
        for key in client.jwks:
            check_public(key, client.span, self._report)
