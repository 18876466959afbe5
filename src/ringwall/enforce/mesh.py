"""Inside: each service's inbound listener, and one outbound listener for each declared call."""

from collections.abc import Collection, Iterable
from typing import Any

from envoy.config.listener.v3 import listener_components_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from ringwall.enforce import access_log, filters, http_manager, names, problems, rbac, routes, table, tls
from ringwall.enforce.listeners import listener
from ringwall.enforce.proto import FALSE, header, pack, seconds
from ringwall.model import headers
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE, ROUTE_METADATA, ROUTE_METADATA_OPERATION
from ringwall.plan.bindings import Address
from ringwall.plan.model import Plan, Protocol, Service
from ringwall.plan.recorded import recorded_claims

_TOKEN = f"{JWT_NAMESPACE}:{CLAIMS_KEY}"
_IDLE_SECONDS = 300

_KEPT_INSIDE = frozenset({"x-forwarded-*"})
_INBOUND_STRIP = (
    *(name for name in http_manager.SPOOFABLE if name not in _KEPT_INSIDE),
    *(
        f"x-forwarded-{name}"
        for name in ("access-token", "by", "client-cert", "email", "groups", "host", "method", "path", "port")
    ),
    *(f"x-forwarded-{name}" for name in ("preferred-username", "scheme", "server", "ssl", "uri", "user")),
)
"""As everywhere, but the edge's word on the client's address, scheme and path prefix stays."""


def inbound_listener(
    plan: Plan, service: Service, where: Address, log_path: str, *, revoked: Collection[str] = ()
) -> Any:
    """Return the listener before a service: mutual TLS, then who may do what.

    Args:
        plan: the plan.
        service: before which it stands.
        where: its address.
        log_path: file of the access log.
        revoked: SPIFFE IDs of callers that a plain TCP service refuses; other services have a filter for that.
    """
    if service.protocol is Protocol.TCP:
        return listener(
            names.inbound(service.name),
            where,
            [
                _tcp_rule(plan, service, revoked),
                _tcp_proxy(names.app(service.name), access_log.tcp_log(log_path, service.name)),
            ],
            tls.inbound_socket(service.name, plan.trust_domain, ()),
        )
    # The edge alone may call the issuer, so what it says about the client's certificate is believed there.
    strip = tuple(name for name in _INBOUND_STRIP if not service.builtin or name != headers.CLIENT_CERTIFICATES)
    manager = http_manager.Manager(
        strip=strip,
        shared=True,
        own_address=False,
        keep_request_id=True,
        idle_seconds=_IDLE_SECONDS,
        pages=problems.Pages.MOST,
    )
    chain = filters.chain(service.name)
    log = access_log.http_log(log_path, service.name, recorded_claims(plan), peer=True)
    name = names.inbound(service.name)
    return listener(
        name,
        where,
        [http_manager.filter_of(manager, name, routes=name, filters=chain, log=log)],
        tls.inbound_socket(service.name, plan.trust_domain, ("h2", "http/1.1")),
    )


def inbound_table(plan: Plan, service: Service, entries: Iterable[table.Entry]) -> Any:
    """Return a service's route table, and with it the headers that tell the service who asks."""
    name = names.inbound(service.name)
    host = route_components_pb2.VirtualHost(
        name=service.name,
        domains=["*"],
        matcher=table.matcher(entries, table.route_list([routes.not_found()])),
    )
    return route_pb2.RouteConfiguration(
        name=name,
        virtual_hosts=[host],
        validate_clusters=FALSE,
        request_headers_to_add=_identity(plan),
        request_headers_to_remove=() if service.forward_token else ("authorization",),
    )


def _identity(plan: Plan) -> list[Any]:
    values = {
        headers.SUBJECT: f"%DYNAMIC_METADATA({_TOKEN}:sub)%",
        headers.ISSUER: f"%DYNAMIC_METADATA({_TOKEN}:iss)%",
        headers.CALLER: "%DOWNSTREAM_PEER_URI_SAN%",
        headers.FORWARDED_HOST: "%REQ(:AUTHORITY)%",
        headers.OPERATION: f"%METADATA(ROUTE:{ROUTE_METADATA}:{ROUTE_METADATA_OPERATION})%",
    }
    if len(plan.issuers) == 1 and plan.issuers[0].builtin:
        # Another issuer may call other things by the same names: a role is told only where it can mean one thing.
        path = ":".join(plan.issuers[0].role_claim)
        values[headers.ROLES] = f"%DYNAMIC_METADATA({_TOKEN}:{path})%"
    return [header(name, value) for name, value in values.items()]


def outbound_listener(caller: Service, callee: Service, where: Address, log_path: str) -> Any:
    """Return the listener by which a service reaches a callee: plain on this side, mutual TLS on the other."""
    name = names.outbound(caller.name, callee.name)
    cluster = names.hop(caller.name, callee.name)
    if callee.protocol is Protocol.TCP:
        return listener(name, where, [_tcp_proxy(cluster, [])], direction="OUTBOUND")
    silence = max(_IDLE_SECONDS, callee.timeout_seconds + 1)  # the listener before the callee is the one that ends it
    forward = route_components_pb2.RouteAction(cluster=cluster, timeout=seconds(0), idle_timeout=seconds(silence))
    everything = route_components_pb2.Route(match=route_components_pb2.RouteMatch(prefix="/"), route=forward)
    table_of_one = route_pb2.RouteConfiguration(
        name=name,
        virtual_hosts=[route_components_pb2.VirtualHost(name="callee", domains=["*"], routes=[everything])],
        validate_clusters=FALSE,
    )
    manager = http_manager.Manager(
        strip=http_manager.SPOOFABLE, own_address=False, keep_request_id=True, carries_websockets=True
    )
    log = access_log.http_log(log_path, f"{caller.name}>{callee.name}", (), peer=False)
    manager_filter = http_manager.filter_of(
        manager, name, routes=table_of_one, filters=[filters.path_shape(), filters.router()], log=log
    )
    return listener(name, where, [manager_filter], direction="OUTBOUND")


def _tcp_rule(plan: Plan, service: Service, revoked: Collection[str]) -> Any:
    callers = tuple(caller for name in service.tcp_callers if (caller := plan.spiffe_of(name)) not in revoked)
    return listener_components_pb2.Filter(
        name="envoy.filters.network.rbac", typed_config=pack(rbac.tcp_filter(callers))
    )


def _tcp_proxy(cluster: str, log: list[Any]) -> Any:
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix="tcp", cluster=cluster, idle_timeout=seconds(3600), access_log=log)
    return listener_components_pb2.Filter(name="envoy.filters.network.tcp_proxy", typed_config=pack(proxy))
