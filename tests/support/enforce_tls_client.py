"""A TLS client that offers exactly what a test says: a third Envoy, whose library speaks the oldest and the newest.

Python's OpenSSL neither offers old versions reliably nor the hybrid post-quantum group.
"""

import base64
import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.enforce_rig import Rig, free_port

from ringwall.enforce.bootstrap import envoy_argv
from ringwall.model.credentials import X509Credential
from ringwall.plan.bindings import Address

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


@dataclass(frozen=True)
class Offer:
    """What the client offers.

    Attributes:
        least, most: protocol versions, such as `TLSv1_2`.
        suites: for TLS 1.2 and below; the library's own choice where empty.
        groups: of the key exchange; the library's own choice where empty.
        where: whom to call; the rig's edge where None.
        identity: certificate and key to show.
    """

    least: str = "TLSv1_2"
    most: str = "TLSv1_3"
    suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    where: Address | None = None
    identity: X509Credential | None = None


class TlsClients:
    """One running client for each offer, by name."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports

    def ask(self, name: str, path: str) -> bytes:
        """Return the status line of the answer to a GET, nothing where no connection came about."""
        with socket.create_connection(("127.0.0.1", self._ports[name]), 10) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    received += piece
            return received.partition(b"\r\n")[0]


@contextlib.contextmanager
def tls_clients(rig: Rig, offers: Mapping[str, Offer]) -> Iterator[TlsClients]:
    """Run a client for each offer until the block ends."""
    ports = {name: free_port() for name in offers}
    clusters = [_cluster(rig, name, offer) for name, offer in offers.items()]
    config = {
        "static_resources": {
            "listeners": [_listener(name, port) for name, port in ports.items()],
            "clusters": clusters,
        }
    }
    file = rig.bindings.state / "client-envoy.json"
    file.write_text(json.dumps(config))
    output = rig.bindings.state / "log" / "client-envoy.log"
    with output.open("wb") as log:
        process = subprocess.Popen(envoy_argv(file), stdout=log, stderr=log, start_new_session=True)
    try:
        for port in ports.values():
            _until_it_listens(port, output)
        yield TlsClients(ports)
    finally:
        process.kill()
        process.wait()


def _until_it_listens(port: int, output: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        else:
            return


def _address(where: Address) -> dict[str, Any]:
    return {"socket_address": {"address": where.host, "port_value": where.port}}


def _listener(name: str, port: int) -> dict[str, Any]:
    proxy = {"@type": _PROXY, "stat_prefix": name, "cluster": name}
    chain = {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}
    return {"name": name, "address": _address(Address(port=port)), "filter_chains": [chain]}


def _cluster(rig: Rig, name: str, offer: Offer) -> dict[str, Any]:
    where = offer.where or rig.bindings.edge
    assert where is not None
    parameters = {"tls_minimum_protocol_version": offer.least, "tls_maximum_protocol_version": offer.most}
    common: dict[str, Any] = {
        "tls_params": {**parameters, "cipher_suites": offer.suites, "ecdh_curves": offer.groups},
        "validation_context": {"trusted_ca": {"inline_bytes": _b64(rig.credentials.trust_bundle())}},
        "alpn_protocols": ["http/1.1"],
    }
    if offer.identity is not None:
        common["tls_certificates"] = [
            {
                "certificate_chain": {"inline_bytes": _b64(offer.identity.chain_pem)},
                "private_key": {"inline_bytes": _b64(offer.identity.key_pem.reveal())},
            }
        ]
    endpoint = {"endpoint": {"address": _address(where)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": _TLS, "common_tls_context": common, "sni": "localhost"},
        },
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
