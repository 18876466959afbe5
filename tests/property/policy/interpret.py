"""A small Envoy: native predicates read by a few lines of Python, CEL by Google's cel-cpp."""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from google.api.expr.v1alpha1 import syntax_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from tests.property.policy.requests import Request
from tests.property.policy.world import PREFIX, Site, spiffe_id

from ringwall.plan import rule
from ringwall.plan.rule import CompiledRule, Condition

_ENV = cel.NewEnv(
    variables={"request": cel.Type.DYN, "connection": cel.Type.DYN, "metadata": cel.Type.DYN},
    extensions=[ext_strings.ExtStrings()],
)
_PARSED = "type.googleapis.com/cel.expr.ParsedExpr"
_MISSING = object()


class ConditionError(AssertionError):
    """An expression erred although its case's native part matched; it must be total."""


class Program:
    """A condition, ready to run in both of its forms."""

    def __init__(self, condition: Condition) -> None:
        expr = syntax_pb2.Expr.FromString(base64.b64decode(condition.expr))
        packed = syntax_pb2.ParsedExpr(expr=expr).SerializeToString()
        self._expr = _ENV.deserialize(AnyMessage(type_url=_PARSED, value=packed).SerializeToString())
        self._text = _ENV.compile(condition.text, disable_check=True)
        self._source = condition.text

    def holds(self, activation: Any) -> bool:
        value = self._expr.eval(activation=activation)
        if value.type() != cel.Type.BOOL:
            raise ConditionError(f"{value} from {self._source}")
        said = self._text.eval(activation=activation).value()
        if said is not value.value():
            raise AssertionError(f"the text says {said}, the expression {value.value()}: {self._source}")
        return bool(value.value())


@dataclass(frozen=True)
class Facts:
    """What a proxy knows about a request: `path` as this hop sees it, `peer` the caller's SPIFFE ID if there is one."""

    path: str
    time: float
    claims: Mapping[str, Any] | None = None
    source: str | None = None
    peer: str | None = None


class Interpreter:
    """Runs one compiled rule."""

    def __init__(self, compiled: CompiledRule) -> None:
        self._cases = [(case, Program(case.condition) if case.condition else None) for case in compiled.cases]

    def allows(self, facts: Facts) -> bool:
        activation = None
        for case, program in self._cases:
            if not _matches(case.when, facts):
                continue
            if program is None:
                return True
            activation = activation or _activation(facts)
            if program.holds(activation):
                return True
        return False


def at_site(site: Site, request: Request) -> Facts | None:
    """Return what the site's proxy knows; None where it does not let the caller in at all."""
    edge = site.hop == "edge"
    if request.caller not in (("edge",) if edge else site.callers):
        return None
    return Facts(
        path=(PREFIX if edge else "") + request.path,
        time=request.time,
        claims=request.claims,
        source=request.source,
        peer=None if edge else spiffe_id(request.caller),
    )


def _activation(facts: Facts) -> Any:
    metadata: dict[str, Any] = {}
    if facts.claims is not None:
        metadata["envoy.filters.http.jwt_authn"] = {"claims": _as_struct(facts.claims)}
    connection = {} if facts.peer is None else {"uri_san_peer_certificate": facts.peer}
    micros = round(facts.time * 1_000_000)
    time = Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1_000)
    data = {
        "request": {"time": time, "url_path": facts.path},
        "connection": connection,
        "metadata": {"filter_metadata": metadata},
    }
    return _ENV.Activation(data)


def _as_struct(value: Any) -> Any:
    """Return JSON as a protobuf Struct holds it: every number is a double."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _as_struct(item) for key, item in value.items()}
    return [_as_struct(item) for item in value]


def _matches(when: rule.Predicate, facts: Facts) -> bool:
    match when:
        case rule.Always() | rule.Never():
            return isinstance(when, rule.Always)
        case rule.AllOf(parts=parts):
            return all(_matches(part, facts) for part in parts)
        case rule.AnyOf(parts=parts):
            return any(_matches(part, facts) for part in parts)
        case rule.Not(part=part):
            return not _matches(part, facts)
    return _fact(when, facts)


def _fact(when: Any, facts: Facts) -> bool:
    match when:
        case rule.CallerIs(spiffe_id=identity):
            return bool(identity == facts.peer)
        case rule.SourceIn(cidr=cidr):
            return facts.source is not None and _in_block(facts.source, cidr)
        case rule.PathMatches(regex=regex):
            return _regex(regex, facts.path)
    return _claim(when, _dig(facts.claims, when.path))


def _in_block(source: str, cidr: str) -> bool:
    address, network = ipaddress.ip_address(source), ipaddress.ip_network(cidr)
    return address.version == network.version and address in network


def _dig(claims: Any, keys: tuple[str, ...]) -> Any:
    if claims is None:
        return _MISSING
    for key in keys:
        if not isinstance(claims, Mapping) or key not in claims:
            return _MISSING
        claims = claims[key]
    return claims


def _claim(when: Any, value: Any) -> bool:
    match when:
        case rule.ClaimPresent():
            return value is not _MISSING
        case rule.ClaimText(match=kind, value=wanted):
            return isinstance(value, str) and _text(kind, value, wanted)
        case rule.ClaimFlag(value=wanted):
            return value is wanted
        case rule.ClaimHas(value=wanted):
            return isinstance(value, list) and any(isinstance(one, str) and one == wanted for one in value)
        case rule.ClaimHasText():
            return isinstance(value, list) and any(isinstance(one, str) for one in value)
    raise AssertionError(when)


def _text(kind: str, value: str, wanted: str) -> bool:
    match kind:
        case "exact":
            return value == wanted
        case "prefix":
            return value.startswith(wanted)
        case "suffix":
            return value.endswith(wanted)
        case "contains":
            return wanted in value
    return _regex(wanted, value)


def _regex(regex: str, value: str) -> bool:
    """Match as Envoy does, over bytes."""
    return re.fullmatch(regex.encode(), value.encode()) is not None
