import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ringwall.bootstrap.ports import HeldPorts, PortInUseError, check_free, listeners

HOST = "127.0.0.1"


@contextmanager
def listening(*, reuse: bool = False) -> Iterator[int]:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(reuse))
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def ports() -> Iterator[HeldPorts]:
    held = HeldPorts()
    yield held
    held.close()


def test_chosen_ports_differ_and_are_below_the_ephemeral_range(ports: HeldPorts) -> None:
    chosen = [ports.choose(HOST) for _ in range(20)]
    assert len(set(chosen)) == 20
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:  # noqa: PTH123  # a file of the kernel
        low = int(file.read().split()[0])
    assert all(port < low for port in chosen)


def test_a_held_port_cannot_be_taken_by_an_ordinary_server(ports: HeldPorts) -> None:
    port = ports.choose(HOST)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            server.bind((HOST, port))


def test_a_held_port_can_be_taken_as_the_proxy_takes_it(ports: HeldPorts) -> None:
    port = ports.choose(HOST)
    with socket.socket() as proxy:
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        proxy.bind((HOST, port))
        proxy.listen()
        with socket.create_connection((HOST, port), 5):
            accepted, _ = proxy.accept()
            accepted.close()


def test_a_released_port_can_be_taken(ports: HeldPorts) -> None:
    port = ports.choose(HOST)
    ports.release(HOST, port)
    with socket.socket() as server:
        server.bind((HOST, port))


def test_the_preferred_port_is_taken_where_it_is_free(ports: HeldPorts) -> None:
    port = ports.choose(HOST)
    ports.release(HOST, port)
    assert ports.choose(HOST, preferred=port) == port
    assert ports.choose(HOST, preferred=port) != port, "it is held already"


def test_a_claimed_port_that_is_taken_names_the_owner(ports: HeldPorts) -> None:
    code = (
        f"import socket, sys; s = socket.create_server(('{HOST}', 0)); print(s.getsockname()[1], flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", code, "the-owner"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        with pytest.raises(PortInUseError) as caught:
            ports.claim(HOST, port, "the edge")
        owner.communicate()
    assert f"the edge wants {HOST}:{port}" in caught.value.message
    assert f"process {owner.pid}" in caught.value.message
    assert caught.value.hint


def test_a_port_of_another_proxy_of_the_same_user_is_not_shared(ports: HeldPorts) -> None:
    with listening(reuse=True) as port, pytest.raises(PortInUseError):
        ports.claim(HOST, port, "the edge")


def test_a_port_cannot_be_claimed_twice(ports: HeldPorts) -> None:
    port = ports.choose(HOST)
    with pytest.raises(PortInUseError, match="already used by this system"):
        ports.claim(HOST, port, "the redirect")


def test_what_is_not_used_any_more_is_let_go(ports: HeldPorts) -> None:
    kept, dropped = ports.choose(HOST), ports.choose(HOST)
    ports.release_all_but({(HOST, kept)})
    with socket.socket() as server:
        server.bind((HOST, dropped))
    with socket.socket() as server, pytest.raises(OSError, match="in use"):
        server.bind((HOST, kept))


def test_listeners_are_found_on_ipv6_too() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.bind(("::1", 0))
        server.listen()
        assert any("process" in owner for owner in listeners(server.getsockname()[1]))


def test_a_free_port_passes() -> None:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        check_free(HOST, bound.getsockname()[1], "a service")
