"""`ringwall upstreams` by the blueprint alone: nothing runs."""

import base64
import json
from pathlib import Path

import pytest

from ringwall.cli.main import main

BLUEPRINT = """\
ringwall: 1
system: clinic
roles: {clinician: , guest: }
claims: {ward: string}
issuers:
  local:
    upstreams:
      sso:
        issuer: http://127.0.0.1:1
        client_id: ringwall
        secret: {file: secrets/sso}
        accounts: create
        default_roles: [guest]
        roles: {claim: groups, map: {doctors: clinician}}
        attributes: {ward: department}
services:
  app: {listen: "127.0.0.1:9000", expose: /, operations: ["GET /"], allow: [{users: any}]}
"""
INES = {
    "sub": "s1",
    "groups": ["doctors"],
    "department": "north",
    "email": "ines@clinic.example",
    "preferred_username": "ines",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_says_what_to_register(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upstreams"]) == 0
    assert "https://localhost:8443/auth/upstream/sso/callback" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["claims", "token"])
def test_a_dry_run_names_the_line_of_every_rule(folder: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    parts = ({"alg": "ES256"}, INES, {"x": 1})
    token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    (folder / "ines").write_text(json.dumps(INES) if form == "claims" else token + "\n")
    assert main(["upstreams", "try", "sso", "--claims", "ines"]) == 0
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    assert lines["guest"].endswith("ringwall.yaml:13")
    assert "groups=doctors" in lines["clinician"]
    assert lines["clinician"].endswith("ringwall.yaml:14")
    assert lines["ward"].split() == ["ward", "north", "ringwall.yaml:15"]
    assert "accounts were not looked at: the system does not run" in said
    assert "left out: the e-mail address ines@clinic.example" in said


def test_a_check_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upstreams", "check"]) == 1
    said = capsys.readouterr().out
    assert "secrets/sso cannot be read" in said
    assert "127.0.0.1 cannot be asked" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["try"], 2),
        (["try", "sso"], 2),
        (["try", "--claims", "x"], 2),
        (["try", "nobody", "--claims", "ringwall.yaml"], 2),
        (["check", "nobody"], 2),
        (["list", "--claims", "x"], 2),
        (["link", "sso"], 2),
        (["link", "sso", "--user", "alice"], 2),
        (["unlink", "sso", "--user", "alice", "--subject", "s"], 2),
        (["try", "sso", "--claims", "ringwall.yaml"], 1),
        (["try", "sso", "--claims", "absent"], 1),
        (["link", "sso", "--user", "alice", "--subject", "s"], 3),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upstreams", *words]) == code
    assert "error:" in capsys.readouterr().err
