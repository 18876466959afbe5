import base64

import pytest
from envoy.config.rbac.v3 import rbac_pb2
from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.compile.cedar import cel
from ringwall.enforce.rbac import deny_all, hop_filter, principal, tcp_filter
from ringwall.plan.operation import HopRule
from ringwall.plan.policy import Mode
from ringwall.plan.rule import (
    ALLOW,
    DENY,
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

EDGE = "spiffe://clinic/edge"
PORTAL = "spiffe://clinic/service/portal"


def hop(rule: Rule, *, shadow: Rule | None = None) -> HopRule:
    return HopRule(rule=rule, shadow=shadow, callers=("edge", "portal"))


def policies(rule: Rule, callers: tuple[str, ...] | None = (EDGE, PORTAL)) -> dict[str, rbac_pb2.Policy]:
    return dict(hop_filter(hop(rule), rule_id="abc", callers=callers).rbac.rules.policies)


def test_a_rule_without_cases_is_a_present_allow_without_policies() -> None:
    config = hop_filter(hop(DENY), rule_id="abc", callers=None).rbac
    assert config.HasField("rules")
    assert config.rules.action == rbac_pb2.RBAC.ALLOW
    assert not config.rules.policies


def test_what_has_no_rules_of_its_own_is_denied() -> None:
    assert deny_all().HasField("rules")
    assert not deny_all().rules.policies


def test_callers_are_asked_of_every_policy() -> None:
    (policy,) = policies(ALLOW).values()
    asked = [one.authenticated.principal_name.exact for one in policy.principals[0].or_ids.ids]
    assert asked == [EDGE, PORTAL]


def test_nobody_may_call_where_there_are_no_callers() -> None:
    (policy,) = policies(ALLOW, ()).values()
    assert policy.principals[0].not_id.any


def test_the_edge_asks_for_no_callers() -> None:
    (policy,) = policies(ALLOW, None).values()
    assert policy.principals[0].any


def test_the_decision_point_still_leaves_callers_to_envoy() -> None:
    undecided = policies(DecisionPointRule(reasons=("because",)))
    assert undecided == policies(ALLOW)


def test_policies_are_named_after_the_rule_and_sort_in_the_order_of_cases() -> None:
    assert list(policies(ALLOW)) == ["abc"]
    cases = tuple(Case(when=ClaimHas(path=("roles",), value=str(number))) for number in range(12))
    assert sorted(policies(CompiledRule(cases=cases))) == [f"abc.{number:02}" for number in range(12)]
    many = policies(CompiledRule(cases=cases))
    for number, name in enumerate(sorted(many)):
        wanted = many[name].principals[0].and_ids.ids[1].sourced_metadata.metadata_matcher.value
        assert wanted.list_match.one_of.string_match.exact == str(number)


def test_a_condition_is_never_a_checked_one() -> None:
    condition = cel.condition(cel.const(False))
    (policy,) = policies(CompiledRule(cases=(Case(when=Always(), condition=condition),))).values()
    assert policy.condition == syntax_pb2.Expr.FromString(base64.b64decode(condition.expr))
    assert not policy.HasField("checked_condition")
    assert policy.cel_config.enable_string_functions


def test_shadow_rules_are_reported_and_not_enforced() -> None:
    config = hop_filter(hop(DENY, shadow=ALLOW), rule_id="abc", callers=None).rbac
    assert not config.rules.policies
    assert list(config.shadow_rules.policies) == ["abc"]
    assert config.shadow_rules_stat_prefix != config.rules_stat_prefix


def test_a_hop_in_shadow_mode_enforces_only_its_callers() -> None:
    config = hop_filter(hop(DENY), rule_id="abc", callers=(EDGE,), mode=Mode.SHADOW).rbac
    assert dict(config.rules.policies) == policies(ALLOW, (EDGE,))
    assert config.HasField("shadow_rules")
    assert not config.shadow_rules.policies


def test_tcp_lets_only_its_callers_connect() -> None:
    rules = tcp_filter([EDGE]).rules
    assert rules.policies["callers"].principals[0].authenticated.principal_name.exact == EDGE
    assert tcp_filter([]).HasField("rules")
    assert not tcp_filter([]).rules.policies


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (Always(), "any: true"),
        (Never(), "not_id { any: true }"),
        (Not(part=Always()), "not_id { any: true }"),
        (CallerIs(spiffe_id=EDGE), 'authenticated { principal_name { exact: "spiffe://clinic/edge" } }'),
        (SourceIn(cidr="10.0.0.0/8"), 'remote_ip { address_prefix: "10.0.0.0" prefix_len { value: 8 } }'),
        (PathMatches(regex="/a"), 'url_path { path { safe_regex { regex: "/a" } } }'),
    ],
)
def test_predicates_become_principals(predicate: Predicate, expected: str) -> None:
    assert " ".join(str(principal(predicate)).split()) == expected


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (ClaimPresent(path=("a", "b")), "present_match: true"),
        (ClaimText(path=("a", "b"), match="exact", value=""), 'string_match { exact: "" }'),
        (ClaimText(path=("a", "b"), match="suffix", value="x"), 'string_match { suffix: "x" }'),
        (ClaimText(path=("a", "b"), match="regex", value="x"), 'string_match { safe_regex { regex: "x" } }'),
        (ClaimFlag(path=("a", "b"), value=False), "bool_match: false"),
        (ClaimHas(path=("a", "b"), value="x"), 'list_match { one_of { string_match { exact: "x" } } }'),
        (
            ClaimHasText(path=("a", "b")),
            'list_match { one_of { string_match { safe_regex { regex: "(?s).*" } } } }',
        ),
    ],
)
def test_claims_are_matched_in_the_metadata_of_the_verified_token(predicate: Predicate, expected: str) -> None:
    matcher = principal(predicate).sourced_metadata.metadata_matcher
    assert matcher.filter == "envoy.filters.http.jwt_authn"
    assert [step.key for step in matcher.path] == ["claims", "a", "b"]
    assert " ".join(str(matcher.value).split()) == expected


def test_groups_nest() -> None:
    either = AnyOf(parts=(Always(), Never()))
    assert len(principal(AllOf(parts=(either, either))).and_ids.ids) == 2
    assert len(principal(either).or_ids.ids) == 2
