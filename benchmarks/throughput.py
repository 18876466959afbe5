"""How fast the edge is with everything on, against the same Envoy that only ends TLS and proxies.

Both run alone on one core, one after the other in short rounds, and every round gives one ratio; the median counts.
The ratio is of requests per second of the proxy's own CPU time, which is its throughput when its core is all its own;
the ratio of requests per second of the wall is shown beside it, with how busy the core was: on a machine
with other work the generator cannot keep it at 1, and the two differ.

What a part costs is the CPU time per request with everything on, less that without the part.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field

from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2

from bed import Bed, Edge, Trim, clinic, in_manager, in_resource, plain_upstream, without_filters, without_rules
from envoys import cpu_seconds
from figures import Figure, median
from load import Load
from ringwall.enforce import names
from ringwall.plan.model import Plan

ROUNDS = 60
REQUESTS = 1_280
WARM_UP = 960
CONNECTIONS = 32

ROLE = ("/overview/7", "cleo")
"""Answered by a rule about roles alone: native."""
CONDITION = ("/api/patients/7", "alice")
"""Answered by rules that compare a claim with the path and look at the clock: CEL."""


@dataclass
class Variant:
    """One proxy, and what each round gave."""

    edge: Edge
    load: Load
    micros: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def round(self, requests: int, *, keep: bool = True) -> None:
        """Send so many requests."""
        before = cpu_seconds(self.edge.pid)
        outcome = self.load.run(requests)
        spent = cpu_seconds(self.edge.pid) - before
        if set(outcome.statuses) != {200}:
            raise RuntimeError(f"not every request was answered with 200: {outcome.statuses}")
        if keep:
            self.micros.append(1e6 * spent / outcome.requests)
            self.busy.append(spent / outcome.seconds)
            self.rates.append(outcome.rate)


def _no_log(manager: object) -> None:
    del manager.access_log[:]  # type: ignore[attr-defined]


def _no_hygiene(manager: hcm.HttpConnectionManager) -> None:
    """Remove nothing; the path by which the route table is chosen is still told."""
    for extension in manager.early_header_mutation_extensions:
        config = header_mutation_pb2.HeaderMutation()
        extension.typed_config.Unpack(config)
        telling = [mutation for mutation in config.mutations if mutation.HasField("append")]
        del config.mutations[:]
        config.mutations.extend(telling)
        extension.typed_config.Pack(config)


def _no_claims(config: jwt_pb2.JwtAuthentication) -> None:
    for provider in config.providers.values():
        provider.ClearField("payload_in_metadata")
        provider.ClearField("claim_to_headers")


def measure() -> list[Figure]:
    """Measure everything on, the baseline, and everything but each part."""
    plan = clinic()
    with ExitStack() as stack:
        bed = stack.enter_context(Bed(plan))

        def variant(
            path: str, person: str, *, trim: Trim = list, plan: Plan | None = None, token: bool = True
        ) -> Variant:
            edge = stack.enter_context(bed.edge(plan, trim=trim))
            return Variant(edge, edge.load(path, bed.token(person) if token else None, CONNECTIONS))

        baseline = stack.enter_context(bed.baseline())
        unruled, open_to_all = without_rules(plan), without_rules(plan, tokens=False)
        variants = {
            "baseline": Variant(baseline, baseline.load(ROLE[0], bed.token(ROLE[1]), CONNECTIONS)),
            "all": variant(*ROLE),
            "all-condition": variant(*CONDITION),
            "no-rule": variant(*ROLE, plan=unruled),
            "no-rule-condition": variant(*CONDITION, plan=unruled),
            "no-claims": variant(
                *ROLE, plan=unruled, trim=in_resource(names.TOKENS_FILTER, jwt_pb2.JwtAuthentication, _no_claims)
            ),
            "no-token": variant(*ROLE, plan=open_to_all, token=False),
            "no-limits": variant(*ROLE, trim=without_filters("limit/")),
            "no-log": variant(*ROLE, trim=in_manager(_no_log)),
            "no-header-hygiene": variant(*ROLE, trim=in_manager(_no_hygiene)),
            "no-mtls": variant(*ROLE, trim=plain_upstream(bed.plain_port)),
        }
        _alternate(variants.values())
    return _figures(variants)


def _alternate(variants: Iterable[Variant]) -> None:
    for variant in variants:
        variant.round(WARM_UP, keep=False)
    for _ in range(ROUNDS):
        for variant in variants:
            variant.round(REQUESTS)


def _paired(one: list[float], other: list[float], combine: Callable[[float, float], float]) -> float:
    return median([combine(a, b) for a, b in zip(one, other, strict=True)])


def _figures(variants: dict[str, Variant]) -> list[Figure]:
    everything, condition, baseline = variants["all"], variants["all-condition"], variants["baseline"]

    def by_wall(variant: Variant) -> float:
        return _paired(variant.rates, baseline.rates, lambda mine, plain: mine / plain)

    def by_cpu(variant: Variant) -> float:
        return _paired(baseline.micros, variant.micros, lambda plain, mine: plain / mine)

    def cost(without: str, whole: Variant = everything) -> float:
        return _paired(whole.micros, variants[without].micros, lambda all_, less: all_ - less)

    token_and_claims = cost("no-token") - cost("no-rule")
    claims = cost("no-claims") - cost("no-rule")
    parts = {
        "limits": cost("no-limits"),
        "token-verification-cached": token_and_claims - claims,
        "claims-as-metadata-and-headers": claims,
        "policy-native": cost("no-rule"),
        "policy-cel": cost("no-rule-condition", condition),
        "header-hygiene": cost("no-header-hygiene"),
        "decision-log": cost("no-log"),
        "upstream-mtls": cost("no-mtls"),
    }
    return [
        Figure("throughput-ratio", by_cpu(everything), "ratio", at_least=0.5),
        Figure("throughput-ratio-with-cel", by_cpu(condition), "ratio", at_least=0.5),
        Figure("throughput-ratio-of-wall", by_wall(everything), "ratio"),
        Figure("throughput-core-busy-tls-and-proxying", median(baseline.busy), "ratio"),
        Figure("throughput-core-busy-everything", median(everything.busy), "ratio"),
        Figure("throughput-tls-and-proxying", median(baseline.rates), "req/s"),
        Figure("throughput-everything", median(everything.rates), "req/s"),
        Figure("cost-tls-and-proxying", median(baseline.micros), "us"),
        Figure("cost-everything", median(everything.micros), "us"),
        *(Figure(f"cost-of-{part}", value, "us") for part, value in parts.items()),
    ]
