"""The plan of the clinic: at every hop of every operation the rule in force and the evaluator say the same.

This holds together what several stages do: exposure prefixes, callers, data classes, service identities.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from tests.property.policy.interpret import Facts, Interpreter

from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import EDGE, Plan, Service
from ringwall.plan.operation import HopRule, Operation
from ringwall.plan.rule import CompiledRule

CLINIC = Path(__file__).parents[3] / "examples" / "clinic"
STRANGE: tuple[Any, ...] = (None, True, 3, 1.5, "7", [], ["7"], ["7", "8"], [7], {}, {"7": "7"})


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_files(DiskFiles(CLINIC)).plan


def path_of(operation: Operation, pick: random.Random) -> str:
    segments = operation.template.split("/")
    for param in operation.params:
        segments[param.segment + 1] = pick.choice(("7", "8", "7%2f", "8;x", "nobody"))
    return "/".join(segments)


def claims_of(plan: Plan, pick: random.Random) -> dict[str, Any] | None:
    if pick.random() < 0.2:
        return None
    issuer = pick.choice(plan.issuers)
    claims: dict[str, Any] = {"iss": issuer.url, "sub": pick.choice(("alice", "bob", "", "a|b"))}
    given = [role.name for role in plan.roles]
    claims["roles"] = pick.choice([*([name] for name in given), given, [], "clinician", None])
    claims["scope"] = pick.choice(("", "read", "read write"))
    for claim in plan.claims:
        if pick.random() < 0.7:
            claims[claim.path[0]] = pick.choice(STRANGE)
    return {name: value for name, value in claims.items() if pick.random() < 0.95}


def facts_of(plan: Plan, service: Service, question: Question) -> Facts:
    edge = question.hop == EDGE
    return Facts(
        path=(service.prefix or "" if edge else "") + question.path,
        time=question.time,
        claims=question.claims,
        source=question.source,
        peer=None if edge else plan.spiffe_of(question.caller),
    )


def test_every_hop_of_the_clinic(plan: Plan) -> None:
    pick = random.Random(7)  # noqa: S311  # reproducible, not secret
    evaluator = Evaluator(plan)
    allowed = compared = 0
    for service in plan.services:
        for operation in service.operations:
            for hop_name, hop in (("edge", operation.edge), ("inbound", operation.inbound)):
                if hop is None or not isinstance(hop.rule, CompiledRule) or not hop.callers:
                    continue
                for _ in range(60):
                    question = question_of(plan, operation, hop_name, hop, pick)
                    said = evaluator.answer(question).allowed
                    refused = question.claims is None and hop.authentication == "required"
                    done = not refused and Interpreter(hop.rule).allows(facts_of(plan, service, question))
                    assert done is said, (question, hop)
                    compared, allowed = compared + 1, allowed + said
    assert compared > 1_000
    assert allowed > compared // 10


def question_of(plan: Plan, operation: Operation, hop_name: str, hop: HopRule, pick: random.Random) -> Question:
    caller = pick.choice(hop.callers)
    return Question(
        operation=operation.id,
        hop=hop_name,
        caller=caller,
        time=1_700_000_000.0 + pick.randrange(10_000_000),
        path=path_of(operation, pick),
        claims=claims_of(plan, pick),
        source=pick.choice(("127.0.0.1", "10.20.3.4", "8.8.8.8")) if caller == EDGE else None,
    )
