"""The compiler's proof on the pinned Envoy: real tokens, real mutual TLS, and the answers of cedarpy."""

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.property.policy.differential import Sample, describe, samples
from tests.property.policy.envoy_rig import Ask, running_envoy
from tests.property.policy.oracle import Oracle
from tests.property.policy.requests import Request
from tests.property.policy.world import LOCAL, PARTNER, PREFIX, spiffe_id

from ringwall.enforce.rbac import hop_filter
from ringwall.plan.operation import HopRule
from ringwall.plan.rule import CompiledRule

CALLERS = {name: spiffe_id(name) for name in ("edge", "portal", "billing", "x")}
ISSUERS = {"local": LOCAL.url, "partner": PARTNER.url}
RULES_AT_ONCE = 250
_SENDABLE = re.compile(r"[A-Za-z0-9_~;:@-]*")


def sendable(request: Request) -> Request:
    """Return the request with a path that no HTTP parser and no normaliser changes or refuses."""
    segments = [
        part if _SENDABLE.fullmatch(part) else ("%25", "a;b", "ab-aba", "%3Bx")[len(part) % 4]
        for part in request.path.split("/")
    ]
    return replace(request, path="/".join(segments))


def ask(number: int, sample: Sample, request: Request) -> Ask:
    site = sample.site
    edge = site.hop == "edge"
    return Ask(
        rule=number,
        path=(PREFIX if edge else "") + request.path,
        hop=site.hop,
        caller=None if edge else request.caller,
        claims=request.claims,
        source=request.source,
    )


def check(folder: Path, batch: list[tuple[Sample, HopRule]]) -> tuple[int, int]:
    """Ask Envoy and Cedar about every request of a batch; return how many were compared and how many allowed."""
    filters = [
        hop_filter(rule, rule_id=f"r{n}", callers=sample.site.spiffe_ids()) for n, (sample, rule) in enumerate(batch)
    ]
    edge = [one if sample.site.hop == "edge" else None for one, (sample, _) in zip(filters, batch, strict=True)]
    inbound = [one if sample.site.hop != "edge" else None for one, (sample, _) in zip(filters, batch, strict=True)]
    compared = allowed = 0
    with running_envoy(folder, edge=edge, inbound=inbound, issuers=ISSUERS, callers=CALLERS) as envoy:
        asked = [
            (number, sendable(request)) for number, (sample, _) in enumerate(batch) for request, _ in sample.requests
        ]
        before = time.time()
        statuses = envoy.statuses([ask(number, batch[number][0], request) for number, request in asked])
        after = time.time()
    oracles = [Oracle(sample.site, [one.cedar for one in sample.policies]) for sample, _ in batch]
    for (number, request), status in zip(asked, statuses, strict=True):
        sample, rule = batch[number]
        answers = {oracles[number].allows(replace(request, time=moment)) for moment in (before, after)}
        if len(answers) == 2:
            continue  # The answer changed while the requests were under way; either would be right.
        expected = answers.pop()
        compared += 1
        allowed += expected
        if status not in ({200} if expected else {401, 403}):
            pytest.fail(f"Envoy answered {status}\n{describe(sample, request, rule, expected=expected)}")
    return compared, allowed


def batches(seeds: Iterable[int], requests: int) -> Iterable[list[tuple[Sample, HopRule]]]:
    batch: list[tuple[Sample, HopRule]] = []
    for sample in samples(seeds, requests):
        rule = sample.site.compile(sample.policies, extra_segments=1)
        if isinstance(rule.rule, CompiledRule):
            batch.append((sample, rule))
        if len(batch) == RULES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def test_envoy_answers_generated_requests_as_cedar_does(tmp_path: Path) -> None:
    compared = allowed = 0
    for number, batch in enumerate(batches(range(2_000_000, 2_000_140), 10)):
        folder = tmp_path / str(number)
        folder.mkdir()
        some, yes = check(folder, batch)
        compared, allowed = compared + some, allowed + yes
    assert compared > 800
    assert allowed > compared // 10


@pytest.mark.deep
def test_twenty_thousand_decisions_of_envoy(tmp_path: Path) -> None:
    began = time.monotonic()
    compared = allowed = rules = 0
    for number, batch in enumerate(batches(range(3_000_000, 3_001_700), 16)):
        folder = tmp_path / str(number)
        folder.mkdir()
        some, yes = check(folder, batch)
        compared, allowed, rules = compared + some, allowed + yes, rules + len(batch)
    took = time.monotonic() - began
    print(f"\non Envoy: {compared} decisions ({allowed} allowed) by {rules} rules, 0 mismatches, {took:.0f} s")  # noqa: T201  # the count is the point
    assert compared >= 20_000
