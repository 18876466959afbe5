"""Sends single requests to a running system, as a client of the edge or as one of its services."""

import http.client
import socket
import ssl
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringwall.cli.requests_file import EDGE, GUEST, Asked
from ringwall.cli.service_channel import ServiceChannels, outcome_of_connection
from ringwall.identity.issuer.admin_client import development_token
from ringwall.model.errors import RingwallError
from ringwall.model.headers import REQUEST_ID
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan, Protocol, Service

TCP: Final = "TCP"
"""Stands for the method where a connection is all that is asked for."""
_TIMEOUT_SECONDS: Final = 35.0
_LARGEST_ANSWER: Final = 1_048_576


class RequestError(RingwallError):
    """A request cannot be sent."""

    code = "request"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of the response; for a connection 200 where it was let through and 403 where it was cut; 0 for nothing.
        request_id: under which the decision is recorded; empty for a connection, whose id only the proxy knows.
        callee: the service whose own listener was asked; empty where the edge was.
        began: seconds since the epoch.
        problem: why nothing came back.
    """

    status: int
    request_id: str = ""
    callee: str = ""
    began: float = 0.0
    problem: str = ""


class Sender:
    """Sends requests to one system. Tokens are fetched once per person."""

    def __init__(self, plan: Plan, bindings: Bindings) -> None:
        self._plan = plan
        self._bindings = bindings
        self._tokens: dict[str, str] = {}
        self._tls = _tls(plan, bindings.state)
        self._channels = ServiceChannels(plan, bindings)

    def send(self, asked: Asked) -> Answer:
        """Send one request; raise RequestError where the system has no such way or person."""
        callee = self._callee(asked) if asked.via != EDGE else None
        if (asked.method == TCP) != (callee is not None and callee.protocol is Protocol.TCP):
            raise RequestError(
                f"{asked.span}: {TCP} is the method for services of plain TCP, and for those only",
                hint="such a row has `as: service:NAME`, `to`, and `expect` 200 (let through) or 403 (cut)",
            )
        began = time.time()
        try:
            if asked.method == TCP and callee is not None:
                with self._open(asked.via, callee) as connection:
                    return Answer(outcome_of_connection(connection, asked.body or b"\n"), "", callee.name, began)
            return self._request(asked, callee, began)
        except (OSError, http.client.HTTPException) as error:
            return Answer(
                0, callee=callee.name if callee else "", began=began, problem=str(error) or type(error).__name__
            )

    def _request(self, asked: Asked, callee: Service | None, began: float) -> Answer:
        headers = {name.lower(): value for name, value in asked.headers}
        if asked.body is not None:
            headers.setdefault("content-type", "application/json")
        if asked.via != EDGE:
            # Inside the system a request keeps the id that its service gives it; the answer does not repeat it.
            headers.setdefault(REQUEST_ID, str(uuid.uuid4()))
        person = self._person(asked)
        if person is not None:
            headers.setdefault("authorization", f"Bearer {self._token(person)}")
        connection = self._edge() if callee is None else self._inside(asked.via, callee)
        try:
            connection.request(asked.method, asked.path, asked.body, headers)
            response = connection.getresponse()
            response.read(_LARGEST_ANSWER)
            # Inside, an id in the answer is the application's own word, and need not be the request's.
            request_id = headers.get(REQUEST_ID) or response.headers.get(REQUEST_ID) or ""
            return Answer(response.status, request_id, callee.name if callee else "", began)
        finally:
            connection.close()

    def _person(self, asked: Asked) -> str | None:
        return None if asked.who == GUEST or asked.who.startswith("service:") else asked.who

    def _token(self, person: str) -> str:
        if person not in self._tokens:
            self._tokens[person] = development_token(self._bindings, person).reveal().decode()
        return self._tokens[person]

    def _edge(self) -> http.client.HTTPConnection:
        if self._plan.edge is None or self._bindings.edge is None:
            raise RequestError("this system has no edge", hint="give `via: SERVICE`")
        name, where = self._plan.edge.domains[0], self._bindings.edge
        connected = socket.create_connection((where.host, where.port), _TIMEOUT_SECONDS)
        try:
            # Whatever the name's address is: the certificate must be for that name.
            return _Connection(self._tls.wrap_socket(connected, server_hostname=name), f"{name}:{where.port}")
        except OSError:
            connected.close()
            raise

    def _callee(self, asked: Asked) -> Service:
        caller = self._plan.by_name.get(asked.via)
        if caller is None:
            raise RequestError(f"{asked.span}: there is no service {asked.via!r}")
        name = asked.to or (caller.calls[0] if len(caller.calls) == 1 else "")
        callee = self._plan.by_name.get(name)
        if callee is None:
            raise RequestError(
                f"{asked.span}: there is no service {name!r}"
                if name
                else f"{asked.span}: {asked.via} asks which service?",
                hint=f"give `to`; {asked.via} calls {', '.join(caller.calls) or 'nobody'}",
            )
        return callee

    def _inside(self, caller: str, callee: Service) -> http.client.HTTPConnection:
        way = self._bindings.outbound.get(f"{caller}>{callee.name}")
        return _Connection(self._open(caller, callee), str(way or self._bindings.inbound[callee.name]))

    def _open(self, caller: str, callee: Service) -> socket.socket:
        """Connect as a service does: by its own way where it has one, else straight to the callee's listener."""
        way = self._bindings.outbound.get(f"{caller}>{callee.name}")
        if way is not None:
            return socket.create_connection((way.host, way.port), _TIMEOUT_SECONDS)
        return self._channels.connect(caller, callee.name, _TIMEOUT_SECONDS)


class _Connection(http.client.HTTPConnection):
    """HTTP over a connection that is there already."""

    def __init__(self, connected: socket.socket, authority: str) -> None:
        super().__init__(authority, timeout=_TIMEOUT_SECONDS)
        self.sock = connected


def _tls(plan: Plan, state: Path) -> ssl.SSLContext:
    authority = state / "dev-ca.pem"
    own = plan.edge is not None and plan.edge.certificate is not None
    context = ssl.create_default_context(cafile=str(authority) if authority.is_file() and not own else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
