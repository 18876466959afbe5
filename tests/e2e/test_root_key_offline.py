"""`ringwall ca` on a running system: the root's key leaves it, and every hop goes on working."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.system import System

BLUEPRINT = """\
ringwall: 1
system: vault

edge:
  listen: 127.0.0.1:8443

services:
  vault:
    run: python -m http.server --bind 127.0.0.1 {port}
    expose: /
    operations: [{list: GET /}]
    allow: [{public: true}]
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("vault")
    (folder / "ringwall.yaml").write_text(BLUEPRINT)
    with System(folder) as started:
        yield started


@pytest.fixture
def kept(tmp_path: Path) -> tuple[str, ...]:
    """Return the options that name a file for the key, and one with a passphrase."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("kept in a safe place\n")
    passphrase.chmod(0o600)
    return ("--file", str(tmp_path / "root.pem"), "--passphrase-file", str(passphrase))


def root_keys(system: System) -> list[str]:
    return [
        path.name
        for path in (system.state / "ca").iterdir()
        if path.name.startswith("ca-") and path.name.endswith("-root.pem")
    ]


def test_the_root_key_leaves_the_machine_and_comes_back(system: System, kept: tuple[str, ...]) -> None:
    file = Path(kept[1])
    assert len(root_keys(system)) == 1
    system.ringwall("ca", "detach", *kept, code=1)
    assert len(root_keys(system)) == 1, "without an export nothing is removed"
    told = system.ringwall("ca", "export", *kept)
    assert f"ringwall ca detach --file {file}" in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "BEGIN ENCRYPTED PRIVATE KEY" in file.read_text()
    system.ringwall("ca", "export", *kept, code=1)
    away = system.ringwall_json("ca", "detach", *kept)
    assert away["root_offline"]
    assert root_keys(system) == []
    assert system.ringwall_json("ca", "status")["root_offline"]
    assert system.ask("GET", "/").status == 200
    back = system.ringwall_json("ca", "attach", *kept)
    assert not back["root_offline"]
    assert len(root_keys(system)) == 1


def test_a_new_root_needs_no_old_key_and_is_told_to_lie_here(system: System, kept: tuple[str, ...]) -> None:
    system.ringwall("ca", "export", *kept)
    before = system.ringwall_json("ca", "detach", *kept)["issuing"]
    assert system.ringwall_json("rotate", "ca")["root_was_offline"]
    for _ in range(600):
        found = system.ringwall_json("ca", "status")
        if found["phase"] == "stable":
            break
    assert found["issuing"] != before
    assert not found["root_offline"]
    assert system.ask("GET", "/").status == 200
    system.ringwall("ca", "attach", *kept, code=1)
    file = Path(kept[1]).with_name("new.pem")
    system.ringwall("ca", "export", "--file", str(file), *kept[2:])
    new = ("--file", str(file), *kept[2:])
    assert system.ringwall_json("ca", "detach", *new)["root_offline"]
    assert not system.ringwall_json("ca", "attach", *new)["root_offline"]


def test_a_file_must_be_named(system: System) -> None:
    system.ringwall("ca", "export", code=2)
