"""What changes between two plans, in words and as data."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ringwall.plan.base import Part
from ringwall.plan.matrix import Cell, access_matrix
from ringwall.plan.model import Cors, Plan, Service
from ringwall.plan.operation import HopRule, Limit, Operation
from ringwall.plan.rule import DecisionPointRule
from ringwall.plan.tables import limit_text
from ringwall.plan.verdicts import Verdict


class Kind(StrEnum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: added, removed or changed.
        what: access, service, operation, rule, policy, exposure, cors, limit, issuer, role, claim, person, client,
            upstream, audience, edge or system.
        name: of the thing.
        detail: which property, or for whom; may be empty.
        before, after: in words; empty where there is nothing to say.
        widens: True where somebody may do more than before.
    """

    kind: Kind
    what: str
    name: str
    detail: str = ""
    before: str = ""
    after: str = ""
    widens: bool = False

    def __str__(self) -> str:
        text = f"{self.what} {self.name}"
        if self.detail:
            text += f": {self.detail}"
        if self.before or self.after:
            text += f" {self.before or 'nothing'} → {self.after or 'nothing'}"
        return f"{self.kind.value} {text}"


_SYSTEM_FIELDS: Final = ("system", "trust_domain", "timezone", "development", "mode", "audience")
_SERVICE_FIELDS: Final = (
    "protocol",
    "zone",
    "holds",
    "calls",
    "audiences",
    "mode",
    "timeout_seconds",
    "max_body_bytes",
    "tcp_callers",
    "forward_token",
)
_EDGE_LIMITS: Final = {"per_ip": "client address", "per_principal": "principal"}
_ORDER: Final = {Verdict.DENY: 0, Verdict.CONDITIONAL: 1, Verdict.ALLOW: 2}


def diff(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Return every difference between two plans, in the order in which a person would ask for them."""
    if before.digest == after.digest:
        return ()
    return (
        *_fields("system", before.system, before, after, _SYSTEM_FIELDS),
        *_access(before, after),
        *_services(before, after),
        *_policies(before, after),
        *_edge(before, after),
        *_parts("issuer", before.issuers, after.issuers),
        *_parts("role", before.roles, after.roles),
        *_parts("claim", before.claims, after.claims),
        *_parts("person", before.people, after.people),
        *_parts("client", before.clients, after.clients),
        *_parts("upstream", before.upstreams, after.upstreams),
        *_parts("audience", before.audiences, after.audiences),
    )


def _paired(before: Iterable[Any], after: Iterable[Any], key: Callable[[Any], str]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, old and new, either of which may be None."""
    old, new = {key(part): part for part in before}, {key(part): part for part in after}
    for name in sorted({*old, *new}):
        yield name, old.get(name), new.get(name)


def _kind(old: object, new: object) -> Kind:
    if old is None:
        return Kind.ADDED
    return Kind.REMOVED if new is None else Kind.CHANGED


def _fields(what: str, name: str, old: Part, new: Part, fields: Iterable[str]) -> Iterator[Change]:
    for field in fields:
        one, other = getattr(old, field), getattr(new, field)
        if one != other:
            yield Change(Kind.CHANGED, what, name, field.replace("_", " "), _words(one), _words(other))


def _words(value: object) -> str:
    if isinstance(value, Limit):
        return limit_text(value)
    if isinstance(value, tuple):
        return ", ".join(_words(item) for item in value)
    if value is None:
        return ""
    if isinstance(value, Part):
        shown = value.model_dump(mode="json", exclude_defaults=True)
        return ", ".join(f"{key} {_words(item)}" for key, item in shown.items())
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    return ", ".join(_words(item) for item in value) if isinstance(value, list) else str(value)


def _parts(what: str, before: Iterable[Part], after: Iterable[Part]) -> Iterator[Change]:
    for name, old, new in _paired(before, after, lambda part: str(part.name)):
        if old is None or new is None:
            yield Change(_kind(old, new), what, name)
        elif old != new:
            fields = [field for field in type(old).model_fields if getattr(old, field) != getattr(new, field)]
            yield from _fields(what, name, old, new, fields)


def _services(before: Plan, after: Plan) -> Iterator[Change]:
    for name, old, new in _paired(before.services, after.services, lambda service: str(service.name)):
        if old is None or new is None:
            prefix = (new or old).prefix
            yield Change(_kind(old, new), "service", name)
            if prefix is not None:
                yield _exposure(name, old.prefix if old else None, new.prefix if new else None)
            if (new or old).cors is not None:
                yield _pages(name, old.cors if old else None, new.cors if new else None)
            continue
        yield from _fields("service", name, old, new, _SERVICE_FIELDS)
        if old.run != new.run or old.listen != new.listen:
            yield Change(Kind.CHANGED, "service", name, "how it is started")
        if old.prefix != new.prefix:
            yield _exposure(name, old.prefix, new.prefix)
        if old.cors != new.cors:
            yield _pages(name, old.cors, new.cors)
        if old.per_principal != new.per_principal:
            yield _limit(name, "principal", old.per_principal, new.per_principal)
        yield from _operations(old, new)


def _exposure(name: str, old: str | None, new: str | None) -> Change:
    before, after = ["" if prefix is None else prefix or "/" for prefix in (old, new)]
    return Change(_kind(old, new), "exposure", name, "", before, after, widens=new is not None)


def _pages(service: str, old: Cors | None, new: Cors | None) -> Change:
    """Web pages of which origins may call."""
    kept = set() if old is None else {*old.origins, *old.headers, *(["credentials"] if old.credentials else [])}
    given = set() if new is None else {*new.origins, *new.headers, *(["credentials"] if new.credentials else [])}
    return Change(_kind(old, new), "cors", service, "", _words(old), _words(new), widens=bool(given - kept))


def _limit(where: str, counts: str, old: Limit | None, new: Limit | None) -> Change:
    return Change(_kind(old, new), "limit", where, counts, _words(old), _words(new), widens=_weaker(old, new))


def _weaker(old: Limit | None, new: Limit | None) -> bool:
    if old is None or new is None:
        return old is not None
    return new.requests * old.seconds > old.requests * new.seconds or new.burst > old.burst


def _operations(before: Service, after: Service) -> Iterator[Change]:
    for name, old, new in _paired(before.operations, after.operations, lambda operation: str(operation.id)):
        if old is None or new is None:
            known = new or old
            route = f"{known.method} {known.template}"
            yield Change(_kind(old, new), "operation", name, route)
            continue
        was, now = [f"{operation.method} {operation.template}" for operation in (old, new)]
        if was != now:
            yield Change(Kind.CHANGED, "operation", name, "route", was, now)
        yield from _fields("operation", name, old, new, ("holds",))
        if old.websocket != new.websocket:
            was, now = _words(old.websocket), _words(new.websocket)
            yield Change(Kind.CHANGED, "operation", name, "websocket", was, now, widens=new.websocket)
        if old.step_up != new.step_up:
            was, now = (str(operation.step_up or "none") for operation in (old, new))
            yield Change(Kind.CHANGED, "operation", name, "step-up", was, now, widens=new.step_up is None)
        yield from _rules(name, old, new)


def _rules(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    for hop in ("inbound", "edge"):
        one: HopRule | None = getattr(old, hop)
        other: HopRule | None = getattr(new, hop)
        if one is None or other is None or one == other:
            continue
        if one.callers != other.callers:
            more = bool({*other.callers} - {*one.callers})
            before, after = _words(one.callers), _words(other.callers)
            yield Change(Kind.CHANGED, "operation", name, f"callers at {hop}", before, after, widens=more)
        if one.authentication != other.authentication:
            more = other.authentication == "optional"
            detail = f"authentication at {hop}"
            yield Change(Kind.CHANGED, "operation", name, detail, one.authentication, other.authentication, widens=more)
        if one.rule != other.rule or one.shadow != other.shadow:
            asked = [isinstance(rule.rule, DecisionPointRule) for rule in (one, other)]
            was, now = ["decision point" if flag else "proxy" for flag in asked] if asked[0] != asked[1] else ["", ""]
            yield Change(Kind.CHANGED, "rule", name, f"at {hop}", was, now)


def _policies(before: Plan, after: Plan) -> Iterator[Change]:
    for name, old, new in _paired(before.policies, after.policies, lambda policy: str(policy.id)):
        if old is None or new is None:
            yield Change(_kind(old, new), "policy", name, str((new or old).source))
        elif old.cedar != new.cedar:
            yield Change(Kind.CHANGED, "policy", name, f"text at {new.source}")
        elif old.mode != new.mode:
            yield Change(Kind.CHANGED, "policy", name, "mode", old.mode.value, new.mode.value)


def _edge(before: Plan, after: Plan) -> Iterator[Change]:
    if before.edge is None or after.edge is None:
        if before.edge is not after.edge:
            yield Change(_kind(before.edge, after.edge), "edge", "edge")
        return
    for field in type(after.edge).model_fields:
        old, new = getattr(before.edge, field), getattr(after.edge, field)
        if old == new:
            continue
        if field in _EDGE_LIMITS:
            yield _limit("edge", _EDGE_LIMITS[field], old, new)
        else:
            yield Change(Kind.CHANGED, "edge", "edge", field.replace("_", " "), _words(old), _words(new))


def _access(before: Plan, after: Plan) -> Iterator[Change]:
    """Yield where the access matrix says something else; operations that come or go are told as such."""
    old, new = access_matrix(before), access_matrix(after)
    old_rows = {row.operation: dict(zip(old.columns, row.cells, strict=True)) for row in old.rows}
    for row in new.rows:
        earlier = old_rows.get(row.operation)
        for who, cell in zip(new.columns, row.cells, strict=True):
            was = earlier.get(who, Cell(Verdict.DENY)) if earlier is not None else Cell(Verdict.DENY)
            if was.verdict is cell.verdict and was.callers == cell.callers:
                continue
            more = _ORDER[cell.verdict] > _ORDER[was.verdict] or bool({*cell.callers} - {*was.callers})
            yield Change(
                Kind.CHANGED, "access", row.operation, str(who), _cell_words(was), _cell_words(cell), widens=more
            )


def _cell_words(cell: Cell) -> str:
    return f"{cell.verdict.value} via {', '.join(cell.callers)}" if cell.callers else cell.verdict.value
