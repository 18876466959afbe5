"""An edit costs what it touches: everything else is the very same object as before."""

from pathlib import Path

from tests.support.enforce_pki import Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.enforce.memo import Memo
from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import Resource, Snapshot
from ringwall.model.revocation import NothingRevoked
from ringwall.plan.identity import Claim, ClaimType
from ringwall.plan.model import Plan, Protocol
from ringwall.plan.policy import Mode
from ringwall.plan.rule import ALLOW, DENY, Rule

FOLDER = Path("/nowhere")


def _plan(rule: Rule = ALLOW) -> Plan:
    return plan(
        service("a", operation("a", "x", "GET", "/x", rule=rule, rule_id="1"), prefix="/a", calls=("b",)),
        service("b", operation("b", "y", "GET", "/y", rule_id="2"), prefix="/b"),
    )


class Builder:
    """Builds one snapshot after the other, with one memo."""

    def __init__(self) -> None:
        self.memo, self.credentials, self.tokens = Memo(), Credentials(), Tokens()

    def __call__(self, made: Plan, node: str = "mesh") -> dict[str, Resource]:
        built = self.snapshot(made, node, self.memo)
        self.memo.turn()
        return {f"{kind}/{name}": r for kind in built.resources for name, r in built.of_type(kind).items()}

    def snapshot(self, made: Plan, node: str, memo: Memo | None = None) -> Snapshot:
        numbers = iter(range(100, 10_000))
        addresses = bindings(made, FOLDER, lambda: next(numbers))
        return snapshot(made, addresses, node, self.credentials, self.tokens, revoked=NothingRevoked(), memo=memo)


def _rebuilt(before: dict[str, Resource], after: dict[str, Resource]) -> set[str]:
    return {name.rpartition(".")[2] for name in after if after[name] is not before.get(name)}


def test_an_equal_plan_builds_nothing_again() -> None:
    build = Builder()
    before = build(_plan())
    after = build(Plan.model_validate_json(_plan().canonical_bytes))
    assert _rebuilt(before, after) == {"Cluster/decision-point"}


def test_a_changed_rule_builds_one_services_part_again() -> None:
    build = Builder()
    before, after = build(_plan()), build(_plan(DENY))
    assert _rebuilt(before, after) == {
        "Cluster/decision-point",
        "Cluster/app/a",
        "Listener/inbound/a",
        "RouteConfiguration/inbound/a",
        "TypedExtensionConfig/limit/a/principal",
        "TypedExtensionConfig/limit/a/body",
    }
    changed = {name.rpartition(".")[2] for name in after if after[name].version != before[name].version}
    assert changed == {"RouteConfiguration/inbound/a"}


def test_what_the_memo_gives_is_what_would_be_built_without_it() -> None:
    """Every field of a plan that can change while it runs changes the resources with a memo as it does without."""
    build = Builder()
    plans = [_plan(), _plan(DENY)]
    first = plans[0]
    a, b = first.services
    assert first.edge is not None
    for services in (
        (a.model_copy(update={"timeout_seconds": 5}), b),
        (a.model_copy(update={"max_body_bytes": 5}), b),
        (a.model_copy(update={"prefix": "/other"}), b),
        (a.model_copy(update={"mode": Mode.SHADOW}), b),
        (a.model_copy(update={"forward_token": True}), b),
        (a.model_copy(update={"max_body_bytes": 200 << 20}), b),
        (a.model_copy(update={"calls": ()}), b),
        (a, b.model_copy(update={"timeout_seconds": 900})),
        (a, b.model_copy(update={"protocol": Protocol.GRPC})),
        (a, b.model_copy(update={"spiffe_id": "spiffe://test/service/other"})),
        (b,),
    ):
        there = {one.name for one in services}
        kept = tuple(s.model_copy(update={"calls": tuple(c for c in s.calls if c in there)}) for s in services)
        plans += [first.model_copy(update={"services": kept})]
    plans += [
        first.model_copy(update={"claims": (Claim(name="n", type=ClaimType.STRING, path=("n",)),)}),
        first.model_copy(update={"mode": Mode.SHADOW}),
        first.model_copy(update={"issuers": ()}),
        first.model_copy(update={"issuers": (first.issuers[0].model_copy(update={"audiences": ("x",)}),)}),
        first.model_copy(update={"edge": first.edge.model_copy(update={"domains": ("other",)})}),
        first.model_copy(update={"edge": first.edge.model_copy(update={"http3": True})}),
        first.model_copy(update={"edge": first.edge.model_copy(update={"trusted_hops": 1})}),
        first.model_copy(update={"edge": first.edge.model_copy(update={"hsts_seconds": 0})}),
    ]
    for made in (*plans, *reversed(plans)):
        for node in ("edge", "mesh"):
            with_memo, without = build.snapshot(made, node, build.memo), build.snapshot(made, node)
            assert [(r.name, r.version) for r in with_memo] == [(r.name, r.version) for r in without]
        build.memo.turn()
