from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringwall.bootstrap.addresses import Addresses, ExposureError, SocketPathError
from ringwall.bootstrap.ports import PortInUseError
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Edge, Listen, Plan, Service
from ringwall.plan.operation import Limit
from ringwall.plan.policy import Source

PER_IP = Limit(requests=1, seconds=1, burst=1)


def service(name: str, **more: Any) -> Service:
    return Service(name=name, spiffe_id=f"spiffe://x/service/{name}", source=Source(file="ringwall.yaml"), **more)


def a_plan(*services: Service, development: bool = True, **edge: Any) -> Plan:
    made = {"host": "127.0.0.1", "port": 0, "domains": ("localhost",), "per_ip": PER_IP, **edge}
    return Plan(
        system="x",
        trust_domain="x",
        audience="x",
        cedar_schema="{}",
        development=development,
        edge=Edge(spiffe_id="spiffe://x/edge", **made),
        services=services,
    )


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Addresses]:
    made = Addresses(tmp_path, tmp_path / ".ringwall", previous=None)
    yield made
    made.ports.close()


def test_everything_gets_a_port_of_its_own(addresses: Addresses) -> None:
    plan = a_plan(service("a", calls=("b",)), service("b"), redirect_port=0)
    made = addresses.assign(plan)
    assert made.edge is not None
    assert made.redirect is not None
    given = [made.edge, made.redirect, *made.inbound.values(), *made.outbound.values(), *made.app.values()]
    assert len({address.port for address in given}) == 2 + 2 + 1 + 2
    assert set(made.outbound) == {"a>b"}


def test_what_a_part_has_it_keeps_over_changes(addresses: Addresses) -> None:
    before = addresses.assign(a_plan(service("a", calls=("b",)), service("b")))
    after = addresses.assign(a_plan(service("a", calls=("b", "c")), service("b"), service("c")))
    assert after.edge == before.edge
    for name in ("a", "b"):
        assert after.inbound[name] == before.inbound[name]
        assert after.app[name] == before.app[name]
    assert after.outbound["a>b"] == before.outbound["a>b"]


def test_a_renewed_service_gets_another_port_beside_its_old_one(addresses: Addresses) -> None:
    plan = a_plan(service("a"), service("b"))
    before = addresses.assign(plan)
    after = addresses.assign(plan, renew={"a"})
    assert after.app["a"] != before.app["a"]
    assert after.app["b"] == before.app["b"]
    assert after.inbound == before.inbound


def test_a_place_that_the_user_fixed_cannot_be_renewed(addresses: Addresses) -> None:
    plan = a_plan(service("a", listen=Listen(port=4321)), service("b", listen=Listen(socket="run/b.sock")))
    before = addresses.assign(plan)
    assert addresses.assign(plan, renew={"a", "b"}).app == before.app


def test_sockets_lie_relative_to_the_blueprint_and_the_issuer_in_the_state_folder(
    addresses: Addresses, tmp_path: Path
) -> None:
    made = addresses.assign(a_plan(service("a", listen=Listen(socket="run/a.sock")), service("i", builtin=True)))
    assert made.app["a"].socket == str(tmp_path / "run" / "a.sock")
    assert made.app["i"].socket == str(made.issuer())


def test_the_issuer_is_where_its_first_process_is(addresses: Addresses) -> None:
    plan = a_plan(service("i", builtin=True))
    made = addresses.assign(plan, issuers=(2, 0))
    assert made.app["i"].socket == str(made.issuer(2))
    assert made.issuer(2).name == "issuer-2.sock"
    assert addresses.assign(plan).issuers == (2, 0)


def test_ports_of_the_last_run_are_taken_again(tmp_path: Path) -> None:
    plan = a_plan(service("a"))
    first = Addresses(tmp_path, tmp_path / ".ringwall", previous=None)
    before = first.assign(plan)
    first.ports.close()
    second = Addresses(tmp_path, tmp_path / ".ringwall", previous=before)
    try:
        assert second.assign(plan) == before
    finally:
        second.ports.close()


def test_an_edge_that_moves_gets_its_new_port(addresses: Addresses) -> None:
    port = addresses.ports.choose("127.0.0.1")
    addresses.ports.release("127.0.0.1", port)
    before = addresses.assign(a_plan())
    after = addresses.assign(a_plan(port=port))
    assert before.edge != after.edge == Address(port=port)


def test_an_edge_port_in_use_is_refused(addresses: Addresses, tmp_path: Path) -> None:
    taken = addresses.assign(a_plan()).edge
    assert taken is not None
    other = Addresses(tmp_path, tmp_path / ".other", previous=None)
    with pytest.raises(PortInUseError):
        other.assign(a_plan(port=taken.port))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::", "127.0.0.1.example"])  # noqa: S104  # refused
def test_development_mode_binds_loopback_only(addresses: Addresses, host: str) -> None:
    with pytest.raises(ExposureError):
        addresses.assign(a_plan(host=host))


def test_a_socket_path_that_is_too_long_is_refused(addresses: Addresses) -> None:
    with pytest.raises(SocketPathError):
        addresses.assign(a_plan(service("a", listen=Listen(socket="x" * 120 + ".sock"))))


def test_a_deep_state_folder_has_its_sockets_elsewhere_and_keeps_that_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    first = Addresses(deep, deep / ".ringwall", previous=None)
    sockets = first.current.sockets
    assert sockets is not None
    assert len(str(first.current.workload_api)) < 107
    assert sockets.stat().st_mode & 0o077 == 0
    previous = Bindings(state=deep / ".ringwall", sockets=sockets)
    assert Addresses(deep, deep / ".ringwall", previous=previous).current.sockets == sockets
    sockets.chmod(0o755)  # somebody else could have put things there
    other = Addresses(deep, deep / ".ringwall", previous=previous).current.sockets
    assert other not in {None, sockets}
    sockets.chmod(0o700)
    assert Addresses(deep, deep / ".ringwall", previous=previous).current.sockets == sockets
    with monkeypatch.context() as patch:
        patch.setattr("os.geteuid", lambda: sockets.stat().st_uid + 1)  # somebody else made it
        others = Addresses(deep, deep / ".ringwall", previous=previous).current.sockets
        assert others not in {None, sockets}
        others.rmdir()
    for folder in (sockets, other):
        assert folder is not None
        folder.rmdir()
