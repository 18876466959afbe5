"""The methods of the SPIFFE Workload API, as one connected process may call them.

Source: the SPIFFE Workload API and Workload Endpoint standards; sections are named where they are kept.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from ringwall.identity.workload import messages
from ringwall.identity.workload.attestation import AttestationError, Attestor
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.issued import IssuedSvid
from ringwall.identity.workload.jwt_svid import JwtSvidError
from ringwall.identity.workload.processes import Caller
from ringwall.model.errors import RingwallError

MAX_REQUEST_BYTES: Final = 16_384
MAX_CALLS: Final = 32
"""Calls that one connection may have open at a time."""
REQUEST_SECONDS: Final = 10.0
"""How long a client may take to send its request."""
SEND_SECONDS: Final = 30.0
"""How long a client may leave a response unread before it is disconnected."""

_HEADER: Final = "workload.spiffe.io"
_PREFIX_BYTES: Final = 5


class News:
    """Tells every stream that something changed; each then sends the newest state, so nothing queues up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake everyone who waits."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def next(self) -> asyncio.Event:
        """Return the event of the next change; take it before reading the state, and no change is missed."""
        return self._event


class Session:
    """What one connection may do; its caller is attested anew for each message sent."""

    def __init__(self, authority: WorkloadAuthority, attestor: Attestor, news: News) -> None:
        self._authority = authority
        self._attestor = attestor
        self._news = news
        self._calls = 0
        self.caller: Caller | None = None
        self.abort: Callable[[], None] = lambda: None

    def identity(self) -> str:
        """Return the caller's SPIFFE ID; raise AttestationError where it has none."""
        if self.caller is None:
            raise AttestationError("the connection does not say who is calling")
        return self._attestor.attest(self.caller)

    def mapping(self) -> dict[str, Handler]:
        """Return the methods by their gRPC path."""
        unary, streaming = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        rows: tuple[tuple[str, Any, Cardinality, Any, Any], ...] = (
            ("FetchX509SVID", self.fetch_x509_svid, streaming, messages.X509SVIDRequest, messages.X509SVIDResponse),
            (
                "FetchX509Bundles",
                self.fetch_x509_bundles,
                streaming,
                messages.X509BundlesRequest,
                messages.X509BundlesResponse,
            ),
            ("FetchJWTSVID", self.fetch_jwt_svid, unary, messages.JWTSVIDRequest, messages.JWTSVIDResponse),
            (
                "FetchJWTBundles",
                self.fetch_jwt_bundles,
                streaming,
                messages.JWTBundlesRequest,
                messages.JWTBundlesResponse,
            ),
            (
                "ValidateJWTSVID",
                self.validate_jwt_svid,
                unary,
                messages.ValidateJWTSVIDRequest,
                messages.ValidateJWTSVIDResponse,
            ),
        )
        return {f"/{messages.SERVICE}/{name}": Handler(*row) for name, *row in rows}

    async def fetch_x509_svid(self, stream: Stream[Any, Any]) -> None:
        """Stream the caller's X.509-SVID, its key and the bundle (Workload API 5.2.1)."""
        out: list[IssuedSvid] = []  # what the caller may be using: more than one only while a successor is under way
        try:
            async with self._call(stream, messages.X509SVIDRequest):
                sent = None
                async for identity in self._turns():
                    svid = self._authority.x509_svid(identity)
                    if svid not in out:
                        self._authority.hand_out(svid)
                        out.append(svid)
                    entry = messages.X509SVID(
                        spiffe_id=identity,
                        x509_svid=svid.chain_der,
                        x509_svid_key=svid.key_der.reveal(),
                        bundle=self._authority.trust_bundle_der(),
                    )
                    sent = await self._send_if_new(stream, messages.X509SVIDResponse(svids=[entry]), sent)
                    while len(out) > 1:
                        self._authority.take_back(out.pop(0), replaced=True)
        finally:
            for svid in out:
                self._authority.take_back(svid, replaced=False)

    async def fetch_x509_bundles(self, stream: Stream[Any, Any]) -> None:
        """Stream the X.509 bundle (Workload API 5.2.2)."""
        async with self._call(stream, messages.X509BundlesRequest):
            sent = None
            async for _ in self._turns():
                bundles = {self._domain(): self._authority.trust_bundle_der()}
                sent = await self._send_if_new(stream, messages.X509BundlesResponse(bundles=bundles), sent)

    async def fetch_jwt_svid(self, stream: Stream[Any, Any]) -> None:
        """Return a JWT-SVID of the caller for the audiences it names (Workload API 6.2.1)."""
        async with self._call(stream, messages.JWTSVIDRequest) as request:
            identity = self.identity()
            if request.spiffe_id and request.spiffe_id != identity:
                raise GRPCError(Status.PERMISSION_DENIED, "the SPIFFE ID asked for is not the caller's")
            token = self._authority.jwt_svid(identity, list(request.audience))
            entry = messages.JWTSVID(spiffe_id=identity, svid=token)
            await self._send(stream, messages.JWTSVIDResponse(svids=[entry]))

    async def fetch_jwt_bundles(self, stream: Stream[Any, Any]) -> None:
        """Stream the JWT bundle (Workload API 6.2.2)."""
        async with self._call(stream, messages.JWTBundlesRequest):
            sent = None
            async for _ in self._turns():
                bundles = {self._domain(): self._authority.jwt_bundle()}
                sent = await self._send_if_new(stream, messages.JWTBundlesResponse(bundles=bundles), sent)

    async def validate_jwt_svid(self, stream: Stream[Any, Any]) -> None:
        """Return what a JWT-SVID says, if it holds for the audience that is named (Workload API 6.2.3)."""
        async with self._call(stream, messages.ValidateJWTSVIDRequest) as request:
            if not request.audience or not request.svid:
                raise GRPCError(Status.INVALID_ARGUMENT, "audience and svid are mandatory")
            verified = self._authority.validate_jwt_svid(request.svid, request.audience)
            response = messages.ValidateJWTSVIDResponse(spiffe_id=str(verified.spiffe_id))
            json_format.ParseDict(dict(verified.claims), response.claims)
            await self._send(stream, response)

    def _domain(self) -> str:
        return f"spiffe://{self._authority.trust_domain}"

    @asynccontextmanager
    async def _call(self, stream: Stream[Any, Any], kind: Any) -> AsyncIterator[Any]:
        """Check every call, read its request, and turn errors into codes of gRPC (Workload Endpoint 6)."""
        # The header that a forged request from a browser or a proxy cannot carry (Workload Endpoint 3).
        if stream.metadata is None or stream.metadata.getall(_HEADER, []) != ["true"]:
            raise GRPCError(Status.INVALID_ARGUMENT, f"the metadata {_HEADER}: true is missing")
        if self._calls >= MAX_CALLS:
            raise GRPCError(Status.RESOURCE_EXHAUSTED, f"more than {MAX_CALLS} calls on one connection")
        self._calls += 1
        try:
            self.identity()
            yield await self._receive(stream, kind)
        except AttestationError as error:
            raise GRPCError(Status.PERMISSION_DENIED, error.message) from error
        except JwtSvidError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, error.message) from error
        except RingwallError as error:
            raise GRPCError(Status.UNAVAILABLE, error.message) from error
        finally:
            self._calls -= 1

    async def _turns(self) -> AsyncIterator[str]:
        """Yield the caller's identity at once, and again after every change."""
        while True:
            event = self._news.next()
            yield self.identity()
            await event.wait()

    async def _receive(self, stream: Stream[Any, Any], kind: Any) -> Any:
        """Read the one request message. grpclib would hold a message of any size in memory; this does not."""
        raw = stream._stream  # noqa: SLF001  # the only way to see a message's size before it is read
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                prefix = await raw.recv_data(_PREFIX_BYTES)
                if not prefix or prefix[0]:
                    raise GRPCError(Status.INVALID_ARGUMENT, "one uncompressed request message is expected")
                size = int.from_bytes(prefix[1:])
                if size > MAX_REQUEST_BYTES:
                    raise GRPCError(Status.RESOURCE_EXHAUSTED, f"the request is larger than {MAX_REQUEST_BYTES} bytes")
                return kind.FromString(await raw.recv_data(size))
        except TimeoutError as error:
            raise GRPCError(Status.DEADLINE_EXCEEDED, "the request did not arrive in time") from error
        except (DecodeError, AssertionError) as error:  # grpclib asserts that a message is not cut short
            raise GRPCError(Status.INVALID_ARGUMENT, "the request cannot be read") from error

    async def _send_if_new(self, stream: Stream[Any, Any], message: Any, sent: Any) -> Any:
        """Send a message unless it says what the last one said; return it (Workload API 4.3)."""
        if message != sent:
            await self._send(stream, message)
        return message

    async def _send(self, stream: Stream[Any, Any], message: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await stream.send_message(message)
        except TimeoutError:
            self.abort()
            raise
