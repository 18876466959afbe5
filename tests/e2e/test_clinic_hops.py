"""What a service's identity opens, and what it does not: connections made with stolen certificates."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.system import System

from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.clock import SystemClock
from ringwall.plan.bindings import Bindings
from ringwall.plan.store import PlanStore


def _context(system: System, workload: str, folder: Path) -> ssl.SSLContext:
    """Return a context with the certificate of a workload, made with the keys that lie open in development mode."""
    authority = WorkloadAuthority(FolderKeyStore(system.state / "ca", passphrase=None), "clinic", SystemClock())
    try:
        plan = PlanStore(system.state / "plan").current()
        known = workload in {*plan.by_name, "edge"}
        svid = authority.svid(plan.spiffe_of(workload) if known else f"spiffe://clinic/{workload}")
        bundle = authority.trust_bundle().decode()
    finally:
        authority.stop()
    file = folder / f"{workload}.pem"
    file.write_bytes(svid.chain_pem + svid.key_pem.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # SPIFFE IDs are no host names
    context.load_verify_locations(cadata=bundle)
    context.load_cert_chain(file)
    return context


@contextmanager
def _connected(system: System, service: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    bindings = Bindings.model_validate_json((system.state / "run" / "bindings.json").read_bytes())
    where = bindings.inbound[service]
    plain = socket.create_connection((where.host, where.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=service) as connection:
        yield connection


def _ask_store(system: System, context: ssl.SSLContext) -> bytes:
    try:
        with _connected(system, "billing-store", context) as connection:
            connection.sendall(b'{"do": "list", "patient": "7"}\n')
            return connection.recv(4096)
    except ConnectionError:
        return b""


def _get(system: System, service: str, path: str, context: ssl.SSLContext, headers: dict[str, str]) -> int:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with _connected(system, service, context) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {service}\r\n{lines}connection: close\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("workload", ["portal", "patients", "edge", "nobody"])
def test_only_billing_reaches_the_store(clinic: System, tmp_path: Path, workload: str) -> None:
    assert json.loads(_ask_store(clinic, _context(clinic, "billing", tmp_path)))["rows"]
    assert _ask_store(clinic, _context(clinic, workload, tmp_path)) == b""


def test_without_a_certificate_nothing_answers(clinic: System) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(OSError, match=r"alert|reset|EOF|closed"):
        _get(clinic, "patients", "/patients/7", context, clinic.authorization("alice"))


def test_caller_and_user_both_count(clinic: System, tmp_path: Path) -> None:
    alice = clinic.authorization("alice")
    portal, billing = (_context(clinic, workload, tmp_path) for workload in ("portal", "billing"))
    assert _get(clinic, "patients", "/patients/7", portal, alice) == 200
    assert _get(clinic, "patients", "/patients/8", portal, alice) == 403, "another user's record"
    assert _get(clinic, "patients", "/patients/7", billing, alice) == 403, "a caller that is not declared"
    assert _get(clinic, "patients", "/patients/7", portal, {}) == 401, "no user"


def test_a_caller_cannot_say_who_the_user_is(clinic: System, tmp_path: Path) -> None:
    portal = _context(clinic, "portal", tmp_path)
    forged = {
        "x-ringwall-subject": "alice",
        "x-ringwall-roles": '["patient"]',
        "x-ringwall-caller": "spiffe://clinic/edge",
    }
    assert _get(clinic, "patients", "/patients/7", portal, forged) == 401
