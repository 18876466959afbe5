"""`ringwall upstreams`."""

import os
from pathlib import Path
from typing import Any, Final, Literal

from ringwall.bootstrap.compiling import Compiler
from ringwall.bootstrap.state import NotRunningError, find_blueprint
from ringwall.cli.locate import running
from ringwall.cli.main import EXIT_FAILED, EXIT_OK, UsageError
from ringwall.cli.output import Output, Style
from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.issuer.admin_client import link_account, look_for_account, unlink_account
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.upstream.mapping import Mapped, map_claims
from ringwall.identity.upstream.oidc.inspect import inspect
from ringwall.identity.upstream.oidc.provider import Provider
from ringwall.identity.upstream.remark import Remark
from ringwall.identity.upstream.saml.inspect import inspect as inspect_saml
from ringwall.identity.upstream.saml.source import entity_id_of
from ringwall.identity.upstream.secrets import SecretPlaces
from ringwall.model.clock import SystemClock
from ringwall.model.errors import RingwallError
from ringwall.plan.model import Plan
from ringwall.plan.upstream import Upstream

_MAX_FILE: Final = 65_536


def upstreams(
    do: Literal["list", "check", "try", "link", "unlink"] = "list",
    name: str = "",
    /,
    *,
    claims: Path | None = None,
    user: str | None = None,
    subject: str | None = None,
    issuer: str | None = None,
    json: bool = False,
) -> int:
    """Say how people sign in at providers of others, by the blueprint as it is now; link accounts to people of theirs.

    Args:
        do: `list`; `check` asks each provider and says what is wrong; `try` says what would come of somebody's claims:
            which account, roles and attributes, and by which rule of the blueprint; nothing is changed. `link` lets
            somebody of a provider sign in to an account, `unlink` lets nobody of that provider any more.
        name: A provider under `upstreams`; for `check` all of them where it is not given.
        claims: For `try`: a file with claims as JSON, or an ID token, of which nothing is verified.
        user: For `link` and `unlink`: user name of the account.
        subject: For `link`: who they are at the provider, as `sub` says it.
        issuer: For `link`: the provider's `iss`, where it has one for each tenant.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if do in {"link", "unlink"}:
        return _link(do, name, output, user=user, subject=subject, issuer=issuer)
    if (do == "try") is not (claims is not None):
        raise UsageError("`ringwall upstreams try NAME --claims FILE` tries claims", hint="others take no --claims")
    blueprint = find_blueprint(Path())
    plan = Compiler(blueprint).compile().plan
    if do == "list":
        _list(plan, output)
        return EXIT_OK
    if do == "check":
        chosen = plan.upstreams if not name else (_named(plan, name),)
        return _check(plan, chosen, SecretPlaces(blueprint.parent, os.environ), output)
    if claims is None or not name:
        raise UsageError("`ringwall upstreams try` needs a provider", hint="`ringwall upstreams` lists them")
    upstream = _named(plan, name)
    return _try(upstream, _as_said(upstream, _read(claims)), output)


def _link(do: str, name: str, output: Output, *, user: str | None, subject: str | None, issuer: str | None) -> int:
    if not name or not user or (do == "link") is not bool(subject):
        hint = "`ringwall upstreams link NAME --user USER --subject SUB`, or `unlink NAME --user USER`"
        raise UsageError("it has to be said who is meant", hint=hint)
    _, _, bindings = running()
    if do == "link":
        told = link_account(bindings, name, user_name=user, subject=str(subject), issuer=issuer)
        said = f"{user} is whoever is {subject} at {told['issuer']}"
    else:
        told = unlink_account(bindings, name, user_name=user)
        said = f"{told['unlinked']} of {name} can sign in to {user} no more"
    output.json(f"upstreams-{do}", told)
    output.text(said)
    return EXIT_OK


def _named(plan: Plan, name: str) -> Upstream:
    found = next((upstream for upstream in plan.upstreams if upstream.name == name), None)
    if found is None:
        known = ", ".join(upstream.name for upstream in plan.upstreams) or "none"
        raise UsageError(f"there is no provider {name[:80]!r} under `upstreams`", hint=f"there are: {known}")
    return found


def _callback(plan: Plan, upstream: Upstream) -> str:
    return _address(plan, upstream, "callback")


def _address(plan: Plan, upstream: Upstream, what: str) -> str:
    issuer = next(issuer.url for issuer in plan.issuers if issuer.builtin)
    return f"{issuer}/upstream/{upstream.name}/{what}"


def _list(plan: Plan, output: Output) -> None:
    found = [
        {
            "name": upstream.name,
            "title": upstream.title,
            "issuer": upstream.issuer,
            "redirect_uri": _callback(plan, upstream),
            "backchannel_logout_uri": _address(plan, upstream, "backchannel_logout") if upstream.oidc else "",
            "creates_accounts": upstream.create,
        }
        for upstream in plan.upstreams
    ]
    output.json("upstreams", {"upstreams": found})
    if not found:
        output.text("people sign in here only; `upstreams` of the built-in issuer names others")
        return
    rows = [
        [each["name"], each["issuer"], each["redirect_uri"], "made" if each["creates_accounts"] else "existing"]
        for each in found
    ]
    output.table(
        ["provider", "issuer", "register there as redirect URI", "accounts"], [list(map(str, r)) for r in rows]
    )


def _check(plan: Plan, chosen: tuple[Upstream, ...], places: SecretPlaces, output: Output) -> int:
    fetcher = Fetcher(development=plan.development)
    found: dict[str, tuple[Remark, ...]] = {}
    for upstream in chosen:
        if upstream.saml is not None:
            metadata = entity_id_of(_callback(plan, upstream))
            found[upstream.name] = inspect_saml(upstream.saml, metadata=metadata)
        elif upstream.oidc is not None:
            output.progress(f"asking {upstream.name} …")
            provider = Provider(
                upstream.name, upstream.oidc, fetcher=fetcher, clock=SystemClock(), development=plan.development
            )
            found[upstream.name] = inspect(upstream, provider, places)
    output.clear_progress()
    bad = any(remark.wrong for remarks in found.values() for remark in remarks)
    output.json(
        "upstreams-check",
        {
            "good": not bad,
            "upstreams": {
                name: [{"wrong": r.wrong, "text": r.text, "hint": r.hint} for r in remarks]
                for name, remarks in found.items()
            },
        },
    )
    for name, remarks in found.items():
        wrong = any(remark.wrong for remark in remarks)
        output.text(f"{name}: {'wrong' if wrong else 'good'}", Style.BAD if wrong else Style.GOOD)
        for remark in remarks:
            output.text(
                f"  {'wrong: ' if remark.wrong else ''}{remark.text}" + (f" ({remark.hint})" * bool(remark.hint))
            )
    return EXIT_FAILED if bad else EXIT_OK


def _read(file: Path) -> dict[str, Any]:
    """Return the claims of a file: a JSON object, or a signed token of which nothing is verified."""
    with file.open("rb") as stream:
        content = stream.read(_MAX_FILE + 1).strip()
    if len(content) > _MAX_FILE:
        raise RingwallError(f"{file} is larger than {_MAX_FILE} bytes")
    try:
        return decode_json_object(content if content.startswith(b"{") else UnverifiedToken.parse(content).payload)
    except (EncodingError, TokenRefusedError) as error:
        raise RingwallError(f"{file} holds neither claims nor an ID token: {error}") from None


def _as_said(upstream: Upstream, claims: dict[str, Any]) -> dict[str, Any]:
    """Return claims as the provider says them: a SAML provider's are attributes, with `name_id` beside them."""
    if upstream.saml is None:
        return claims
    subject = claims.get(upstream.saml.subject or "name_id", "")
    return {"sub": subject, **claims, "email_verified": True}


def _try(upstream: Upstream, claims: dict[str, Any], output: Output) -> int:
    mapped = map_claims(upstream, claims)
    account = _account(upstream, claims)
    roles = [{"role": each.role, "because": each.because, "rule": each.at} for each in mapped.roles]
    attributes = [{"name": each.name, "value": each.value, "rule": each.at} for each in mapped.attributes]
    output.json(
        "upstreams-try",
        {
            "account": account,
            "user_name": mapped.user_name,
            "display_name": mapped.display_name,
            "email": mapped.email,
            "level": mapped.level,
            "roles": roles,
            "attributes": attributes,
            "left_out": list(mapped.left_out),
        },
    )
    _show(mapped, account, output)
    if roles:
        output.table(["role", "because", "rule"], [[each["role"], each["because"], each["rule"]] for each in roles])
    else:
        output.text("no rule gives a role")
    if attributes:
        rows = [[each.name, str(each.value), each.at] for each in mapped.attributes]
        output.table(["attribute", "value", "rule"], rows)
    for sentence in mapped.left_out:
        output.text(f"left out: {sentence}")
    return EXIT_FAILED if account.get("refused") else EXIT_OK


def _show(mapped: Mapped, account: dict[str, Any], output: Output) -> None:
    if account.get("refused"):
        output.text(f"nobody gets in: {account['refused']}", Style.BAD)
    elif account.get("user_name"):
        stays = ", ".join(account["stays"]) or "none"
        output.text(f"account {account['user_name']}, {account['how']}; roles that it has in any case: {stays}")
    else:
        output.text(account["how"])
    for label, value in (
        ("name", mapped.user_name),
        ("called", mapped.display_name),
        (
            "e-mail",
            mapped.email and f"{mapped.email}{'' if mapped.authoritative else ' (not kept: not authoritative)'}",
        ),
        ("level", f"{mapped.level} ({mapped.level_because or 'nothing is said'})"),
    ):
        if value:
            output.text(f"{label + ':':<9}{value}")


def _account(upstream: Upstream, claims: dict[str, Any]) -> dict[str, Any]:
    """Return whose account it would be, as the running issuer says."""
    try:
        _, _, bindings = running()
    except NotRunningError:
        return {"how": "accounts were not looked at: the system does not run"}
    asked = {upstream.email[0], upstream.email_verified[0], *upstream.tenant_claim[:1]}
    return look_for_account(
        bindings,
        upstream.name,
        issuer=str(claims.get("iss", upstream.issuer)),
        subject=str(claims.get("sub", "")),
        claims={name: claims[name] for name in sorted(asked) if name in claims},
    )
