"""The public listener: TLS, hardening, and one route table over every exposed operation."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from envoy.config.listener.v3 import quic_config_pb2, udp_listener_config_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2

from ringwall.enforce import access_log, client_certificate, filters, http_manager, names, problems, routes, table, tls
from ringwall.enforce.listeners import add_domains, listener
from ringwall.enforce.proto import FALSE, TRUE, address, header
from ringwall.model import headers
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import EDGE, Edge, Plan
from ringwall.plan.recorded import recorded_claims

_REQUEST_SECONDS = 60
_BYTES_PER_SECOND = 64 * 1024
"""How fast a client must send at least what takes longer than `_REQUEST_SECONDS`."""
_CONNECTION_SECONDS = 3600

_LEAKY = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "via", "x-envoy-upstream-service-time")
"""Response headers that only tell an attacker what runs behind."""

_IF_ABSENT = "ADD_IF_ABSENT"


def listeners(
    plan: Plan, edge: Edge, bindings: Bindings, log_path: str, *, scoped: bool, largest_body: int
) -> list[Any]:
    """Return the TLS listener and, where asked for, the HTTP/3 and the redirecting one.

    With `scoped` there is a route table for each first segment of paths; otherwise one for all. `largest_body` is what
    a service takes at most, in bytes.
    """
    request_seconds = max(_REQUEST_SECONDS, largest_body // _BYTES_PER_SECOND)
    where = bindings.edge or Address(host=edge.host, port=edge.port)
    log = access_log.public_log(log_path, EDGE, recorded_claims(plan))
    chain = filters.chain(EDGE, address_limit=names.PER_IP_LIMIT)
    tables = http_manager.ByFirstSegment(names.EDGE_SCOPES) if scoped else names.EDGE_ROUTES
    manager = _manager(edge, request_seconds=request_seconds, login_at=_login_at(plan))
    made = [
        listener(
            names.EDGE_LISTENER,
            where,
            [http_manager.filter_of(manager, "edge", routes=tables, filters=chain, log=log)],
            tls.edge_socket(),
        )
    ]
    if edge.client_certificates:
        asked = filters.chain(EDGE, address_limit=names.PER_IP_LIMIT, certificates=client_certificate.shown(plan))
        its = http_manager.filter_of(manager, "edge", routes=tables, filters=asked, log=log)
        add_domains(made[0], edge.client_certificates, [its], tls.edge_socket(certificates=True))
    if edge.http3:
        quic = replace(manager, codec="HTTP3")
        made.append(_quic(where, http_manager.filter_of(quic, "edge", routes=tables, filters=chain, log=log)))
    if bindings.redirect is not None:
        made.append(_redirect(edge, where, bindings.redirect, log))
    return made


def _login_at(plan: Plan) -> str:
    """Return where browsers begin to sign in; empty where no service asks them to."""
    issuer = next((service for service in plan.services if service.builtin), None)
    return f"{issuer.prefix}/session" if issuer and any(service.login for service in plan.services) else ""


def _manager(edge: Edge, *, request_seconds: int, login_at: str) -> http_manager.Manager:
    strip: tuple[str, ...] = http_manager.SPOOFABLE
    if edge.trusted_hops:  # X-Forwarded-For is then read, and written anew before it goes on
        strip = (*(name for name in strip if name != "x-forwarded-*"), headers.FORWARDED_PREFIX)
    return http_manager.Manager(
        strip=(*strip, headers.REQUEST_ID),
        own_address=True,
        trusted_hops=edge.trusted_hops,
        echo_request_id=True,
        request_seconds=request_seconds,
        max_connection_seconds=_CONNECTION_SECONDS,
        reply_headers=tuple(_transport_security(edge)),
        login_at=login_at,
        pages=problems.Pages.ALL,
    )


def _quic(where: Address, manager: Any) -> Any:
    made = listener(names.EDGE_QUIC_LISTENER, where, [manager], tls.edge_quic_socket())
    made.address.CopyFrom(address(where, udp=True))
    made.udp_listener_config.CopyFrom(
        udp_listener_config_pb2.UdpListenerConfig(quic_options=quic_config_pb2.QuicProtocolOptions())
    )
    made.enable_reuse_port.CopyFrom(TRUE)
    return made


def _redirect(edge: Edge, to: Address, where: Address, log: list[Any]) -> Any:
    """Plain HTTP is answered with 308 to the same place on the TLS port, and with nothing else."""
    answer = route_components_pb2.RedirectAction(
        https_redirect=True, port_redirect=to.port, response_code="PERMANENT_REDIRECT"
    )
    table_of_one = route_pb2.RouteConfiguration(
        name=names.REDIRECT_LISTENER,
        ignore_port_in_host_matching=True,
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name="redirect",
                domains=edge.domains,
                routes=[route_components_pb2.Route(match=route_components_pb2.RouteMatch(prefix="/"), redirect=answer)],
            )
        ],
    )
    manager = http_manager.filter_of(
        http_manager.Manager(
            strip=(*http_manager.SPOOFABLE, headers.REQUEST_ID),
            own_address=True,
            echo_request_id=True,
            request_seconds=10,
        ),
        "redirect",
        routes=table_of_one,
        filters=[filters.router()],
        log=log,
    )
    return listener(names.REDIRECT_LISTENER, where, [manager])


def scope(segment: str) -> Any:
    """Return what leads requests for paths with this first segment to their route table."""
    name = names.edge_routes(segment)
    key = scoped_route_pb2.ScopedRouteConfiguration.Key(
        fragments=[scoped_route_pb2.ScopedRouteConfiguration.Key.Fragment(string_key=segment)]
    )
    return scoped_route_pb2.ScopedRouteConfiguration(name=name, route_configuration_name=name, key=key)


def route_table(edge: Edge, entries: Iterable[table.Entry], port: int, segment: str | None) -> Any:
    """Return the route table of the edge for paths with this first segment, or for all paths."""
    host = route_components_pb2.VirtualHost(
        name="edge",
        domains=edge.domains,
        matcher=table.matcher(entries, table.route_list([routes.not_found()])),
    )
    nobody = route_components_pb2.VirtualHost(name="nobody", domains=["*"], routes=[routes.not_found()])
    return route_pb2.RouteConfiguration(
        name=names.EDGE_ROUTES if segment is None else names.edge_routes(segment),
        virtual_hosts=[host, nobody],
        ignore_port_in_host_matching=True,
        validate_clusters=FALSE,
        request_headers_to_add=[
            header(headers.FORWARDED_FOR, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
            header(headers.FORWARDED_PROTO, "https"),
        ],
        response_headers_to_add=[*_security_headers(edge), *_alternative(edge, port)],
        response_headers_to_remove=[*_LEAKY, *headers.IDENTITY_HEADERS],
    )


def _transport_security(edge: Edge) -> list[Any]:
    if not edge.hsts_seconds:
        return []
    return [header("strict-transport-security", f"max-age={edge.hsts_seconds}")]


def _security_headers(edge: Edge) -> list[Any]:
    """Return what every response carries; a service that sets one of the last four itself has its way."""
    return [
        *_transport_security(edge),
        header("x-content-type-options", "nosniff"),
        header("x-frame-options", "SAMEORIGIN", _IF_ABSENT),
        header("content-security-policy", "frame-ancestors 'self'", _IF_ABSENT),
        header("referrer-policy", "strict-origin-when-cross-origin", _IF_ABSENT),
        header("cross-origin-opener-policy", "same-origin", _IF_ABSENT),
    ]


def _alternative(edge: Edge, port: int) -> list[Any]:
    return [header("alt-svc", f'h3=":{port}"; ma=86400')] if edge.http3 else []
