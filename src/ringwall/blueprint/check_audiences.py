"""Whether services of others can be given tokens: who they are, and that only they can read them."""

from typing import Final
from urllib.parse import urlsplit

from ringwall.blueprint.issuer_model import Audience
from ringwall.blueprint.keys import can_encrypt, check_public, is_whole, key_type, members_of
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.values import KEY_MANAGEMENT

_DEFAULT_DOMAIN: Final = "localhost"


def check_audiences(blueprint: Blueprint, report: Report) -> None:
    """Report what is missing, doubled or dangling."""
    known = [audience.name.value for audience in blueprint.audiences]
    services = {service.name.value for service in blueprint.services}
    urls: dict[str, str] = {}
    for audience in blueprint.audiences:
        name = audience.name
        if blueprint.issuers is not None and not any(issuer.builtin for issuer in blueprint.issuers):
            message = f"{name.value!r} needs the built-in issuer, which `issuers` leaves out"
            report.error("no-builtin-issuer", message, name.span, hint="add `local: {}` to `issuers`")
        if name.value in services:
            message = f"{name.value!r} is a service of this system, and token exchange could not tell them apart"
            report.error("reserved-name", message, name.span)
        _check_url(audience, blueprint, urls, report)
        _check_key(audience, report)
    for service in blueprint.services:
        seen: set[str] = set()
        for listed in service.audiences:
            if listed.value in seen:
                message = f"the audience {listed.value!r} is named twice"
                report.error("duplicate-audience", message, listed.span)
            elif listed.value not in known:
                report.unknown("audience", listed.value, listed.span, known)
            seen.add(listed.value)


def _check_url(audience: Audience, blueprint: Blueprint, urls: dict[str, str], report: Report) -> None:
    """One audience, one URL; and none of ours, so that no token for others looks like one for this system."""
    url = audience.url.value
    if url in urls:
        message = f"{audience.name.value!r} and {urls[url]!r} have the same URL"
        report.error("duplicate-audience", message, audience.url.span)
    urls[url] = audience.name.value
    domains = [domain.value for domain in blueprint.edge.domains] if blueprint.edge is not None else []
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname in (domains or [_DEFAULT_DOMAIN]):
        hint = "services of this system are listed under `calls`"
        report.error("own-audience", f"{url} is at this system's own edge", audience.url.span, hint=hint)


def _check_key(audience: Audience, report: Report) -> None:
    """There is one key at most, and it says how it is used (RFC 7517, sections 4.2 and 4.4)."""
    name = audience.name.value
    if not audience.jwks:
        if audience.enc is not None:
            message = f"{name!r} has no key to encrypt for"
            report.error("missing-key", message, audience.enc.span, hint="give it one in `jwks`, with `use: enc`")
        return
    for key in audience.jwks:
        check_public(key, audience.name.span, report)
    if len(audience.jwks) > 1:
        message = f"{name!r} has one key at a time, not {len(audience.jwks)}"
        report.error("several-keys", message, audience.name.span, hint="leave the key that it reads tokens with")
        return
    key = audience.jwks[0]
    alg = members_of(key).get("alg")
    if alg is None or alg.value not in KEY_MANAGEMENT:
        message = f"the key of {name!r} does not say how to encrypt for it"
        hint = f"`alg` is one of {', '.join(KEY_MANAGEMENT)}"
        report.error("missing-key", message, audience.name.span if alg is None else alg.span, hint=hint)
    elif not can_encrypt(key, str(alg.value)) or not is_whole(key):
        message = f"{name!r} has no key to encrypt for with {alg.value}"
        kty = key_type(str(alg.value))
        parts = "n and e" if kty == "RSA" else "crv, x and y"
        report.error("missing-key", message, alg.span, hint=f"one in `jwks`: use: enc, kty: {kty}, with {parts}")
