"""The public listener of the plan."""

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.model import Edge as BlueprintEdge
from ringwall.blueprint.shape import At
from ringwall.blueprint.values import Endpoint, Rate
from ringwall.compile.issuers import has_builtin_issuer
from ringwall.model.spiffe import SpiffeId
from ringwall.plan.model import Edge
from ringwall.plan.operation import Limit

DEFAULT_LISTEN = Endpoint("127.0.0.1", 8443)
DEFAULT_DOMAINS = ("localhost",)
DEFAULT_PER_IP = Limit(requests=50, seconds=1, burst=100)


def lower_limit(limit: At[Rate] | None) -> Limit | None:
    """Return a limit as the plan carries it."""
    if limit is None:
        return None
    return Limit(requests=limit.value.requests, seconds=limit.value.seconds, burst=limit.value.burst)


def lower_edge(blueprint: Blueprint, trust_domain: str) -> Edge | None:
    """Return the edge; None for a system without one, where nothing is exposed and no issuer of its own runs."""
    exposes = any(service.expose is not None for service in blueprint.services)
    if blueprint.edge is None and not exposes and not has_builtin_issuer(blueprint):
        return None
    edge = blueprint.edge or BlueprintEdge(span=blueprint.span)
    listen = edge.listen.value if edge.listen is not None else DEFAULT_LISTEN
    return Edge(
        spiffe_id=str(SpiffeId(trust_domain, "/edge")),
        host=listen.host,
        port=listen.port,
        redirect_port=edge.redirect.value.port if edge.redirect is not None else None,
        domains=tuple(domain.value for domain in edge.domains) or DEFAULT_DOMAINS,
        certificate=edge.certificate.value if edge.certificate is not None else None,
        key=edge.key.value if edge.key is not None else None,
        http3=edge.http3 is not None and edge.http3.value,
        per_ip=lower_limit(edge.limit) or DEFAULT_PER_IP,
        per_principal=lower_limit(edge.principal_limit),
        trusted_hops=edge.trusted_hops.value if edge.trusted_hops is not None else 0,
        client_certificates=tuple(domain.value for domain in edge.client_certificates),
        client_authorities=tuple(sorted(edge.client_authorities_read)),
        dpop_nonces=edge.dpop_nonces is not None and edge.dpop_nonces.value,
    )
