"""Which claims of a token each decision is recorded with, and the token as far as the record tells it.

The proxies' log carries exactly what the rules read, so that a decision can be decided again and explained
later, and nothing else of the token.
"""

from collections.abc import Mapping
from typing import Any, Final

from ringwall.plan.model import Claim, ClaimType, Operation, Plan
from ringwall.plan.subject import SCOPE_CLAIM

_OWN: Final = "@"
"""First character of recorded names that no declared claim can have."""
_ROLE_TYPE: Final = "Role"
_SCOPES: Final = "scopes"
_ESCAPE: Final = "\\"


def recorded_claims(plan: Plan, operations: tuple[Operation, ...] | None = None) -> tuple[Claim, ...]:
    """Return what is to be logged of a token, in a fixed order.

    Args:
        plan: the plan in force.
        operations: only what the policies of these read; None for all operations of the plan.
    """
    texts = _texts(plan, operations)
    roles = any(_ROLE_TYPE in text for text in texts)
    scopes = any(_SCOPES in text or _ESCAPE in text for text in texts)
    declared = tuple(c for c in plan.claims if any(c.name in text or _ESCAPE in text for text in texts))
    paths = sorted({issuer.role_claim for issuer in plan.issuers}) if roles else []
    return (
        *declared,
        *(_own(path, ClaimType.STRING_SET) for path in paths),
        *((_own(SCOPE_CLAIM, ClaimType.STRING),) if scopes else ()),
    )


def _texts(plan: Plan, operations: tuple[Operation, ...] | None) -> list[str]:
    if operations is None:
        return [policy.cedar for policy in plan.policies]
    wanted = {name for operation in operations for name in operation.policies}
    return [policy.cedar for policy in plan.policies if policy.id in wanted]


def _own(path: tuple[str, ...], kind: ClaimType) -> Claim:
    return Claim(name=_OWN + ".".join(path), type=kind, path=path)


def payload(plan: Plan, *, subject: str, issuer: str, recorded: Mapping[str, object]) -> dict[str, object] | None:
    """Return the token's payload as far as it was recorded, None where the request carried no token.

    A claim that is `null` in the token cannot be told from one that is absent: proxies record neither.
    """
    if not issuer and not subject:
        return None
    claims: dict[str, object] = {}
    for claim in sorted(recorded_claims(plan), key=lambda c: (len(c.path), c.path)):
        if claim.name in recorded:
            _put(claims, claim.path, recorded[claim.name])
    claims |= {name: value for name, value in (("sub", subject), ("iss", issuer)) if value}
    return claims


def _put(claims: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    place = claims
    for key in path[:-1]:
        below = place.setdefault(key, {})
        if not isinstance(below, dict):
            return
        place = below
    place[path[-1]] = value
