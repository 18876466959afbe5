import sys
from pathlib import Path
from typing import Any

from ringwall.bootstrap.environment import argv_of, base, of_issuer, of_key_holder, of_proxy, of_service
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan, Protocol, Run, Service
from ringwall.plan.policy import Source

OPERATOR = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "LC_ALL": "C.UTF-8",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "RINGWALL_KEY_PASSPHRASE": "correct horse battery",
    "RINGWALL_KEY_PASSPHRASE_FILE": "/run/passphrase",
    "LD_PRELOAD": "/opt/x.so",
}


def service(name: str, **more: Any) -> Service:
    return Service(name=name, spiffe_id=f"spiffe://x/service/{name}", source=Source(file="ringwall.yaml"), **more)


def world(*services: Service) -> tuple[Plan, Bindings]:
    plan = Plan(system="x", trust_domain="x", audience="x", cedar_schema="{}", services=services)
    pairs = [f"{one.name}>{callee}" for one in services for callee in one.calls]
    return plan, Bindings(
        state=Path("/x/.ringwall"),
        outbound={pair: Address(port=3000 + number) for number, pair in enumerate(pairs)},
        app={one.name: Address(port=4000 + number) for number, one in enumerate(services)},
    )


def test_a_service_gets_none_of_the_operators_secrets() -> None:
    plan, bindings = world(service("a", run=Run(argv=("x",))))
    env = of_service(plan, plan.services[0], bindings, OPERATOR, "mark")
    assert "s3cret" not in str(env)
    assert "passphrase" not in str(env).lower()
    assert "LD_PRELOAD" not in env
    assert env["HOME"] == "/home/me"
    assert env["LC_ALL"] == "C.UTF-8"


def test_a_service_learns_where_to_listen_and_where_its_callees_are() -> None:
    plan, bindings = world(
        service("web", run=Run(argv=("x",), env=(("LEVEL", "debug"),)), calls=("billing-store", "api")),
        service("billing-store", protocol=Protocol.TCP),
        service("api"),
    )
    env = of_service(plan, plan.services[0], bindings, OPERATOR, "mark")
    assert env["PORT"] == "4000"
    assert env["BILLING_STORE_URL"] == "tcp://127.0.0.1:3000"
    assert env["API_URL"] == "http://127.0.0.1:3001"
    assert env["SPIFFE_ENDPOINT_SOCKET"] == "unix:///x/.ringwall/run/workload.sock"
    assert env["LEVEL"] == "debug"
    assert "SOCKET" not in env


def test_a_service_on_a_socket_gets_no_port() -> None:
    plan, bindings = world(service("a", run=Run(argv=("x", "--uds={socket}"))))
    bound = bindings.model_copy(update={"app": {"a": Address(socket="/x/a.sock")}})
    env = of_service(plan, plan.services[0], bound, OPERATOR, "mark")
    assert env["SOCKET"] == "/x/a.sock"
    assert "PORT" not in env
    assert argv_of(plan.services[0], bound) == ("x", "--uds=/x/a.sock")


def test_python_is_the_one_that_runs_ringwall_and_placeholders_are_filled() -> None:
    run = Run(argv=("python", "app.py", "--port={port}", "--root-path={prefix}/", "{other}"))
    plan, bindings = world(service("a", run=run, prefix="/a"), service("b", run=run, prefix=""), service("c", run=run))
    filled = [argv_of(one, bindings)[1:] for one in plan.services]
    assert filled[0] == ("app.py", "--port=4000", "--root-path=/a/", "{other}")
    assert [words[2] for words in filled[1:]] == ["--root-path=/", "--root-path=/"]
    assert argv_of(plan.services[0], bindings)[0] == sys.executable


def test_programs_installed_beside_ringwall_are_found() -> None:
    folder = str(Path(sys.executable).parent)
    assert base({"PATH": "/usr/bin"}, "m")["PATH"] == f"{folder}:/usr/bin"
    assert base({"PATH": f"/usr/bin:{folder}"}, "m")["PATH"] == f"/usr/bin:{folder}"


def test_the_control_plane_trusts_whom_the_operator_says() -> None:
    given = {"SSL_CERT_FILE": "/etc/own-ca.pem", "SSL_CERT_DIR": "/etc/certs"}
    assert given.items() <= of_key_holder(OPERATOR | given, "m").items()


def test_only_key_holders_get_the_passphrase() -> None:
    assert of_key_holder(OPERATOR, "m")["RINGWALL_KEY_PASSPHRASE"] == "correct horse battery"
    assert "RINGWALL_KEY_PASSPHRASE" not in base(OPERATOR, "m")
    assert "AWS_SECRET_ACCESS_KEY" not in of_key_holder(OPERATOR, "m")


def test_a_proxy_finds_time_zones_even_where_the_machine_has_none(tmp_path: Path) -> None:
    assert "TZDIR" not in of_proxy(OPERATOR, "m", zones=tmp_path)
    zones = Path(of_proxy(OPERATOR, "m", zones=tmp_path / "absent")["TZDIR"])
    assert (zones / "Europe" / "Berlin").is_file()
    assert "RINGWALL_KEY_PASSPHRASE" not in of_proxy(OPERATOR, "m", zones=tmp_path)


def test_only_the_issuer_gets_the_database_and_what_providers_have_given_it() -> None:
    given = {
        "RINGWALL_DATABASE_URL": "postgresql://u:hunter2@db/x",
        "RINGWALL_DATABASE_URL_FILE": "/etc/url",
        "RINGWALL_SECRET_SSO": "hunter2",
    }
    environ = OPERATOR | given
    assert given.items() <= of_issuer(environ, "m").items()
    assert of_issuer(OPERATOR, "m") == of_key_holder(OPERATOR, "m")
    plan, bindings = world(service("a", run=Run(argv=("x",))))
    others = [
        base(environ, "m"),
        of_key_holder(environ, "m"),
        of_service(plan, plan.services[0], bindings, environ, "m"),
    ]
    assert not any(given.keys() & other.keys() for other in others)
