"""`ringwall ca`: what it says, what it refuses, and what the control plane makes of what it sends."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringwall.bootstrap.root_key import RootKey, RootKeyFormatError, encoded
from ringwall.cli import ca as verb
from ringwall.cli.ca import RootKeyFileError, said
from ringwall.cli.main import UsageError
from ringwall.cli.output import Style
from ringwall.cli.status import root_key
from ringwall.identity.keystore import KeyStoreError, MemoryKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.generation import CaError, RootOfflineError
from ringwall.model.clock import ManualClock
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

DAY = 86_400.0
PASSPHRASE = {"passphrase": encoded(Secret(b"kept in a safe place \xff\x00"))}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key(clock: ManualClock) -> Iterator[RootKey]:
    authority = WorkloadAuthority(MemoryKeyStore(), "clinic", clock)
    yield RootKey(authority)
    authority.stop()


def text(found: dict[str, Any], now: float) -> str:
    return "\n".join(
        line for line, _ in said(found, needed=found["root_offline"] and now >= found["intermediate_due_at"])
    )


def test_exported_detached_and_brought_back(key: RootKey, clock: ManualClock) -> None:
    exported = key.export(PASSPHRASE)
    pem = exported["pem"]
    assert "BEGIN ENCRYPTED PRIVATE KEY" in pem
    assert not exported["root_offline"]
    away = key.detach({"pem": pem, **PASSPHRASE})
    assert away["root_offline"]
    assert "bring the root's key back between" in text(away, clock.now())
    clock.advance(46 * DAY)
    due = {**away}
    assert root_key(due, clock.now()) == [
        "the root's key is offline and the intermediate is due: `ringwall ca status` says what to do"
    ]
    said_now = text(due, clock.now())
    assert "ringwall ca attach" in said_now
    assert "ringwall rotate ca" in said_now
    back = key.attach({"pem": pem, **PASSPHRASE})
    assert not back["root_offline"]
    assert back["intermediate_until"] > away["intermediate_until"], "what waited for the key is done at once"
    assert root_key(back, clock.now()) == []
    assert "renewed by itself" in text(back, clock.now())


def test_nothing_is_said_while_nothing_is_due(key: RootKey, clock: ManualClock) -> None:
    pem = key.export(PASSPHRASE)["pem"]
    away = key.detach({"pem": pem, **PASSPHRASE})
    clock.advance(44 * DAY)
    assert root_key(away, clock.now()) == []
    assert root_key({}, clock.now()) == [], "the control plane may be away"
    assert all(style is Style.PLAIN for _, style in said(away, needed=False))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"pem": "", **PASSPHRASE}, CaError),
        (
            {"pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", **PASSPHRASE},
            CaError,
        ),
        ({"pem": "schlüssel", **PASSPHRASE}, RootKeyFormatError),
        ({"pem": "\ud800", **PASSPHRASE}, RootKeyFormatError),
        ({"pem": "x", "passphrase": "not hex"}, RootKeyFormatError),
    ],
    ids=repr,
)
def test_what_is_no_key_is_refused_and_nothing_is_removed(
    key: RootKey, asked: dict[str, str], error: type[RingwallError]
) -> None:
    for carry_out in (key.detach, key.attach):
        with pytest.raises(error):
            carry_out(asked)
    assert key.export(PASSPHRASE)["pem"]


def test_a_wrong_passphrase_is_refused(key: RootKey) -> None:
    pem = key.export(PASSPHRASE)["pem"]
    with pytest.raises(CaError, match="passphrase"):
        key.detach({"pem": pem, "passphrase": encoded(Secret(b"another passphrase"))})
    key.detach({"pem": pem, **PASSPHRASE})
    with pytest.raises(RootOfflineError, match="offline already"):
        key.export(PASSPHRASE)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    there = tmp_path / "root.pem"
    there.write_text("an older key")
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nowhere")
    for file in (there, dangling):
        with pytest.raises(RootKeyFileError, match="exists"):
            verb._check_free(file)
    with pytest.raises(RootKeyFileError, match="does not exist"):
        verb._check_free(tmp_path / "no" / "root.pem")
    verb._check_free(tmp_path / "new.pem")


def test_a_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RootKeyFileError, match="cannot read"):
        verb._read(tmp_path / "nothing")
    (tmp_path / "binary").write_bytes(b"\x80\x81")
    with pytest.raises(RootKeyFileError, match="holds no key"):
        verb._read(tmp_path / "binary")


def test_a_passphrase_is_long_and_private(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("kept in a safe place\n")
    with pytest.raises(KeyStoreError):
        verb._passphrase(file)
    file.chmod(0o600)
    assert verb._passphrase(file).reveal() == b"kept in a safe place"
    file.write_text("short")
    with pytest.raises(KeyStoreError, match="shorter"):
        verb._passphrase(file)


def test_without_a_terminal_the_passphrase_comes_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", argparse.Namespace(isatty=lambda: False))
    with pytest.raises(UsageError, match="cannot be asked for"):
        verb._passphrase(None)


def test_two_different_passphrases_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["kept in a safe place", "kept in a sage place"])
    monkeypatch.setattr("sys.stdin", argparse.Namespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    with pytest.raises(UsageError, match="not the same"):
        verb._passphrase(None, twice=True)
