"""Whether every name that the blueprint uses is declared, and declared once."""

from ringwall.blueprint.check_clients import check_clients
from ringwall.blueprint.check_issuers import check_issuers
from ringwall.blueprint.check_roles import check_roles
from ringwall.blueprint.check_services import check_services
from ringwall.blueprint.client_model import Client
from ringwall.blueprint.issuer_model import Person
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.names import known, once
from ringwall.blueprint.report import Report

USER_ATTRIBUTES = ("sub", "iss", "scopes")
_SAFE_INTEGER = 2**53 - 1


def check_references(blueprint: Blueprint, report: Report) -> None:
    """Report every dangling, doubled or reserved name."""
    once("data class", blueprint.data, report)
    _check_claims(blueprint, report)
    check_roles(blueprint, report)
    for account in blueprint.accounts:
        _check_account(blueprint, account, report)
    check_clients(blueprint, report)
    check_issuers(blueprint, report)
    check_services(blueprint, report)


def _check_claims(blueprint: Blueprint, report: Report) -> None:
    for claim in blueprint.claims:
        if claim.name.value in USER_ATTRIBUTES:
            report.error(
                "reserved-name",
                f"every user has {claim.name.value!r} already",
                claim.name.span,
                hint="declare the claim under another name, with `from:`",
            )


def _check_account(blueprint: Blueprint, account: Person | Client, report: Report) -> None:
    """Whoever holds roles and claims holds declared ones."""
    claims = {claim.name.value: claim.type.value for claim in blueprint.claims}
    known("role", account.roles, {role.name.value for role in blueprint.roles}, report)
    for name, value in account.claims:
        declared = claims.get(name.value)
        if declared is None:
            report.unknown("claim", name.value, name.span, claims)
        elif not _fits(value.value, declared):
            report.error("wrong-type", f"the claim {name.value!r} is declared as {declared}", value.span)


def _fits(value: object, declared: str) -> bool:
    if declared == "set<string>":
        return isinstance(value, tuple)
    if declared == "bool":
        return isinstance(value, bool)
    if declared == "long":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _SAFE_INTEGER
    return isinstance(value, str)
