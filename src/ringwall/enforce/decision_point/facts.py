"""The headers in which a proxy tells the decision point what it has verified.

They begin with `x-ringwall-`, so every listener removes them from what arrives; the proxy sets them between
its RBAC filter and the decision point, and its routes remove them before a request goes on.
"""

from typing import Any

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2

from ringwall.enforce.proto import header
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

OPERATION = "x-ringwall-fact-operation"
HOP = "x-ringwall-fact-hop"
CLAIMS = "x-ringwall-fact-claims"
"""The verified token's payload as JSON; absent where there is no token."""
CALLER = "x-ringwall-fact-caller"
"""SPIFFE ID of the peer; absent at the edge."""
SOURCE = "x-ringwall-fact-source"
"""Client address as this hop knows it."""
TIME = "x-ringwall-fact-time"
"""Start of the request, seconds since the epoch."""
RULE = "x-ringwall-fact-rule"
"""Rule id of the route: a decision is for exactly this rule."""

HEADERS = (OPERATION, HOP, CLAIMS, CALLER, SOURCE, TIME, RULE)


def per_route(operation: str, rule: str, hop: str) -> Any:
    """Return the per-route configuration that sets the facts for one operation at one hop."""
    values = {
        OPERATION: operation,
        RULE: rule,
        HOP: hop,
        CLAIMS: f"%DYNAMIC_METADATA({JWT_NAMESPACE}:{CLAIMS_KEY})%",
        CALLER: "%DOWNSTREAM_PEER_URI_SAN%",
        SOURCE: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        TIME: "%START_TIME(%s.%6f)%",
    }
    mutations = [mutation_rules_pb2.HeaderMutation(append=header(name, value)) for name, value in values.items()]
    return header_mutation_pb2.HeaderMutationPerRoute(
        mutations=header_mutation_pb2.Mutations(request_mutations=mutations)
    )
