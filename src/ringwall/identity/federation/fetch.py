"""Asks issuers over HTTP: one request, small answers, no redirects, bounded in size and in time.

Where the address comes from a document that somebody else wrote, it cannot be used to reach into this network:
other schemes are refused, and so is a private address where the document itself came from a public one.
"""

import http.client
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from ringwall.model.errors import RingwallError

MAX_SECONDS: Final = 10.0
_MAX_URL: Final = 2048
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_GOOD: Final = frozenset({http.client.OK})
_TOLD: Final = frozenset({http.client.OK, http.client.BAD_REQUEST, http.client.UNAUTHORIZED})
_TAKEN: Final = frozenset({http.client.OK, http.client.NO_CONTENT})
_NOTHING: Final[Mapping[str, str]] = {}
_SHORTEST: Final = 0.05
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchError(RingwallError):
    """A document could not be had."""

    code = "issuer-fetch"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and whether it came from a public address of the Internet."""

    body: bytes
    public: bool
    status: int = http.client.OK


@dataclass(frozen=True, slots=True)
class _Message:
    """What is sent.

    Attributes:
        statuses: answers that will do.
        at: where to connect to in place of what the URL's name leads to; None for that.
        read: whether what the answer holds is wanted.
    """

    method: str
    headers: Mapping[str, str]
    body: bytes | None
    statuses: frozenset[int]
    at: tuple[str, int] | None = None
    read: bool = True


def check_url(url: str, *, development: bool) -> SplitResult:
    """Return the parts of a URL that may be fetched, or raise FetchError.

    It is https; in development mode also plain http to this machine. No user name, no fragment.
    """
    shown = url[:200]
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise FetchError(f"{shown!r} is not a usable address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise FetchError(f"{shown!r} is not a usable address") from None
    if not host or port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        raise FetchError(f"{shown!r} is not a usable address", hint="no user name and no fragment may be in it")
    if parts.scheme == "https" or (parts.scheme == "http" and development and _is_local_name(host)):
        return parts
    raise FetchError(
        f"{shown!r} is not fetched: only https is", hint="plain http is taken in development mode, to this machine only"
    )


class Fetcher:
    """Fetches documents over HTTP/1.1."""

    def __init__(self, *, development: bool, tls: ssl.SSLContext | None = None, seconds: float = MAX_SECONDS) -> None:
        """Prepare to fetch.

        Args:
            development: whether plain http to this machine is taken.
            tls: whom to trust; the system's certificate authorities by default.
            seconds: how long one fetch may take in all.
        """
        self._development = development
        self._tls = tls
        self._seconds = seconds

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        only_public: bool = False,
        headers: Mapping[str, str] = _NOTHING,
        at: tuple[str, int] | None = None,
    ) -> Fetched:
        """Return the document at `url`; FetchError unless it is answered with 200, in time, and is not too large.

        `only_public` and `at` are as for `deliver`.
        """
        return self._ask(url, _Message("GET", headers, None, _GOOD, at=at), max_bytes, only_public=only_public)

    def post(
        self, url: str, form: bytes, *, max_bytes: int, only_public: bool = False, headers: Mapping[str, str] = _NOTHING
    ) -> Fetched:
        """Return the answer to a form; also one with 400 or 401, by which token endpoints say why (RFC 6749, 5.2)."""
        return self._ask(url, _Message("POST", {**headers, **_FORM}, form, _TOLD), max_bytes, only_public=only_public)

    def deliver(self, url: str, form: bytes, *, only_public: bool = False, at: tuple[str, int] | None = None) -> None:
        """Post a form, and look at nothing of the answer but that it is 200 or 204; FetchError where it is not.

        Args:
            url: where to.
            form: the body, encoded.
            only_public: refuse an address that is not one of the Internet.
            at: host and port to connect to in place of what the URL's name leads to; its certificate must be right.
        """
        message = _Message("POST", _FORM, form, _TAKEN, at=at, read=False)
        self._ask(url, message, max_bytes=0, only_public=only_public)

    def _ask(self, url: str, message: _Message, max_bytes: int, *, only_public: bool) -> Fetched:
        parts = check_url(url, development=self._development)
        try:
            return self._send(parts, message, max_bytes, only_public=only_public)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else "it does not speak HTTP"
            raise FetchError(f"{parts.hostname} cannot be asked: {reason}") from error

    def _send(self, parts: SplitResult, message: _Message, max_bytes: int, *, only_public: bool) -> Fetched:
        host = parts.hostname or ""
        port = parts.port or (_HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT)
        place = message.at or (host, port)
        plain, address = self._connect(place, host, plain_http=parts.scheme == "http", only_public=only_public)
        with plain, self._deadline(plain, host):
            connection = http.client.HTTPConnection(host, port)
            if parts.scheme == "https":
                self._tls = self._tls or ssl.create_default_context()
                connection.sock = self._tls.wrap_socket(plain, server_hostname=host)
            else:
                connection.sock = plain
            try:
                status, body = _exchange(connection, parts, message, max_bytes)
                return Fetched(body, public=address.is_global, status=status)
            finally:
                connection.close()

    def _connect(
        self, place: tuple[str, int], host: str, *, plain_http: bool, only_public: bool
    ) -> tuple[socket.socket, _Address]:
        """Return a connection, and the address that it leads to.

        An address is looked at before anything is sent to it, not even the beginning of a connection, and it is the one
        that is connected to: a name that leads elsewhere when it is asked for again helps nobody.
        """
        until = time.monotonic() + self._seconds
        failure = OSError("it has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(*place, type=socket.SOCK_STREAM):
            address = _address_of(where)
            if plain_http and not address.is_loopback:
                raise FetchError(f"{host} is not this machine, so it is not asked over plain http")
            if only_public and not address.is_global:
                raise FetchError(f"{host} is a private address, which is not asked on behalf of somebody elsewhere")
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(max(until - time.monotonic(), _SHORTEST))
                connected.connect(where)
            except OSError as error:
                connected.close()
                failure = error
                continue
            connected.settimeout(self._seconds)
            return connected, address
        raise failure

    @contextmanager
    def _deadline(self, connected: socket.socket, host: str) -> Iterator[None]:
        """Cut the connection when time is up: socket timeouts alone start anew with every byte that drips in."""
        over = threading.Event()
        # A second descriptor of the same connection: closing or wrapping the first one cannot get in the way.
        with socket.socket(fileno=os.dup(connected.fileno())) as handle:

            def cut() -> None:
                over.set()
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(self._seconds, cut)
            timer.daemon = True
            timer.start()
            try:
                yield
            except (OSError, http.client.HTTPException, ValueError, FetchError):
                if not over.is_set():
                    raise
            finally:
                timer.cancel()
                timer.join()
        if over.is_set():
            raise FetchError(f"{host} took longer than {self._seconds:g} seconds")


def _exchange(
    connection: http.client.HTTPConnection, parts: SplitResult, message: _Message, max_bytes: int
) -> tuple[int, bytes]:
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"accept": "application/json", **message.headers, "user-agent": "ringwall", "connection": "close"}
    connection.request(message.method, target, body=message.body, headers=headers)
    with connection.getresponse() as response:
        if response.status in range(300, 400):
            raise FetchError(f"{host} answers with a redirect, which is not followed", hint="name the final address")
        if response.status not in message.statuses:
            raise FetchError(f"{host} answers with status {response.status}")
        if not message.read:
            return response.status, b""
        if response.getheader("content-encoding", "identity").lower() != "identity":
            raise FetchError(f"{host} answers in an encoding that was not asked for")
        body = response.read(max_bytes + 1)
        if len(body) > max_bytes:
            raise FetchError(f"the document of {host} is larger than {max_bytes} bytes")
        if response.length:
            raise FetchError(f"the document of {host} breaks off")
        return response.status, body


def _address_of(where: tuple[Any, ...]) -> _Address:
    address = ipaddress.ip_address(str(where[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_local_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
