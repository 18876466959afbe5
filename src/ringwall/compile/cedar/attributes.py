"""Variables, `has` and `.`: what `principal`, `action`, `resource` and `context` are at one place.

An optional attribute may be read only where it is known to be there, as Cedar's strict validation demands.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ringwall.compile.cedar import membership
from ringwall.compile.cedar.formula import Formula, Lit, constant
from ringwall.compile.cedar.guard import ClaimIsThere, FlagIs
from ringwall.compile.cedar.place import Place
from ringwall.compile.cedar.terms import (
    ClaimLong,
    ClaimSet,
    ClaimString,
    Clock,
    Entity,
    Now,
    Record,
    Scopes,
    Segment,
    SetOf,
    Source,
    Term,
    Text,
    User,
)
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.cedar import ACTION, SERVICE
from ringwall.plan.identity import ClaimType
from ringwall.plan.model import EDGE

Known = frozenset[tuple[str, str]]
"""Optional attributes that are known to be there: pairs of `principal` or `context` and a name."""

NOTHING: Final[Known] = frozenset()
_SOURCE: Final = ("context", "source")
_CLAIMS: Final[Mapping[ClaimType, Callable[[tuple[str, ...]], Term]]] = {
    ClaimType.STRING: ClaimString,
    ClaimType.LONG: ClaimLong,
    ClaimType.BOOL: lambda path: Lit(FlagIs(path)),
    ClaimType.STRING_SET: ClaimSet,
}


def variable(name: str, place: Place) -> Term:
    """Return `principal`, `action`, `resource` or `context`."""
    match name:
        case "principal":
            return place.principal
        case "action":
            return Entity(ACTION, place.action)
        case "resource":
            return Entity(SERVICE, place.service)
    return Record(_context(place))


def has(target: Term, name: str, place: Place) -> tuple[Formula, Known]:
    """Return `target has name`, and what is known where that is true."""
    match target:
        case User():
            claim = place.system.claims.get(name)
            if name in _always(place) or claim is None:
                return constant(name in _always(place)), NOTHING
            return Lit(ClaimIsThere(claim.path)), frozenset({("principal", name)})
        case Record(fields=fields) if isinstance(fields.get(name), Source):
            return _called_by_edge(place), frozenset({_SOURCE})
        case Record(fields=fields):
            return constant(name in fields), NOTHING
        case Entity(type=kind):
            return constant(kind == SERVICE and name in {"zone", "holds"}), NOTHING
    raise UnsupportedError(f"`has {name}` of something that is known only with the request")


def attribute(target: Term, name: str, known: Known, place: Place) -> Term:
    """Return `target.name`."""
    match target:
        case User():
            return _of_user(name, known, place)
        case Record(fields=fields) if name in fields:
            if isinstance(fields[name], Source) and _SOURCE not in known:
                raise UnsupportedError("`context.source` read without `context has source`")
            return fields[name]
        case Entity(type=kind, id=service) if (kind, service) == (SERVICE, place.service):
            facts: dict[str, Term] = {
                "zone": Text(place.zone),
                "holds": SetOf(tuple(Text(data) for data in place.holds)),
            }
            if name in facts:
                return facts[name]
    raise UnsupportedError(f"`.{name}` of something that does not have it for certain")


def _context(place: Place) -> dict[str, Term]:
    fields: dict[str, Term] = {
        "caller": place.caller,
        "path": Record({name: Segment(number) for name, number in place.segments.items()}),
        "now": Now(),
        **{unit: Clock(unit, place.system.timezone) for unit in ("hour", "minute", "weekday")},
    }
    if place.kind != "workload" and EDGE in place.callers:
        fields["source"] = Source()
    return fields


def _called_by_edge(place: Place) -> Formula:
    """Only the edge knows the client's address."""
    return constant(True) if place.kind == "guest" else membership.called_by(EDGE, place)


def _always(place: Place) -> dict[str, Term]:
    """Return the attributes that every user has."""
    issuer = place.issuer.url if place.issuer is not None else ""
    return {"sub": membership.SUB, "iss": Text(issuer), "scopes": Scopes()}


def _of_user(name: str, known: Known, place: Place) -> Term:
    always = _always(place)
    if name in always:
        return always[name]
    claim = place.system.claims.get(name)
    if claim is None or ("principal", name) not in known:
        raise UnsupportedError(f"`principal.{name}` read without `principal has {name}`")
    return _CLAIMS[claim.type](claim.path)
