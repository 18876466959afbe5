"""Requests at the borders of the policies that were just written: drawn from their hints, and sometimes spoilt."""

import random
from typing import Any

from tests.property.policy.requests import Hints, Request
from tests.property.policy.world import LIST, LOCAL, PARTNER, Site
from tests.property.policy.write import CLASSIC, WORDS

STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1.5,
    "",
    "text",
    [],
    ["a"],
    [1],
    [None],
    {},
    {"a": "b"},
    {"roles": ["admin"]},
)


class RequestDrawer:
    """Draws requests from one seed and the hints of some policies."""

    def __init__(self, seed: int, hints: Hints) -> None:
        self._random = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self.hints = hints

    def request(self, site: Site) -> Request:
        """Draw one request from the hints of the policies last written."""
        pick = self._random
        caller = (
            "edge" if site.hop == "edge" else pick.choice((*site.callers, *site.callers, *site.callers, "billing", "x"))
        )
        claims = self._claims(site) if pick.random() < 0.85 else None
        source = None
        if caller == "edge":
            source = (
                pick.choice(self.hints.sources or ["10.1.2.3"])
                if pick.random() < 0.8
                else pick.choice(("8.8.8.8", "2001:db8::7", "127.0.0.1"))
            )
        path = self._request_path(site)
        time = (
            pick.choice(self.hints.times) if self.hints.times and pick.random() < 0.9 else CLASSIC + pick.random() * 1e7
        )
        return Request(caller=caller, path=path, time=round(time, 4), claims=claims, source=source)

    def _request_path(self, site: Site) -> str:
        if site.action == LIST:
            return "/p"
        return f"/p/{self._segment('id')}/k/{self._segment('kind')}"

    def _segment(self, param: str) -> str:
        pick = self._random
        values = self.hints.paths.get(param) or ["7", "a"]
        value = pick.choice(values) if pick.random() < 0.9 else pick.choice(("7", "me", "a;b"))
        return value.replace("/", "")

    def _claims(self, site: Site) -> dict[str, Any]:
        pick = self._random
        issuer = pick.choice(site.issuers)
        claims: dict[str, Any] = {"iss": issuer.url, "sub": self._subject(), "exp": 4_000_000_000}
        for name in ("dept", "team", "level", "rank", "active", "vip", "patients", "tags"):
            # A claim that is read is mostly there; one that is not read must not matter.
            if pick.random() < (0.85 if name in self.hints.read else 0.2):
                self._put(claims, name, self._value(name))
        if pick.random() < 0.6:
            claims["scope"] = pick.choice(self.hints.scopes or ["read", "write read"])
        self._put_roles(claims)
        if pick.random() < 0.25:
            self._spoil(claims)
        return claims

    def _subject(self) -> str:
        return self._random.choice(self.hints.subs or ["alice"]) or "alice"

    def _value(self, name: str) -> Any:
        pick = self._random
        match name:
            case "dept" | "team":
                return pick.choice(self.hints.texts.get(name) or list(WORDS))
            case "level" | "rank":
                return pick.choice(self.hints.longs.get(name) or [0, 5, 7])
            case "active" | "vip":
                return pick.random() < 0.5
            case _:
                return pick.choice(self.hints.sets.get(name) or [["a"], ["7", "ab"], []])

    def _put(self, claims: dict[str, Any], name: str, value: Any) -> None:
        if name in {"team", "level", "vip", "tags"}:
            claims.setdefault("ext", {})[name] = value
        else:
            claims[name] = value

    def _put_roles(self, claims: dict[str, Any]) -> None:
        pick = self._random
        given = pick.choice(
            (
                ["admin"],
                ["clinician"],
                ["employee", "x"],
                ["doctors"],
                ["staff", 3],
                ["boss"],
                [],
                None,
                ["nobody"],
                ["patient"],
            )
        )
        if "groups" in self.hints.read and pick.random() < 0.6:
            given = pick.choice(self.hints.sets.get("groups") or [["a"]])
        if given is not None and pick.random() < 0.8:
            claims["roles"] = given
        if pick.random() < 0.6:
            claims["realm"] = {"roles": pick.choice((["doctors"], ["staff"], ["admin"], [], ["boss"], "doctors", None))}

    def _spoil(self, claims: dict[str, Any]) -> None:
        """Give one or two claims a wrong type, or take away what every token has."""
        pick = self._random
        for _ in range(pick.choice((1, 1, 2))):
            strange = pick.choice(STRANGE)
            what = pick.choice(("claim", "claim", "claim", "ext", "roles", "realm", "scope", "sub", "iss", "cut"))
            if what == "claim":
                self._spoil_claim(claims, strange)
            elif what == "cut":
                claims.pop(pick.choice(("sub", "iss", "ext", "roles")), None)
            else:
                likely: dict[str, tuple[Any, ...]] = {
                    "realm": (strange, {"roles": strange}),
                    "sub": (strange, "a|b", "partner|bob"),
                    "iss": (strange, LOCAL.url, PARTNER.url, "https://evil.test"),
                }
                claims[what] = pick.choice(likely.get(what, (strange,)))

    def _spoil_claim(self, claims: dict[str, Any], strange: Any) -> None:
        name = self._random.choice(sorted(self.hints.read) or ["dept"])
        if name == "groups":
            claims["roles"] = strange
        elif isinstance(claims.get("ext", {}), dict):
            self._put(claims, name, strange)
