"""The shell of every listener: an address, one filter chain, and a transport."""

from collections.abc import Sequence
from typing import Any

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2

from ringwall.enforce.proto import address, pack, seconds, u32
from ringwall.plan.bindings import Address

_BUFFER_BYTES = 256 * 1024


def listener(
    name: str, where: Address, filters: Sequence[Any], transport: Any | None = None, *, direction: str = "INBOUND"
) -> Any:
    """Return a TCP or Unix socket listener with one filter chain; plain where there is no transport."""
    return listener_pb2.Listener(
        name=name,
        address=address(where),
        stat_prefix=name.partition("/")[0],
        filter_chains=[_chain(filters, transport)],
        per_connection_buffer_limit_bytes=u32(_BUFFER_BYTES),
        listener_filters_timeout=seconds(5),
        traffic_direction=direction,
    )


def add_domains(made: Any, domains: Sequence[str], filters: Sequence[Any], transport: Any) -> None:
    """Give a listener another filter chain, for clients that ask for one of these domains (RFC 6066, section 3)."""
    chain = _chain(filters, transport)
    chain.filter_chain_match.server_names.extend(domains)
    made.filter_chains.append(chain)
    inspector = tls_inspector_pb2.TlsInspector()
    made.listener_filters.append(
        listener_components_pb2.ListenerFilter(
            name="envoy.filters.listener.tls_inspector", typed_config=pack(inspector)
        )
    )


def _chain(filters: Sequence[Any], transport: Any | None) -> Any:
    chain = listener_components_pb2.FilterChain(filters=filters, transport_socket_connect_timeout=seconds(5))
    if transport is not None:
        chain.transport_socket.CopyFrom(transport)
    return chain
