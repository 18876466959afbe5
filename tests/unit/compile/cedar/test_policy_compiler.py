import pytest
from tests.property.policy.world import CLAIMS, GET, LOCAL, PARAMS, ROLES, Site, policy

from ringwall.compile.cedar import compiler
from ringwall.compile.cedar.compiler import CompileCache, HopContext, PolicyCompiler
from ringwall.plan.cedar import PolicyTextError
from ringwall.plan.operation import HopRule
from ringwall.plan.policy import Mode, Policy, Source
from ringwall.plan.rule import DENY, Case, CompiledRule, DecisionPointRule

SITE = Site(issuers=(LOCAL,), callers=("edge", "portal"))
READS_LEVEL = "permit(principal is User, action, resource) when { principal has level && principal.level > 3 };"


def compiled(*texts: str, shadow: tuple[int, ...] = (), site: Site = SITE) -> HopRule:
    return site.compile(
        tuple(
            policy(number, text, Mode.SHADOW if number in shadow else Mode.ENFORCE) for number, text in enumerate(texts)
        )
    )


def reasons(*texts: str) -> tuple[str, ...]:
    rule = compiled(*texts).rule
    assert isinstance(rule, DecisionPointRule)
    return rule.reasons


def when(condition: str) -> str:
    return f"permit(principal is User, action, resource) when {{ {condition} }};"


def test_no_policy_denies_everything_and_asks_for_a_token() -> None:
    rule = compiled()
    assert (rule.rule, rule.shadow, rule.authentication) == (DENY, None, "required")
    assert rule.callers == ("edge", "portal")


def test_only_forbids_deny_everything() -> None:
    assert compiled("forbid(principal, action, resource) when { context.hour > 3 };").rule == DENY


@pytest.mark.parametrize(
    ("text", "authentication"),
    [
        ("permit(principal, action, resource);", "optional"),
        ("permit(principal is User, action, resource);", "required"),
        ("permit(principal is Guest, action, resource);", "optional"),
        ('permit(principal == Workload::"portal", action, resource);', "optional"),
        ('permit(principal == Workload::"billing", action, resource);', "required"),
        ('permit(principal, action, resource) when { resource.zone == "data" };', "required"),
        ("permit(principal, action, resource) unless { principal is Guest || principal is Workload };", "required"),
        ('permit(principal in Role::"patient", action, resource);', "required"),
    ],
)
def test_a_token_is_demanded_where_nothing_could_allow_without_one(text: str, authentication: str) -> None:
    assert compiled(text).authentication == authentication


def test_what_is_uncertain_without_a_token_does_not_demand_one() -> None:
    rule = compiled(
        'permit(principal, action, resource) when { context.path.id == "a" && [context.path.id] == ["a"] };'
    )
    assert isinstance(rule.rule, DecisionPointRule)
    assert rule.authentication == "optional"


@pytest.mark.parametrize(
    ("condition", "construct"),
    [
        ("principal has level && principal.level + 1 > 3", "`+`, which Envoy cannot compute"),
        ("principal has level && principal.level * 2 > 3", "`*`, which Envoy cannot compute"),
        ("principal has level && -principal.level > 3", "`neg`, which Envoy cannot compute"),
        (
            "principal has tags && principal has patients && principal.tags.containsAll(principal.patients)",
            "`containsAll` between two sets that are both known only with the request",
        ),
        ('principal.scopes == ["a"]', "`==` between values of these kinds"),
        (
            "context has source && ip(context.path.id) == context.source",
            "`ip` of a text that is known only with the request",
        ),
        ('decimal("1.0").lessThan(decimal("2.0"))', "`lessThan`, which Envoy cannot compute"),
        ("context.now.toDate() == context.now", "`toDate`, which Envoy cannot compute"),
        (
            f'principal has dept && principal.dept like "*{"x" * 60}*{"y" * 60}*"',
            "`like` with a pattern that is too long for Envoy",
        ),
        ("principal.level > 3", "`principal.level` read without `principal has level`"),
        ("context.source.isIpv4()", "`context.source` read without `context has source`"),
        ("principal has nothing || principal.nothing == 3", "`principal.nothing` read without `principal has nothing`"),
        ("!(" * 80 + "context.hour > 3" + ")" * 80, "an expression that is nested too deeply"),
    ],
)
def test_what_has_no_sound_form_goes_to_the_decision_point_with_its_place(condition: str, construct: str) -> None:
    said = reasons("permit(principal is Guest, action, resource);", when(condition))
    assert said == (f"policy 'p01' (generated.cedar:2): {construct}",)


def test_every_reason_is_given() -> None:
    plus, minus = "principal has level && principal.level + 1 > 3", "principal has level && principal.level - 1 > 3"
    assert [reason.partition(" ")[2][:5] for reason in reasons(when(plus), when(minus))] == ["'p00'", "'p01'"]


def test_what_cannot_apply_need_not_compile() -> None:
    hopeless = 'permit(principal is User, action, resource) when { resource.zone == "data" && context.hour + 1 > 3 };'
    never = "permit(principal is User, action, resource) when { false && context.hour + 1 > 3 };"
    assert compiled(hopeless, never).rule == DENY


def test_a_decision_is_cacheable_where_it_depends_on_the_token_alone() -> None:
    def cacheable(*texts: str) -> bool:
        rule = compiled(*texts).rule
        assert isinstance(rule, DecisionPointRule)
        return rule.cacheable

    sum_of = when("principal has level && principal.level + 1 > 3")
    assert cacheable(sum_of)
    for other in (
        "context.hour > 3",
        'context.path.id == "7"',
        "context has source",
        'context.now.toTime() > duration("1h")',
    ):
        assert not cacheable(sum_of, when(other))


def test_shadow_policies_make_a_rule_of_their_own() -> None:
    plain = compiled("permit(principal is User, action, resource);")
    with_forbid = compiled(
        "permit(principal is User, action, resource);", "forbid(principal, action, resource);", shadow=(1,)
    )
    assert with_forbid.rule == plain.rule
    assert with_forbid.shadow == DENY
    assert plain.shadow is None


def test_a_long_chain_does_not_nest() -> None:
    chain = " || ".join(f'principal.sub == "user{number}"' for number in range(400))
    rule = compiled(when(chain)).rule
    assert isinstance(rule, CompiledRule)
    assert len(rule.cases) == 1


def test_a_policy_that_is_nested_beyond_reading_is_refused_with_a_way_out() -> None:
    chain = " || ".join(f'principal.sub == "user{number}"' for number in range(3_000))
    with pytest.raises(PolicyTextError, match="nested too deeply") as refused:
        compiled(when(chain))
    assert "several policies" in refused.value.hint


def test_a_long_chain_of_cel_does_not_nest() -> None:
    chain = " || ".join(f"context.minute == {number % 60} && context.hour == {number % 24}" for number in range(300))
    rule = compiled(when(chain)).rule
    assert isinstance(rule, CompiledRule)


def test_too_many_combinations_go_to_the_decision_point() -> None:
    def mixed(number: int) -> str:
        return (
            f'(context has source && context.source.isInRange(ip("10.{number}.0.0/16")) || context.minute == {number})'
        )

    (reason,) = reasons(when(" && ".join(mixed(number) for number in range(6))))
    assert "too many combinations" in reason


def test_policies_are_found_by_action_group_service_or_everywhere() -> None:
    texts = (
        "permit(principal, action, resource);",
        'permit(principal, action == Action::"patients/get", resource);',
        'permit(principal, action in Action::"patients/*", resource);',
        'permit(principal, action in [Action::"patients/list", Action::"store/get"], resource);',
        'permit(principal, action, resource == Service::"patients");',
        'permit(principal, action, resource == Service::"store");',
        'permit(principal, action, resource in Service::"patients");',
        "permit(principal, action, resource is Service);",
        'permit(principal, action == Action::"patients/get", resource == Service::"store");',
    )
    found = SITE.compiler(tuple(map(policy, range(len(texts)), texts))).applicable(GET, "patients")
    assert found == ("p00", "p01", "p02", "p04", "p06", "p07")


def compiler_for(cache: CompileCache, *policies: Policy) -> PolicyCompiler:
    return PolicyCompiler(
        trust_domain="rig.test",
        issuers=(LOCAL,),
        roles=ROLES,
        claims=CLAIMS,
        timezone="UTC",
        policies=policies,
        cache=cache,
    )


CONTEXT = HopContext(hop="inbound", action=GET, service="patients", zone="app", params=PARAMS[GET], callers=("edge",))


def test_a_policy_that_only_moved_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CompileCache()
    before = compiler_for(cache, policy(0, READS_LEVEL)).compile_hop(CONTEXT)
    monkeypatch.setattr(compiler, "_Hop", None)
    assert compiler_for(cache, policy(7, READS_LEVEL)).compile_hop(CONTEXT) == before
    with pytest.raises(TypeError):
        compiler_for(cache, policy(0, READS_LEVEL.replace("3", "4"))).compile_hop(CONTEXT)


def test_remembered_reasons_name_the_place_of_today() -> None:
    cache = CompileCache()
    for line in (3, 8):
        moved = Policy(
            id=f"sums#{line}", cedar=when("context.hour + 1 > 3"), source=Source(file="sums.cedar", line=line)
        )
        rule = compiler_for(cache, moved).compile_hop(CONTEXT).rule
        assert isinstance(rule, DecisionPointRule)
        assert rule.reasons[0].startswith(f"policy 'sums#{line}' (sums.cedar:{line}): ")


def test_systems_do_not_share_what_is_remembered() -> None:
    cache = CompileCache()
    clinicians = policy(0, 'permit(principal in Role::"clinician", action, resource);')
    compiler_for(cache, clinicians).compile_hop(CONTEXT)
    other = PolicyCompiler(
        trust_domain="rig.test",
        issuers=(LOCAL,),
        roles=(),
        claims=(),
        timezone="UTC",
        policies=(clinicians,),
        cache=cache,
    )
    assert other.compile_hop(CONTEXT).rule == DENY


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "MOST_REMEMBERED", 3)
    cache = CompileCache()
    for number in range(10):
        compiler_for(cache, policy(0, READS_LEVEL.replace("3", str(number)))).compile_hop(CONTEXT)
    assert len(cache.hops) <= 4


def test_the_edge_counts_segments_behind_its_prefix() -> None:
    reader = policy(0, 'permit(principal is User, action, resource) when { context.path.id == "me" };')
    edge = HopContext(
        hop="edge", action=GET, service="patients", zone="app", params=PARAMS[GET], prefix_segments=2, callers=("edge",)
    )
    rule = compiler_for(CompileCache(), reader).compile_hop(edge).rule
    assert isinstance(rule, CompiledRule)
    (case,) = rule.cases
    assert isinstance(case, Case)
    assert "{3}/me" in case.when.model_dump_json()
