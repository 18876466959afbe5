"""Claims of a verified token → the Cedar `User` that policies see, or the reasons why there is none.

The meaning of docs/reference/policy.md, in one place: names of users, roles of several issuers, scopes,
and what a claim of the wrong type does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from ringwall.plan.cedar import ROLE, USER, Reads
from ringwall.plan.identity import Claim, ClaimType, Issuer, Role

LONGEST_LONG = 2**53 - 1
"""Largest size of a `long` claim: Envoy keeps JSON numbers as doubles, which are exact up to here."""

SCOPE_CLAIM = ("scope",)
"""Claim with the space-separated scopes (RFC 8693 section 4.2, RFC 9068 section 2.2.3)."""

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Subject:
    """A user as Cedar sees it.

    Attributes:
        uid: Cedar entity id of the user.
        attributes: Cedar JSON attributes; only claims that are read are among them.
        roles: names of the roles that the token gives directly.
    """

    uid: str
    attributes: Mapping[str, Any]
    roles: tuple[str, ...]

    def entity(self) -> dict[str, Any]:
        """Return the user as an entity in Cedar's JSON form."""
        return {
            "uid": {"type": USER, "id": self.uid},
            "attrs": self.attributes,
            "parents": [{"type": ROLE, "id": role} for role in self.roles],
        }


def role_values(issuer: Issuer, roles: Sequence[Role]) -> tuple[tuple[str, str], ...]:
    """Return the pairs (value in the token, role) that hold for an issuer.

    The built-in issuer speaks the blueprint's own role names; a value that nothing maps gives no role.
    """
    own = tuple((role.name, role.name) for role in roles) if issuer.builtin else ()
    return tuple(dict.fromkeys((*own, *issuer.roles)))


def user_id(issuer: Issuer, sub: str) -> str:
    """Return the Cedar id of a user: `sub` for the built-in issuer, `name|sub` for every other one."""
    return sub if issuer.builtin else f"{issuer.name}|{sub}"


def subject_of(
    claims: Mapping[str, object],
    *,
    issuers: Sequence[Issuer],
    roles: Sequence[Role],
    declared: Mapping[str, Claim],
    reads: Reads,
) -> tuple[Subject | None, tuple[str, ...]]:
    """Build the user, or say in sentences why this token makes none.

    Args:
        claims: payload of a verified token; nothing is assumed about its types.
        issuers: who is believed.
        roles: all roles of the blueprint.
        declared: claims of the blueprint by name.
        reads: what the policies of the operation read.

    Returns:
        The subject and no reasons, or None and at least one reason.
    """
    issuer = next((known for known in issuers if known.url == claims.get("iss")), None)
    if issuer is None:
        return None, (f"claim 'iss' is {_shown(claims.get('iss', _ABSENT))}, which is no issuer of this system",)
    sub = claims.get("sub")
    if not _is_text(sub) or sub == "":
        return None, (f"claim 'sub' is {_shown(claims.get('sub', _ABSENT))}, not a name",)
    if issuer.builtin and "|" in sub:
        return None, ("claim 'sub' holds '|', which only names of other issuers' users may",)
    attributes: dict[str, Any] = {"sub": sub, "iss": issuer.url, "scopes": []}
    reasons: list[str] = []
    _read_claims(claims, [declared[name] for name in sorted(reads.claims & declared.keys())], attributes, reasons)
    if reads.scopes:
        _read_scopes(claims, attributes, reasons)
    held = _read_roles(claims, issuer, roles, reasons) if reads.roles else ()
    if reasons:
        return None, tuple(reasons)
    return Subject(user_id(issuer, sub), attributes, held), ()


def _read_claims(
    claims: Mapping[str, object], wanted: Sequence[Claim], attributes: dict[str, Any], reasons: list[str]
) -> None:
    for claim in wanted:
        value = claim_at(claims, claim.path)
        if value is _ABSENT:
            continue
        if _has_type(value, claim.type):
            attributes[claim.name] = _cedar_value(value)
        else:
            reasons.append(f"claim {'.'.join(claim.path)!r} is {_shown(value)}, not a {claim.type.value}")


def _read_scopes(claims: Mapping[str, object], attributes: dict[str, Any], reasons: list[str]) -> None:
    scope = claim_at(claims, SCOPE_CLAIM)
    if _is_text(scope):
        attributes["scopes"] = [word for word in scope.split(" ") if word]
    elif scope is not _ABSENT:
        reasons.append(f"claim 'scope' is {_shown(scope)}, not a string")


def _read_roles(
    claims: Mapping[str, object], issuer: Issuer, roles: Sequence[Role], reasons: list[str]
) -> tuple[str, ...]:
    given = claim_at(claims, issuer.role_claim)
    if isinstance(given, list):
        return tuple(dict.fromkeys(role for value, role in role_values(issuer, roles) if value in _texts(given)))
    if given is not _ABSENT:
        reasons.append(f"claim {'.'.join(issuer.role_claim)!r} is {_shown(given)}, not a list")
    return ()


def claim_at(claims: Mapping[str, object], path: tuple[str, ...]) -> Any:
    """Return the value at a path of keys, or a private mark that is no JSON value where there is none."""
    value: Any = claims
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return _ABSENT
        value = value[key]
    return value


def is_absent(value: object) -> bool:
    """Return whether `claim_at` found nothing."""
    return value is _ABSENT


def _has_type(value: object, kind: ClaimType) -> bool:
    match kind:
        case ClaimType.STRING:
            return _is_text(value)
        case ClaimType.BOOL:
            return isinstance(value, bool)
        case ClaimType.LONG:
            return _is_long(value)
        case ClaimType.STRING_SET:
            return isinstance(value, list)


def _is_long(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LONGEST_LONG <= value <= LONGEST_LONG and value == int(value)


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is text that UTF-8 can hold; a lone surrogate is not."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(values: list[object]) -> list[object]:
    return [value for value in values if _is_text(value)]


def _cedar_value(value: Any) -> Any:
    if isinstance(value, list):
        return _texts(value)
    return int(value) if isinstance(value, float) else value


def _shown(value: object) -> str:
    """Describe a value without repeating it: what a token says may be personal."""
    if value is _ABSENT:
        return "missing"
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "of an unknown kind")
