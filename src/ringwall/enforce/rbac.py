"""Rules of the plan → Envoy's RBAC filters.

Only `condition` is ever used: Envoy 1.40 accepts `checked_condition` and ignores it, which fails open.
Every rule is an ALLOW: what matches no case, and every CEL error, is a deny.
"""

import base64
from collections.abc import Sequence
from typing import assert_never

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2
from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.operation import HopRule
from ringwall.plan.policy import Mode
from ringwall.plan.rule import (
    AllOf,
    Always,
    AnyOf,
    CallerIs,
    Case,
    ClaimFlag,
    ClaimHas,
    ClaimHasText,
    ClaimPresent,
    ClaimText,
    CompiledRule,
    DecisionPointRule,
    Never,
    Not,
    PathMatches,
    Predicate,
    Rule,
    SourceIn,
)

STAT_PREFIX = "ringwall_"
"""Prefix of the enforced rules' statistics and metadata keys."""

SHADOW_STAT_PREFIX = "ringwall_shadow_"
"""Prefix of the shadow rules' statistics and metadata keys: `ringwall_shadow_shadow_engine_result` and others."""

DENY_ALL_STAT_PREFIX = "ringwall_deny_all_"
"""Prefix of the filter that refuses whatever has no per-route rules."""

_ANY_TEXT = string_pb2.StringMatcher(safe_regex={"regex": "(?s).*"})


def hop_filter(
    hop: HopRule, *, rule_id: str, callers: Sequence[str] | None, mode: Mode = Mode.ENFORCE
) -> http_rbac_pb2.RBACPerRoute:
    """Return the per-route configuration that enforces a hop's rule.

    Args:
        hop: what is enforced.
        rule_id: name of the rule; Envoy reports it, with `.N` behind it where the rule has several cases.
        callers: SPIFFE IDs of the workloads in `hop.callers`; None at the edge, which knows no callers.
        mode: SHADOW to enforce only the callers and report what the rule would have decided.

    Returns:
        The configuration. For a rule of the decision point it enforces the callers, and the ext_authz filter
        decides the rest.
    """
    reported = hop.shadow
    if mode is Mode.SHADOW:
        enforced = _admit(rule_id, callers)
        reported = reported or hop.rule
    else:
        enforced = _rules(hop.rule, rule_id, callers)
    config = http_rbac_pb2.RBAC(rules=enforced, rules_stat_prefix=STAT_PREFIX)
    if isinstance(reported, CompiledRule):
        config.shadow_rules.CopyFrom(_rules(reported, rule_id, callers))
        config.shadow_rules_stat_prefix = SHADOW_STAT_PREFIX
    return http_rbac_pb2.RBACPerRoute(rbac=config)


def deny_all() -> http_rbac_pb2.RBAC:
    """Return the filter's own configuration: an ALLOW without policies, so a route without rules answers 403."""
    return http_rbac_pb2.RBAC(rules=_nobody(), rules_stat_prefix=DENY_ALL_STAT_PREFIX)


def tcp_filter(callers: Sequence[str], *, stat_prefix: str = STAT_PREFIX) -> network_rbac_pb2.RBAC:
    """Return the network filter that lets only these SPIFFE IDs connect; with none it lets nobody."""
    rules = _admit("callers", callers) if callers else _nobody()
    return network_rbac_pb2.RBAC(rules=rules, stat_prefix=stat_prefix)


def _rules(rule: Rule, rule_id: str, callers: Sequence[str] | None) -> rbac_pb2.RBAC:
    match rule:
        case DecisionPointRule():
            return _admit(rule_id, callers)
        case CompiledRule(cases=cases):
            rules = _nobody()
            # Envoy tries policies in the order of their names; the compiler puts the cheap cases first.
            width = len(str(len(cases) - 1))
            for number, case in enumerate(cases):
                name = rule_id if len(cases) == 1 else f"{rule_id}.{number:0{width}d}"
                rules.policies[name].CopyFrom(_policy(case, callers))
            return rules
        case _:
            assert_never(rule)


def _admit(rule_id: str, callers: Sequence[str] | None) -> rbac_pb2.RBAC:
    return _rules(CompiledRule(cases=(Case(when=Always()),)), rule_id, callers)


def _nobody() -> rbac_pb2.RBAC:
    rules = rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW)
    # ALLOW is the default value: without this the message would be absent, and nothing would be enforced.
    rules.SetInParent()
    return rules


def _policy(case: Case, callers: Sequence[str] | None) -> rbac_pb2.Policy:
    policy = rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)])
    parts = [] if callers is None else [_any_of([_caller(spiffe_id) for spiffe_id in callers])]
    if not isinstance(case.when, Always):
        parts += [principal(part) for part in (case.when.parts if isinstance(case.when, AllOf) else (case.when,))]
    policy.principals.append(_all_of(parts))
    if case.condition is not None:
        policy.condition.CopyFrom(syntax_pb2.Expr.FromString(base64.b64decode(case.condition.expr)))
        policy.cel_config.enable_string_functions = True
    return policy


def principal(predicate: Predicate) -> rbac_pb2.Principal:
    """Return a predicate as an RBAC principal, the form that can express all of them."""
    match predicate:
        case Always():
            found = rbac_pb2.Principal(any=True)
        case Never():
            found = rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))
        case AllOf(parts=parts):
            found = _all_of([principal(part) for part in parts])
        case AnyOf(parts=parts):
            found = _any_of([principal(part) for part in parts])
        case Not(part=part):
            found = rbac_pb2.Principal(not_id=principal(part))
        case CallerIs(spiffe_id=spiffe_id):
            found = _caller(spiffe_id)
        case SourceIn(cidr=cidr):
            found = _source(cidr)
        case PathMatches(regex=regex):
            found = rbac_pb2.Principal(url_path={"path": {"safe_regex": {"regex": regex}}})
        case _:
            found = _claim(predicate.path, _value(predicate))
    return found


def _value(
    predicate: ClaimPresent | ClaimText | ClaimFlag | ClaimHas | ClaimHasText,
) -> value_pb2.ValueMatcher:
    match predicate:
        case ClaimPresent():
            return value_pb2.ValueMatcher(present_match=True)
        case ClaimText(match=kind, value=value):
            return value_pb2.ValueMatcher(string_match=_text(kind, value))
        case ClaimFlag(value=flag):
            return value_pb2.ValueMatcher(bool_match=flag)
        case ClaimHas(value=element):
            return _element(string_pb2.StringMatcher(exact=element))
        case ClaimHasText():
            return _element(_ANY_TEXT)
        case _:
            assert_never(predicate)


def _text(kind: str, value: str) -> string_pb2.StringMatcher:
    if kind == "regex":
        return string_pb2.StringMatcher(safe_regex={"regex": value})
    return string_pb2.StringMatcher(**{kind: value})


def _element(matcher: string_pb2.StringMatcher) -> value_pb2.ValueMatcher:
    return value_pb2.ValueMatcher(list_match={"one_of": {"string_match": matcher}})


def _claim(path: tuple[str, ...], value: value_pb2.ValueMatcher) -> rbac_pb2.Principal:
    keys = [{"key": key} for key in (CLAIMS_KEY, *path)]
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": JWT_NAMESPACE, "path": keys, "value": value}}
    )


def _caller(spiffe_id: str) -> rbac_pb2.Principal:
    return rbac_pb2.Principal(authenticated={"principal_name": {"exact": spiffe_id}})


def _source(cidr: str) -> rbac_pb2.Principal:
    address, _, length = cidr.partition("/")
    return rbac_pb2.Principal(remote_ip={"address_prefix": address, "prefix_len": {"value": int(length)}})


def _all_of(parts: list[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    if not parts:
        return rbac_pb2.Principal(any=True)
    return parts[0] if len(parts) == 1 else rbac_pb2.Principal(and_ids={"ids": parts})


def _any_of(parts: list[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    if not parts:
        return rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))
    return parts[0] if len(parts) == 1 else rbac_pb2.Principal(or_ids={"ids": parts})
