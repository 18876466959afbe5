"""Which claims of a token each decision is recorded with, and the token as far as the record tells it.

The proxies' log carries what rules can read and nothing else of the token, so that a decision can be
decided again and explained later.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from ringwall.plan.identity import Claim, ClaimType
from ringwall.plan.model import Plan
from ringwall.plan.subject import SCOPE_CLAIM, claim_at, is_absent

_OWN: Final = "@"
"""First character of recorded names that no declared claim can have."""


def recorded_claims(plan: Plan) -> tuple[Claim, ...]:
    """Return what is to be logged of a token, in a fixed order: declared claims, roles, scopes.

    This depends on no policy, so that a changed policy changes no listener.
    """
    roles = sorted({issuer.role_claim for issuer in plan.issuers}) if plan.roles else []
    return (
        *plan.claims,
        *(_own(path, ClaimType.STRING_SET) for path in roles),
        _own(SCOPE_CLAIM, ClaimType.STRING),
    )


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


def with_nulls(plan: Plan, claims: Mapping[str, object]) -> dict[str, object]:
    """Return what `payload` gave with `null` for every claim that it lacks: what the token may have held."""
    filled = copy.deepcopy(dict(claims))
    for claim in sorted(recorded_claims(plan), key=lambda c: (len(c.path), c.path)):
        if is_absent(claim_at(filled, claim.path)):
            _put(filled, claim.path, None)
    return filled


def _put(claims: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    place = claims
    for key in path[:-1]:
        below = place.setdefault(key, {})
        if not isinstance(below, dict):
            return
        place = below
    place[path[-1]] = value
