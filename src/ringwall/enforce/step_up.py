"""Operations that ask for a surer or fresher sign-in (RFC 9470): refused with what to ask the issuer for.

Every demand is a rule that denies, so none may depend on an expression that could fail: Envoy takes a failure for no
match. What CEL reads has been looked at by native matchers in a rule beside it.
"""

from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as rbac_filter_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2
from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.enforce.proto import pack
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.operation import StepUp

FILTER: Final = "ringwall.step-up"
POLICY: Final = "step-up"
"""Begins the names of its policies; answered with 401 and `insufficient_user_authentication`."""
_LATEST: Final = 1e11
"""No sign-in is later than this, in seconds since the epoch; what is, is no time."""


def filter_config() -> Any:
    """Return the filter's own configuration; it works on routes that bring a demand and on no other."""
    return rbac_filter_pb2.RBAC()


def per_route(demand: StepUp, *, edge: str | None) -> Any:
    """Return a route's demand.

    Args:
        demand: what is asked for.
        edge: at a service, the SPIFFE ID of the edge: what another service does without anybody's token is for the
            policies alone. None at the edge itself.
    """
    policies = {POLICY: _refusing(_asked(edge), _not(_all(*_sound(demand))))}
    if demand.max_age is not None:
        late = _refusing(_asked(edge), *_sound(demand))
        late.condition.CopyFrom(_older_than(demand.max_age))
        policies[f"{POLICY}-age"] = late
    rules = rbac_pb2.RBAC(action="DENY", policies=policies)
    chosen = rbac_filter_pb2.RBACPerRoute(rbac=rbac_filter_pb2.RBAC(rules=rules))
    return route_components_pb2.FilterConfig(config=pack(chosen))


def challenge(demand: StepUp) -> str:
    """Return the parameters of the challenge (RFC 9470, section 3)."""
    acr = f', acr_values="{" ".join(demand.acr)}"' if demand.acr else ""
    age = "" if demand.max_age is None else f', max_age="{demand.max_age}"'
    return f'error="insufficient_user_authentication"{acr}{age}'


def query(demand: StepUp) -> str:
    """Return the same as parameters of an authorization request (RFC 9470, section 4), each with `&` behind it."""
    acr = f"acr_values={'+'.join(demand.acr)}&" if demand.acr else ""
    age = "" if demand.max_age is None else f"max_age={demand.max_age}&"
    return acr + age


def _asked(edge: str | None) -> Any:
    """Match whom the demand is about: everybody at the edge, inside whoever has a token or comes from the edge."""
    if edge is None:
        return rbac_pb2.Principal(any=True)
    token = _claim("sub", value_pb2.ValueMatcher(present_match=True))
    return _any(token, rbac_pb2.Principal(authenticated={"principal_name": {"exact": edge}}))


def _sound(demand: StepUp) -> list[Any]:
    """Match a sign-in that is sure enough, and says when it was; native, so true or false and nothing else."""
    levels = [_claim("acr", value_pb2.ValueMatcher(string_match=_exactly(acr))) for acr in demand.acr]
    found = [_any(*levels)] if levels else []
    if demand.max_age is not None:
        moment = value_pb2.ValueMatcher(double_match={"range": {"start": 0.0, "end": _LATEST}})
        found.append(_claim("auth_time", moment))
    return found


def _older_than(seconds: int) -> Any:
    """Return `int(request.time) - int(auth_time) > seconds`; `auth_time` is a number of a size that `int` takes."""
    auth_time = _index(_index(_index(_field("metadata", "filter_metadata"), JWT_NAMESPACE), CLAIMS_KEY), "auth_time")
    age = _call("_-_", _call("int", _field("request", "time")), _call("int", auth_time))
    limit = syntax_pb2.Expr(const_expr=syntax_pb2.Constant(int64_value=seconds))
    return _call("_>_", age, limit)


def _call(function: str, *arguments: Any) -> Any:
    return syntax_pb2.Expr(call_expr=syntax_pb2.Expr.Call(function=function, args=arguments))


def _field(name: str, field: str) -> Any:
    operand = syntax_pb2.Expr(ident_expr=syntax_pb2.Expr.Ident(name=name))
    return syntax_pb2.Expr(select_expr=syntax_pb2.Expr.Select(operand=operand, field=field))


def _index(operand: Any, key: str) -> Any:
    return _call("_[_]", operand, syntax_pb2.Expr(const_expr=syntax_pb2.Constant(string_value=key)))


def _exactly(text: str) -> Any:
    return string_pb2.StringMatcher(exact=text)


def _claim(name: str, value: Any) -> Any:
    path = [{"key": key} for key in (CLAIMS_KEY, name)]
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": path, "value": value}}
    )


def _any(*principals: Any) -> Any:
    return rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=principals))


def _all(*principals: Any) -> Any:
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))


def _not(principal: Any) -> Any:
    return rbac_pb2.Principal(not_id=principal)


def _refusing(*principals: Any) -> Any:
    return rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)], principals=[_all(*principals)])
