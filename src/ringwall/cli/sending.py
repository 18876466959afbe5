"""Sends single requests to a running system, as a client of the edge or as one of its services."""

import http.client
import socket
import ssl
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringwall.cli.requests_file import EDGE, GUEST, Asked
from ringwall.identity.issuer.admin_client import development_token
from ringwall.model.errors import RingwallError
from ringwall.model.headers import REQUEST_ID
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan

_TIMEOUT_SECONDS: Final = 35.0
_LARGEST_ANSWER: Final = 1_048_576


class RequestError(RingwallError):
    """A request cannot be sent."""

    code = "request"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is 0 and `problem` says why where nothing did."""

    status: int
    request_id: str = ""
    problem: str = ""


class Sender:
    """Sends requests to one system. Tokens are fetched once per person."""

    def __init__(self, plan: Plan, bindings: Bindings) -> None:
        self._plan = plan
        self._bindings = bindings
        self._tokens: dict[str, str] = {}
        self._tls = _tls(plan, bindings.state)

    def send(self, asked: Asked) -> Answer:
        """Send one request; raise RequestError where the system has no such way or person."""
        headers = {name.lower(): value for name, value in asked.headers}
        if asked.body is not None:
            headers.setdefault("content-type", "application/json")
        if asked.via != EDGE:
            # Inside the system a request keeps the id that its service gives it; the answer does not repeat it.
            headers.setdefault(REQUEST_ID, str(uuid.uuid4()))
        person = self._person(asked)
        if person is not None:
            headers.setdefault("authorization", f"Bearer {self._token(person)}")
        connection = self._connection(asked)
        try:
            connection.request(asked.method, asked.path, asked.body, headers)
            response = connection.getresponse()
            response.read(_LARGEST_ANSWER)
            return Answer(response.status, response.headers.get(REQUEST_ID) or headers.get(REQUEST_ID, ""))
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, problem=str(error) or type(error).__name__)
        finally:
            connection.close()

    def _person(self, asked: Asked) -> str | None:
        return None if asked.who == GUEST or asked.who.startswith("service:") else asked.who

    def _token(self, person: str) -> str:
        if person not in self._tokens:
            self._tokens[person] = development_token(self._bindings, person).reveal().decode()
        return self._tokens[person]

    def _connection(self, asked: Asked) -> http.client.HTTPConnection:
        if asked.via == EDGE:
            if self._plan.edge is None or self._bindings.edge is None:
                raise RequestError("this system has no edge", hint="give `via: SERVICE`")
            name = self._plan.edge.domains[0]
            return _Connection(self._bindings.edge, f"{name}:{self._bindings.edge.port}", self._tls, name)
        caller = self._plan.by_name.get(asked.via)
        if caller is None or not caller.calls:
            raise RequestError(f"{asked.span}: {asked.via!r} is no service that calls others")
        callee = asked.to or (caller.calls[0] if len(caller.calls) == 1 else "")
        if callee not in caller.calls:
            raise RequestError(
                f"{asked.span}: {asked.via} does not call {callee or 'one service only'}",
                hint=f"give `to`, one of {', '.join(caller.calls)}",
            )
        where = self._bindings.outbound[f"{asked.via}>{callee}"]
        return _Connection(where, str(where), None, "")


class _Connection(http.client.HTTPConnection):
    """Connects to an address whatever the host's name says; the certificate must be for that name."""

    def __init__(self, address: Address, authority: str, tls: ssl.SSLContext | None, name: str) -> None:
        super().__init__(authority, timeout=_TIMEOUT_SECONDS)
        self._address = address
        self._tls = tls
        self._name = name

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address.host, self._address.port), self.timeout)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _tls(plan: Plan, state: Path) -> ssl.SSLContext:
    authority = state / "dev-ca.pem"
    own = plan.edge is not None and plan.edge.certificate is not None
    context = ssl.create_default_context(cafile=str(authority) if authority.is_file() and not own else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
