"""One HTTP/3 request at a time, with aioquic: a client that is not Envoy's."""

import asyncio
from collections.abc import Sequence

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamReset

Headers = Sequence[tuple[str, str]]
Asked = tuple[dict[str, str], bytes]


class _Client(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self._http: H3Connection | None = None
        self._answers: dict[int, asyncio.Future[Asked]] = {}
        self._headers: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}

    async def ask(self, headers: Headers, body: bytes) -> Asked:
        assert self._http is not None
        stream = self._quic.get_next_available_stream_id()
        answer = self._answers[stream] = asyncio.get_running_loop().create_future()
        self._http.send_headers(stream, [(n.encode(), v.encode()) for n, v in headers], end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        received, content = await answer
        return received, content

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        elif isinstance(event, StreamReset):
            self._end(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            for stream in tuple(self._answers):
                self._end(stream)
        for found in self._http.handle_event(event) if self._http is not None else ():
            self._http_event(found)

    def _http_event(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self._headers[event.stream_id] = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, DataReceived):
            self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"") + event.data
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            self._end(event.stream_id)

    def _end(self, stream: int) -> None:
        answer = self._answers.pop(stream, None)
        if answer is not None and not answer.done():
            answer.set_result((self._headers.get(stream, {":status": "0"}), self._bodies.get(stream, b"")))


def ask_http3(
    port: int, trust: bytes, requests: Sequence[tuple[Headers, bytes]], *, alpn: Sequence[str] = H3_ALPN
) -> list[Asked]:
    """Send requests one after another on one connection; a reset gives `:status` 0.

    Raises:
        ConnectionError: no connection came about.
    """

    async def scenario() -> list[Asked]:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=list(alpn), server_name="localhost")
        configuration.load_verify_locations(cadata=trust)
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(
            lambda: _Client(QuicConnection(configuration=configuration)), local_addr=("127.0.0.1", 0)
        )
        try:
            client.connect(("127.0.0.1", port))
            await asyncio.wait_for(client.wait_connected(), 20)
            answers = [await asyncio.wait_for(client.ask(headers, body), 20) for headers, body in requests]
            client.close()
            await client.wait_closed()
            return answers
        finally:
            transport.close()

    return asyncio.run(scenario())
