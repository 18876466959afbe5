"""HTTP/2 connections: those of one client, and those that carry the requests of many.

Between two proxies, requests of unrelated clients share a connection. So nothing that one of them does may hold up
or end the others': no request can use up what all may send, and what is wrong with one ends that one alone.
"""

from typing import Any

from envoy.config.core.v3 import protocol_pb2

from ringwall.enforce.proto import TRUE, u32

MAX_STREAMS = 100
"""Requests at one time on one connection; a proxy that has more opens another."""

_STREAM_BYTES = 256 * 1024
"""What may be under way in one direction of one request before the receiver has taken any of it."""

_STREAMS_OF_ONE_CLIENT = 4
"""How many full windows a client's own connection may have under way."""


def own_connection() -> Any:
    """Return the options for a connection that belongs to one client: what it breaks is its own."""
    return _options(_STREAMS_OF_ONE_CLIENT * _STREAM_BYTES)


def shared_connection() -> Any:
    """Return the options for either end of a connection between a proxy and a proxy, or a proxy and a service.

    A client that reads slowly, or a service that does, keeps its own window closed. The window of the connection
    (RFC 9113, section 5.2) has room for every stream's, so that the others still have theirs.
    """
    options = _options(MAX_STREAMS * _STREAM_BYTES)
    # A message that is malformed is a stream error (RFC 9113, section 8.1.1), not one of the connection.
    options.override_stream_error_on_invalid_http_message.CopyFrom(TRUE)
    return options


def _options(connection_bytes: int) -> Any:
    return protocol_pb2.Http2ProtocolOptions(
        max_concurrent_streams=u32(MAX_STREAMS),
        initial_stream_window_size=u32(_STREAM_BYTES),
        initial_connection_window_size=u32(connection_bytes),
        allow_connect=True,  # WebSocket connections (RFC 8441); no route takes another CONNECT
    )
