"""Connections to a service's own listener under the identity of another one, to see whether it is refused there."""

import socket
import ssl
import tempfile
from typing import Any, Final

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.impersonation import LEND
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan

ALLOWED: Final = 200
DENIED: Final = 403
_ANSWER_SECONDS: Final = 2.0
_ENOUGH: Final = 4096


class ServiceChannels:
    """Connects as services do; their identities are lent by the control plane, in development mode only."""

    def __init__(self, plan: Plan, bindings: Bindings) -> None:
        self._plan = plan
        self._bindings = bindings
        self._contexts: dict[str, ssl.SSLContext] = {}

    def connect(self, caller: str, callee: str, seconds: float) -> ssl.SSLSocket:
        """Return a mutual TLS connection to the listener before `callee`, which is who it should be."""
        where = self._bindings.inbound[callee]
        plain = socket.create_connection((where.host, where.port), seconds)
        try:
            connection = self._context(caller).wrap_socket(plain)
        except OSError:
            plain.close()
            raise
        if ("URI", self._plan.by_name[callee].spiffe_id) not in _names(connection.getpeercert()):
            connection.close()
            raise ssl.SSLCertVerificationError(f"whoever listens there is not {callee}")
        return connection

    def _context(self, caller: str) -> ssl.SSLContext:
        if caller not in self._contexts:
            lent = request(self._bindings.admin, LEND, service=caller)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False  # SPIFFE identities are URIs; `connect` compares them
            context.load_verify_locations(cadata=lent["bundle"])
            # The ssl module takes a key from a file only; this one is readable by its owner, and gone at once.
            with tempfile.NamedTemporaryFile(dir=self._bindings.run) as file:
                file.write((lent["chain"] + lent["key"]).encode())
                file.flush()
                context.load_cert_chain(file.name)
            self._contexts[caller] = context
        return self._contexts[caller]


def _names(certificate: Any) -> tuple[tuple[str, str], ...]:
    return tuple((certificate or {}).get("subjectAltName", ()))


def outcome_of_connection(connection: socket.socket, sent: bytes) -> int:
    """Send something over a plain TCP service's connection; return ALLOWED where it answers or stays open, else DENIED.

    The proxy decides when the first byte arrives, so something has to be sent.
    """
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.sendall(sent)
        return ALLOWED if connection.recv(_ENOUGH) else DENIED
    except TimeoutError:
        return ALLOWED
    except (ConnectionError, ssl.SSLError):
        return DENIED
