"""From what a provider says to roles, attributes and names, by the rules of the plan. Pure.

Every result names the rule that gave it, so that a dry run and an explanation can show it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.identity.people.errors import AccountError
from ringwall.identity.people.profile import checked_display_name, checked_email
from ringwall.identity.upstream.levels import LEVELS, PROVEN
from ringwall.plan.upstream import Upstream

_TRUE: Final = (True, "true", "1")
"""`email_verified` is a boolean (OpenID Connect Core 1.0, section 5.1); some providers write it as text."""
_MAX_TEXT: Final = 1000
_MAX_VALUES: Final = 500
_MAX_INTEGER: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedRole:
    """A role, the rule that gives it, and what the provider said for that."""

    role: str
    at: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedAttribute:
    """An attribute with its value, and the rule that gives it."""

    name: str
    value: Any
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What comes of somebody's claims.

    Attributes:
        user_name: what they are called there; empty where that is not said.
        display_name: for people to read.
        email: their address; empty unless the provider says that it has verified it.
        authoritative: whether the plan takes the provider's word for that address.
        level: how surely they signed in.
        level_because: what the provider said for that; empty where it said nothing that the plan knows.
        roles: one entry for each role, by the first rule that gives it.
        attributes: one entry for each attribute.
        left_out: a sentence for everything that looked like something and was not taken.
    """

    user_name: str = ""
    display_name: str = ""
    email: str = ""
    authoritative: bool = False
    level: str = PROVEN
    level_because: str = ""
    roles: tuple[MappedRole, ...] = ()
    attributes: tuple[MappedAttribute, ...] = ()
    left_out: tuple[str, ...] = field(default=())


def map_claims(upstream: Upstream, claims: Mapping[str, Any]) -> Mapped:
    """Return what the plan makes of the claims of somebody whom a provider has signed in."""
    left_out: list[str] = []
    email = _verified_email(upstream, claims, left_out)
    level, because = _level(upstream, claims)
    return Mapped(
        user_name=_text(claims, upstream.user_name),
        display_name=_display_name(upstream, claims, left_out),
        email=email,
        authoritative=bool(email) and domain_of(email) in upstream.authoritative_for,
        level=level,
        level_because=because,
        roles=_roles(upstream, claims, left_out),
        attributes=tuple(_attributes(upstream, claims, left_out)),
        left_out=tuple(left_out),
    )


def tenant_allowed(upstream: Upstream, claims: Mapping[str, Any]) -> bool:
    """Return whether somebody is of a tenant whose people may sign in."""
    return not upstream.tenants or _text(claims, upstream.tenant_claim) in upstream.tenants


def domain_of(email: str) -> str:
    """Return the domain of an address, as it is compared."""
    return email.rpartition("@")[2].casefold()


def claim_at(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the claim at a path; None where there is none."""
    value: Any = claims
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(claims: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value = claim_at(claims, path) if path else None
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT else ""


def _values(value: Any) -> tuple[str, ...]:
    """Return the texts of a claim that is a text or a list of texts."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(item for item in value[:_MAX_VALUES] if isinstance(item, str))
    return ()


def _display_name(upstream: Upstream, claims: Mapping[str, Any], left_out: list[str]) -> str:
    try:
        return checked_display_name(_text(claims, upstream.display_name))
    except AccountError as error:
        left_out.append(f"the name: {error.message}")
        return ""


def _verified_email(upstream: Upstream, claims: Mapping[str, Any], left_out: list[str]) -> str:
    """Return the address, if the provider has verified it.

    An address that anybody can type into a form of the provider's says nothing about who they are; taken for a name, it
    would open other people's accounts.
    """
    try:
        email, _ = checked_email(_text(claims, upstream.email))
    except AccountError as error:
        left_out.append(f"the e-mail address: {error.message}")
        return ""
    if not email:
        return ""
    verified = claim_at(claims, upstream.email_verified)
    if isinstance(verified, float) or verified not in _TRUE:
        left_out.append(
            f"the e-mail address {email}: {'.'.join(upstream.email_verified)} does not say that it is verified"
        )
        return ""
    if upstream.email_needs_tenant and not _text(claims, upstream.tenant_claim):
        left_out.append(
            f"the e-mail address {email}: the account is in no organization ({'.'.join(upstream.tenant_claim)})"
        )
        return ""
    return email


def _level(upstream: Upstream, claims: Mapping[str, Any]) -> tuple[str, str]:
    """Return the surest level that the plan knows for what the provider says (`acr`, `amr`)."""
    best, because = PROVEN, ""
    for name, known in (("acr", dict(upstream.acr)), ("amr", dict(upstream.amr))):
        for value in _values(claims.get(name)):
            level = known.get(value)
            if level is not None and (not because or LEVELS.index(level) > LEVELS.index(best)):
                best, because = level, f"{name}={value}"
    return best, because


def _roles(upstream: Upstream, claims: Mapping[str, Any], left_out: list[str]) -> tuple[MappedRole, ...]:
    found: dict[str, MappedRole] = {}
    names = claims.get("_claim_names")  # distributed claims (OpenID Connect Core 1.0, section 5.6.2)
    elsewhere = set(names) if isinstance(names, Mapping) else set()
    missing = sorted(elsewhere & {rule.claim[0] for rule in upstream.roles if rule.claim})
    left_out.extend(
        f"the claim {claim}: the provider keeps it elsewhere, mostly as it is too long" for claim in missing
    )
    for rule in upstream.roles:
        if rule.role in found:
            continue
        if not rule.claim:
            found[rule.role] = MappedRole(role=rule.role, at=rule.at, because="everybody who signs in there")
        elif rule.value in _values(claim_at(claims, rule.claim)):
            found[rule.role] = MappedRole(role=rule.role, at=rule.at, because=f"{'.'.join(rule.claim)}={rule.value}")
    return tuple(found.values())


def _attributes(upstream: Upstream, claims: Mapping[str, Any], left_out: list[str]) -> Iterator[MappedAttribute]:
    for rule in upstream.attributes:
        value = claim_at(claims, rule.claim)
        if value is None:
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            yield MappedAttribute(name=rule.attribute, value=list(value), at=rule.at)
        elif isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _MAX_INTEGER):
            yield MappedAttribute(name=rule.attribute, value=value, at=rule.at)
        else:
            left_out.append(
                f"the attribute {rule.attribute}: {'.'.join(rule.claim)} is of a type that no policy can read"
            )
