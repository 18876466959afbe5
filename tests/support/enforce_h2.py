"""One HTTP/2 request with the `h2` package, so that a test can send what tidy clients do not."""

import socket
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events


def ask(
    connection: socket.socket, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> tuple[dict[str, str], bytes]:
    """Send one request on a fresh connection and return headers and body; a reset gives `:status` 0."""
    config = h2.config.H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="utf-8"
    )
    state = h2.connection.H2Connection(config)
    state.initiate_connection()
    state.send_headers(1, headers, end_stream=not body)
    if body:
        state.send_data(1, body, end_stream=True)
    connection.sendall(state.data_to_send())
    answer: dict[str, str] = {":status": "0"}
    content = b""
    while data := connection.recv(65536):
        for event in state.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                answer = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                content += event.data
                state.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated):
                return answer, content
        connection.sendall(state.data_to_send())
    return answer, content
