"""The shell of every listener: an address, one filter chain, and a transport."""

from collections.abc import Sequence
from typing import Any

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2

from ringwall.enforce.proto import address, seconds, u32
from ringwall.plan.bindings import Address

_BUFFER_BYTES = 256 * 1024


def listener(
    name: str, where: Address, filters: Sequence[Any], transport: Any | None = None, *, direction: str = "INBOUND"
) -> Any:
    """Return a TCP or Unix socket listener with one filter chain; plain where there is no transport."""
    chain = listener_components_pb2.FilterChain(filters=filters, transport_socket_connect_timeout=seconds(5))
    if transport is not None:
        chain.transport_socket.CopyFrom(transport)
    return listener_pb2.Listener(
        name=name,
        address=address(where),
        stat_prefix=name.partition("/")[0],
        filter_chains=[chain],
        per_connection_buffer_limit_bytes=u32(_BUFFER_BYTES),
        listener_filters_timeout=seconds(5),
        traffic_direction=direction,
    )
