"""Everything that is checked about policies, in order: syntax, names, attributes, types."""

from collections.abc import Sequence

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.compile.cedar.schema import ActionShape
from ringwall.compile.policies.attributes import Attributes, check_attributes
from ringwall.compile.policies.collect import collect
from ringwall.compile.policies.references import Known, check_references
from ringwall.compile.policies.types import TypeChecker
from ringwall.model.cache import PlanCache
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.identity import Claim, Role


def check_policies(
    blueprint: Blueprint,
    *,
    claims: Sequence[Claim],
    roles: Sequence[Role],
    actions: Sequence[ActionShape],
    cache: PlanCache,
    report: Report,
) -> list[CedarPolicy]:
    """Return every policy that the user wrote, parsed and ordered by id; what is wrong goes to the report.

    A policy is checked as far as it is sound: one that does not parse has no names, and one that names something
    that is not there has no types.
    """
    known = Known.of(blueprint)
    attributes = Attributes(
        claims={claim.name for claim in claims}, params={name for action in actions for name in action.params}
    )
    failed_before = report.failed
    good = []
    for written in collect(blueprint, cache, report):
        if written.cedar is None:
            continue
        named = check_references(written, known, report)
        read = check_attributes(written, attributes, report)
        if written.policy.short_form and failed_before:
            continue  # what is wrong with it was said about the blueprint
        if named and read:
            good.append((written, written.cedar))
    checker = TypeChecker(claims=claims, roles=roles, actions=actions, cache=cache, report=report)
    checker.check(good)
    return [parsed for _, parsed in good]
