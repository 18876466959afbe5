"""`ringwall upstreams` with a SAML provider."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.saml_provider import ENTITY, metadata
from tests.unit.blueprint.test_saml_metadata import BLUEPRINT

from ringwall.cli.upstreams import upstreams


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "idp").mkdir()
    (tmp_path / "ringwall.yaml").write_text("development: true\n" + BLUEPRINT.lstrip())
    (tmp_path / "idp" / "adfs.xml").write_text(metadata())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)["data"]


def test_it_is_listed_with_where_answers_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert upstreams("list", json=True) == 0
    (found,) = said(capsys)["upstreams"]
    assert found["issuer"] == ENTITY
    assert found["redirect_uri"].endswith("/auth/upstream/adfs/callback")


def test_what_it_needs_to_know_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert upstreams("check", json=True) == 0
    texts = [each["text"] for each in said(capsys)["upstreams"]["adfs"]]
    assert any(text.endswith("/auth/upstream/adfs/metadata") for text in texts)


def test_attributes_can_be_tried(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "said.json").write_text(
        json.dumps({"objectid": "17", "name_id": "ines", "http://schemas.example/role": ["doctors"], "acr": "urn:gold"})
    )
    assert upstreams("try", "adfs", claims=folder / "said.json", json=True) == 0
    found = said(capsys)
    assert [each["role"] for each in found["roles"]] == ["clinician"]
    assert (found["level"], found["user_name"]) == ("mfa", "ines")
