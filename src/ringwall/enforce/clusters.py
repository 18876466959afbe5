"""Where proxies connect to: the next hop's inbound listener, a service's own process, the decision point."""

from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import address_pb2, health_check_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import range_pb2

from ringwall.enforce import names, tls
from ringwall.enforce.http2 import shared_connection
from ringwall.enforce.proto import address, pack, seconds, u32
from ringwall.model.route import ISSUER_HEALTH
from ringwall.plan.bindings import Address
from ringwall.plan.model import Protocol, Service

_MANY = 10_000
_HOP_IDLE_SECONDS = 240
"""Less than the inbound listener's idle time, so that the side that would send is the one that closes."""

_APP_IDLE_SECONDS = 1.5
"""Less than the keep-alive of common servers (gunicorn 2 s, uvicorn 5 s): none is reused while it closes."""


def hop(caller: str, service: Service, inbound: Address) -> Any:
    """Return the cluster to a service's inbound listener, in the name of the caller.

    Between two proxies it is always HTTP/2, whatever the service speaks: what many requests send at one time then
    shares records, packets and system calls, which is cheaper by a fifth of all that the edge spends on a request.
    """
    cluster = _cluster(names.hop(caller, service.name), inbound)
    alpn: tuple[str, ...] = ()
    if service.protocol is not Protocol.TCP:
        alpn = ("h2",)
        _speak(cluster, http2=True, idle_seconds=_HOP_IDLE_SECONDS)
    cluster.transport_socket.CopyFrom(tls.hop_socket(caller, service.name, service.spiffe_id, alpn))
    return cluster


def app(service: Service, *where: Address) -> Any:
    """Return the cluster to a service's own process: plain, on loopback or a Unix socket; the issuer may have several.

    Of several the one with the least to do is asked, and one that does not answer is left out until it does again.
    """
    cluster = _cluster(names.app(service.name), *where)
    if len(where) > 1:
        cluster.lb_policy = cluster_pb2.Cluster.LEAST_REQUEST
        cluster.health_checks.append(_asked(ISSUER_HEALTH))
        # Where none answers, all of them are tried rather than none.
        cluster.common_lb_config.healthy_panic_threshold.value = 1
    if service.protocol is not Protocol.TCP:
        multiplexed = service.protocol in {Protocol.HTTP2, Protocol.GRPC}
        _speak(cluster, http2=multiplexed, idle_seconds=_APP_IDLE_SECONDS)
    return cluster


def decision_point(socket: str) -> Any:
    """Return the cluster to the decision point."""
    cluster = _cluster(names.DECISION_POINT_CLUSTER, Address(socket=socket))
    _speak(cluster, http2=False, idle_seconds=60)
    return cluster


def _endpoint(where: Address) -> Any:
    target = address(where)
    if where.socket:
        target = address_pb2.Address(pipe=address_pb2.Pipe(path=where.socket))
    return endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=target))


def _asked(path: str) -> Any:
    """Return the question by which a process that is away, or hangs, is found out."""
    return health_check_pb2.HealthCheck(
        timeout=seconds(1),
        interval=seconds(1),
        no_traffic_interval=seconds(1),
        unhealthy_interval=seconds(0.5),
        unhealthy_threshold=u32(2),
        healthy_threshold=u32(1),
        http_health_check=health_check_pb2.HealthCheck.HttpHealthCheck(
            path=path, host="localhost", expected_statuses=[range_pb2.Int64Range(start=204, end=205)]
        ),
    )


def _cluster(name: str, *where: Address) -> Any:
    limits = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=u32(_MANY), max_pending_requests=u32(_MANY), max_requests=u32(_MANY), max_retries=u32(100)
    )
    return cluster_pb2.Cluster(
        name=name,
        type="STATIC",
        connect_timeout=seconds(5),
        load_assignment=endpoint_pb2.ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[_endpoint(each) for each in where])],
        ),
        circuit_breakers=circuit_breaker_pb2.CircuitBreakers(thresholds=[limits]),
    )


def _speak(cluster: Any, *, http2: bool, idle_seconds: float) -> None:
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig()
    if http2:
        explicit.http2_protocol_options.CopyFrom(shared_connection())
    else:
        explicit.http_protocol_options.CopyFrom(protocol_pb2.Http1ProtocolOptions())
    options = http_protocol_options_pb2.HttpProtocolOptions(
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(idle_timeout=seconds(idle_seconds)),
        explicit_http_config=explicit,
    )
    cluster.typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].CopyFrom(
        pack(options)
    )
