"""`ringwall revoke`: what it sends, and what it refuses to send."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.enforce_plans import plan, service

from ringwall.cli import revoke as verb
from ringwall.cli.main import main

PLAN = plan(service("portal"))


class _Bindings:
    admin = Path("admin.sock")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    entry = {"kind": "user", "name": "alice", "value": "alice", "issuer": "i", "until": None}

    def request(_path: Path, do: str, *, seconds: float = 60.0, **members: Any) -> dict[str, Any]:
        assert seconds == 60.0, "how long to wait for an answer is no member of the request"
        found.append({"do": do, **members})
        return {"revoked": [entry], "lifted": [entry], "changed": 1}

    monkeypatch.setattr(verb, "request", request)
    monkeypatch.setattr(verb, "running", lambda: (None, PLAN, _Bindings()))
    return found


def test_it_says_what_to_revoke_and_for_how_long(
    sent: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["revoke", "user", "alice"]) == 0
    assert main(["revoke", "client", "batch", "--for", "15m"]) == 0
    assert main(["revoke", "workload", "portal", "--lift"]) == 0
    capsys.readouterr()
    assert main(["revoke", "list", "--json"]) == 0
    assert sent == [
        {"do": "revoke", "kind": "user", "value": "alice", "lasts": 0.0},
        {"do": "revoke", "kind": "client", "value": "batch", "lasts": 900.0},
        {"do": "restore", "kind": "workload", "value": "portal"},
        {"do": "revocations"},
    ]
    assert json.loads(capsys.readouterr().out)["data"]["revoked"][0]["name"] == "alice"


def test_a_token_is_read_from_a_file_and_only_its_name_is_sent(sent: list[dict[str, Any]], tmp_path: Path) -> None:
    claims = {"iss": PLAN.issuers[0].url, "jti": "j1", "exp": 1}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    file = tmp_path / "token"
    file.write_text(f"e30.{middle}.e30")
    assert main(["revoke", "token", str(file)]) == 0
    assert sent == [{"do": "revoke", "kind": "token", "value": "j1", "lasts": 0.0}]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "x"],
        ["list", "--lift"],
        ["user"],
        ["user", "alice", "--lift", "--for", "1h"],
        ["user", "alice", "--for", "soon"],
        ["user", "alice", "--for", "0s"],
        ["token", "a.b.c"],
        ["planet", "earth"],
    ],
)
def test_what_makes_no_sense_is_not_sent(sent: list[dict[str, Any]], words: list[str]) -> None:
    assert main(["revoke", *words]) == 2
    assert sent == []
