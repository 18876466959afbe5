"""Who a question is about: a development person, a client, a workload, a guest, or whoever a token names."""

import base64
import binascii
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ringwall.model.errors import RingwallError
from ringwall.plan.client import Client
from ringwall.plan.identity import Person
from ringwall.plan.model import Plan

GUEST: Final = "guest"
CLOCK_SKEW_SECONDS: Final = 30
"""What the proxies allow for clocks that differ."""


class ForeseeError(RingwallError):
    """The question cannot be answered as it is asked."""

    code = "cannot-foresee"
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks.

    Attributes:
        name: for the answer.
        claims: payload of the token, None without one.
        workload: name of the service that asks, empty for people and guests.
        disbelieved: why the token would be refused; empty where it would be believed.
    """

    name: str
    claims: dict[str, object] | None = None
    workload: str = ""
    disbelieved: str = ""


def known_asker(plan: Plan, who: str) -> Asker:
    """Return a development person, a client, a workload or a guest by name; raise ForeseeError for nobody."""
    if who == GUEST:
        return Asker(name=GUEST)
    accounts: list[Person | Client] = [*plan.people, *(client for client in plan.clients if not client.signs_people_in)]
    for account in accounts:
        if account.name == who:
            return Asker(name=who, claims=_claims_of(plan, account))
    if who in plan.by_name:
        return Asker(name=who, workload=who)
    names = [GUEST, *(account.name for account in accounts), *plan.by_name]
    close = difflib.get_close_matches(who, names, n=1)
    raise ForeseeError(
        f"nobody is called {who!r}",
        hint=f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}; or give a file with a token",
    )


def _claims_of(plan: Plan, account: Person | Client) -> dict[str, object]:
    issuer = next((issuer for issuer in plan.issuers if issuer.builtin), None)
    if issuer is None:
        raise ForeseeError(f"{account.name!r} gets no token: the plan has no issuer of its own")
    claims: dict[str, object] = {"iss": issuer.url, "sub": account.name}
    paths = {claim.name: claim.path for claim in plan.claims}
    for name, value in account.claims:
        put_claim(claims, paths.get(name, (name,)), list(value) if isinstance(value, tuple) else value)
    put_claim(claims, issuer.role_claim, list(account.roles))
    if isinstance(account, Client) and account.scopes:
        claims["scope"] = " ".join(account.scopes)
    return claims


def put_claim(claims: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """Set the claim at a path inside a token's payload."""
    place = claims
    for key in path[:-1]:
        below = place.setdefault(key, {})
        if not isinstance(below, dict):
            raise ForeseeError(f"the claim {'.'.join(path)!r} lies below another one that is no object")
        place = below
    place[path[-1]] = value


def asker_of_token(plan: Plan, token: str, *, at: float) -> Asker:
    """Return whoever a token names. Its signature is *not* verified: this only asks what would be, if it were right.

    Raises:
        ForeseeError: the text is no JWT; it is not repeated.
    """
    try:
        _, middle, _ = token.strip().split(".")
        claims = orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, binascii.Error) as error:
        raise ForeseeError("the token is not a signed JWT", hint="it has three parts with dots between them") from error
    if not isinstance(claims, dict):
        raise ForeseeError("the token's payload is not a JSON object")
    return Asker(name=str(claims.get("sub", "")), claims=claims, disbelieved=_disbelieved(plan, claims, at))


def _disbelieved(plan: Plan, claims: Mapping[str, Any], at: float) -> str:
    issuer = next((issuer for issuer in plan.issuers if issuer.url == claims.get("iss")), None)
    if issuer is None:
        return "the token's issuer is not believed here"
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not set(issuer.audiences) & {name for name in audiences if isinstance(name, str)}:
        return "the token is for another audience"
    for name, late in (("exp", True), ("nbf", False)):
        value = claims.get(name)
        if value is None:
            if late:
                return "the token has no time at which it expires"
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"the token's {name!r} is not a time"
        if (at > value + CLOCK_SKEW_SECONDS) if late else (at < value - CLOCK_SKEW_SECONDS):
            return "the token has expired" if late else "the token is not valid yet"
    return ""
