"""The example itself: services that know nothing of Ringwall, contracts that say what they do, a file of one screen."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.system import EXAMPLES, free_port

CLINIC = EXAMPLES / "clinic"
SERVICES = ("appointments", "billing", "messages", "patients", "portal")
SCREEN = 50


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Every service, run as it is, without anything in front; gives their ports."""
    ports = {name: free_port() for name in (*SERVICES, "billing-store")}
    urls = {f"{name.upper().replace('-', '_')}_URL": f"http://127.0.0.1:{port}" for name, port in ports.items()}
    state = {"CLINIC_STATE": str(tmp_path_factory.mktemp("state"))}
    processes = [
        subprocess.Popen(
            [sys.executable, f"services/{name.replace('-', '_')}.py"],
            cwd=CLINIC,
            env={**os.environ, **urls, **state, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        for name, port in ports.items()
    ]
    try:
        for port in ports.values():
            _await(port)
        yield ports
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


def _await(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)
        else:
            return


def _operations(service: str) -> list[tuple[str, str]]:
    contract = yaml.safe_load((CLINIC / "contracts" / f"{service}.yaml").read_text())
    return [(m.upper(), path) for path, item in contract["paths"].items() for m in item if m != "parameters"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_what_its_contract_says(bare: dict[str, int], service: str) -> None:
    assert _operations(service)
    for method, template in _operations(service):
        connection = http.client.HTTPConnection("127.0.0.1", bare[service], timeout=10)
        connection.request(method, re.sub(r"\{[^}]*\}", "7", template), b"{}" if method == "POST" else None)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        assert response.status not in {405, 500, 501, 502}, (method, template, body)
        assert "has nothing at" not in body, (method, template)


def test_a_store_survives_nonsense(bare: dict[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", bare["billing-store"]), timeout=10) as connection:
        lines = connection.makefile("rwb")
        for line in (
            b"",
            b"{}",
            b"[]",
            b'{"do": "drop"}',
            b"\xff",
            b'{"do": "list"}',
            b'{"do": "list", "patient": "7"}',
        ):
            lines.write(line + b"\n")
            lines.flush()
            answer = json.loads(lines.readline())
        assert [row["id"] for row in answer["rows"]] == [1, 2]


def test_the_services_know_nothing_of_ringwall() -> None:
    sources = list((CLINIC / "services").glob("*.py"))
    assert len(sources) >= 6
    for source in sources:
        assert not re.search(r"^\s*(import|from)\s+ringwall", source.read_text(), re.MULTILINE), source


def test_five_services_fit_one_screen() -> None:
    text = (CLINIC / "ringwall.yaml").read_text()
    services = text[text.index("\nservices:") + 1 :].splitlines()
    assert len(yaml.safe_load(text)["services"]) == 6
    assert len(services) <= SCREEN
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("example", ["clinic", "unmodified"])
def test_what_is_asked_shows_allow_and_deny(example: str) -> None:
    rows = yaml.safe_load((EXAMPLES / example / "requests.yaml").read_text())
    assert len(rows) >= 12
    assert {row["expect"] for row in rows} >= {200, 401, 403, 404}
    assert all(row["note"] for row in rows)


@pytest.mark.parametrize("example", ["clinic", "unmodified"])
def test_the_readme_names_files_that_exist(example: str) -> None:
    readme = (EXAMPLES / example / "README.md").read_text()
    files = set(re.findall(r"`([a-z_./-]+\.(?:py|yaml|db)|[a-z]+/)`", readme))
    assert files
    for file in files - {"world.db", "state/"}:
        assert (EXAMPLES / example / Path(file)).exists(), file
