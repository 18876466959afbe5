"""Names of Envoy resources, and back: what a name means in the user's terms."""

from ringwall.plan.model import EDGE

MESH = "mesh"
"""Node id of the proxy that holds every service's inbound and outbound listeners."""

NODES = (EDGE, MESH)

EDGE_LISTENER = "edge"
EDGE_QUIC_LISTENER = "edge-http3"
REDIRECT_LISTENER = "redirect"
EDGE_ROUTES = "edge"
EDGE_SCOPES = "edge"
TOKENS_FILTER = "tokens"
REVOCATIONS_FILTER = "revocations"
BUNDLE_SECRET = "bundle"  # noqa: S105  # the name of a resource
EDGE_CERTIFICATE = "edge-certificate"
DECISION_POINT_CLUSTER = "decision-point"
PER_IP_LIMIT = "limit/edge/address"


def edge_routes(segment: str) -> str:
    """Name of the edge's route table, and of its scope, for paths whose first segment is this."""
    return f"edge/{segment}"


def inbound(service: str) -> str:
    """Name of a service's inbound listener and of its route table."""
    return f"inbound/{service}"


def outbound(caller: str, callee: str) -> str:
    """Name of the listener through which one service reaches another."""
    return f"outbound/{caller}>{callee}"


def hop(caller: str, callee: str) -> str:
    """Name of the cluster that leads from a caller to a callee's inbound listener, as the caller."""
    return f"hop/{caller}>{callee}"


def app(service: str) -> str:
    """Name of the cluster that leads to a service's own process."""
    return f"app/{service}"


def svid(workload: str) -> str:
    """Name of the secret with a workload's certificate."""
    return f"svid/{workload}"


def principal_limit(where: str) -> str:
    """Name of the filter that limits each principal at the edge or at a service."""
    return f"limit/{where}/principal"


def body_limit(where: str) -> str:
    """Name of the filter that limits the size of bodies at the edge or at a service."""
    return f"limit/{where}/body"


_SENTENCES = {
    EDGE_LISTENER: "the edge's listener or its routes",
    EDGE_QUIC_LISTENER: "the edge's HTTP/3 listener",
    REDIRECT_LISTENER: "the listener that redirects plain HTTP",
    TOKENS_FILTER: "the verification of tokens",
    REVOCATIONS_FILTER: "what is revoked",
    BUNDLE_SECRET: "the trust bundle",
    EDGE_CERTIFICATE: "the edge's certificate",
    DECISION_POINT_CLUSTER: "the way to the decision point",
    PER_IP_LIMIT: "the edge's limit for each client address",
}


def describe(name: str) -> str:
    """Return what a resource is, for a person who knows the blueprint and not Envoy."""
    if name in _SENTENCES:
        return _SENTENCES[name]
    kind, _, rest = name.partition("/")
    caller, _, callee = rest.partition(">")
    return {
        "edge": f"the edge's routes below {f'/{rest}'!r}",
        "inbound": f"the inbound listener or the routes of service {rest!r}",
        "outbound": f"the way by which {caller!r} calls {callee!r}",
        "hop": f"the connection from {caller!r} to {callee!r}",
        "app": f"the connection to the process of service {rest!r}",
        "svid": f"the certificate of {rest!r}",
        "limit": f"the limit for each {rest.rpartition('/')[2]} at {rest.rpartition('/')[0]!r}",
    }.get(kind, f"resource {name!r}")
