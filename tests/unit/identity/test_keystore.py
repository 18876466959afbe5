import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.keystore import KeyStoreError
from ringwall.identity.passphrase import passphrase_from
from ringwall.identity.sealing import HEADER_NAME, Sealer, SealingError
from ringwall.model.secret import Secret

RIGHT = Secret("correct horse battery")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "keys"


def test_files_and_folder_are_private_whatever_the_umask(folder: Path) -> None:
    previous = os.umask(0)
    try:
        FolderKeyStore(folder, passphrase=None).write("a.json", Secret("{}"))
    finally:
        os.umask(previous)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["a.json"]


def test_development_mode_says_so_at_each_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        store = FolderKeyStore(folder, passphrase=None)
    assert "unencrypted" in caplog.text
    assert store.notice
    assert store.development


def test_outside_development_nothing_readable_lies_on_disk(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FolderKeyStore(folder, passphrase=RIGHT)
    store.put_key("root", ec.generate_private_key(ec.SECP256R1()))
    store.put_json("state", {"secret": "plain-marker"})
    for path in folder.iterdir():
        assert b"PRIVATE" not in path.read_bytes()
        assert b"plain-marker" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    assert not caplog.records
    assert not store.notice
    assert not store.development
    assert FolderKeyStore(folder, passphrase=RIGHT).get_json("state") == {"secret": "plain-marker"}


def test_two_sealings_of_one_text_differ(folder: Path) -> None:
    store = FolderKeyStore(folder, passphrase=RIGHT)
    sealed = []
    for _ in range(2):
        store.write("a.json", Secret("same"))
        sealed.append((folder / "a.json.sealed").read_bytes())
    assert sealed[0] != sealed[1]


def test_a_wrong_passphrase_is_told_from_damage(folder: Path) -> None:
    FolderKeyStore(folder, passphrase=RIGHT)
    with pytest.raises(KeyStoreError, match="passphrase is wrong") as caught:
        FolderKeyStore(folder, passphrase=Secret("incorrect horse battery"))
    assert "RINGWALL_KEY_PASSPHRASE_FILE" in caught.value.hint


def test_damaged_swapped_and_truncated_entries_are_refused(folder: Path) -> None:
    store = FolderKeyStore(folder, passphrase=RIGHT)
    store.write("a.json", Secret("alpha"))
    store.write("b.json", Secret("beta"))
    path = folder / "a.json.sealed"
    whole = path.read_bytes()
    flipped = whole[:20] + (b"A" if whole[20:21] != b"A" else b"B") + whole[21:]
    swapped = (folder / "b.json.sealed").read_bytes()
    for content in (b"", whole[:10], whole[:-4], whole[:-1], flipped, swapped, b"\xff\xfe", b"*" * 50):
        path.write_bytes(content)
        with pytest.raises(KeyStoreError, match=r"a\.json\.sealed: truncated, changed"):
            store.read("a.json")
    path.write_bytes(whole)
    assert store.read("a.json") == Secret("alpha")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"{}",
        lambda _: b"[" * 60_000,
        lambda header: header.replace(b"32768", b"1073741824"),
        lambda header: header.replace(b"32768", b"2"),
        lambda header: header.replace(b"scrypt", b"plain"),
        lambda header: header.replace(b"sealed-1", b"sealed-2"),
        lambda header: header[: len(header) // 2],
    ],
)
def test_a_damaged_header_is_refused_before_any_work(folder: Path, change: Callable[[bytes], bytes]) -> None:
    FolderKeyStore(folder, passphrase=RIGHT)
    path = folder / HEADER_NAME
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(KeyStoreError, match="header"):
        FolderKeyStore(folder, passphrase=RIGHT)


def test_a_folder_is_of_one_mode_only(tmp_path: Path) -> None:
    FolderKeyStore(tmp_path / "sealed", passphrase=RIGHT)
    with pytest.raises(KeyStoreError, match="no passphrase was given"):
        FolderKeyStore(tmp_path / "sealed", passphrase=None)
    FolderKeyStore(tmp_path / "plain", passphrase=None).write("a.pem", Secret("x"))
    with pytest.raises(KeyStoreError, match=r"unencrypted keys from development mode, such as a\.pem"):
        FolderKeyStore(tmp_path / "plain", passphrase=RIGHT)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o660])
@pytest.mark.parametrize("passphrase", [None, RIGHT], ids=["development", "sealed"])
def test_an_entry_that_others_can_reach_is_refused(folder: Path, mode: int, passphrase: Secret | None) -> None:
    store = FolderKeyStore(folder, passphrase=passphrase)
    store.write("a.json", Secret("{}"))
    next(folder.glob("a.json*")).chmod(mode)
    with pytest.raises(KeyStoreError, match="reached by other users") as caught:
        store.read("a.json")
    assert "chmod 600" in caught.value.hint


def test_a_folder_that_others_can_reach_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    with pytest.raises(KeyStoreError, match="reached by other users"):
        FolderKeyStore(folder, passphrase=None)


def test_what_belongs_to_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderKeyStore(folder, passphrase=None)
    store.write("a.json", Secret("{}"))
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(KeyStoreError, match=f"another user .uid {me}"):
        store.read("a.json")
    with pytest.raises(KeyStoreError, match="another user"):
        FolderKeyStore(folder, passphrase=None)


def test_links_folders_and_huge_files_are_not_keys(folder: Path, tmp_path: Path) -> None:
    store = FolderKeyStore(folder, passphrase=None)
    (tmp_path / "elsewhere").write_text("{}")
    (folder / "a.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyStoreError, match="cannot read"):
        store.read("a.json")
    (folder / "b.json").mkdir()
    with pytest.raises(KeyStoreError, match="not a plain file"):
        store.read("b.json")
    os.mkfifo(folder / "c.json", 0o600)
    with pytest.raises(KeyStoreError, match="not a plain file"):
        store.read("c.json")
    store.write("d.json", Secret("{}"))
    (folder / "d.json").write_bytes(b"x" * 70_000)
    with pytest.raises(KeyStoreError, match="larger than any key"):
        store.read("d.json")


def test_a_link_in_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(KeyStoreError, match="not a folder"):
        FolderKeyStore(folder, passphrase=None)


def test_a_failed_write_keeps_the_old_entry_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderKeyStore(folder, passphrase=None)
    store.write("a.json", Secret("old"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(KeyStoreError, match="No space left"):
            store.write("a.json", Secret("new"))
    assert store.read("a.json") == Secret("old")
    assert [path.name for path in folder.iterdir()] == ["a.json"]


def test_a_write_cut_short_by_a_crash_is_cleared_away(folder: Path) -> None:
    FolderKeyStore(folder, passphrase=None).write("a.json", Secret("old"))
    (folder / ".a.json.0badcafe.tmp").write_text("ne")
    store = FolderKeyStore(folder, passphrase=None)
    assert store.names() == ("a.json",)
    assert [path.name for path in folder.iterdir()] == ["a.json"]


class TestPassphrase:
    def test_none_is_given(self) -> None:
        assert passphrase_from({}) is None
        assert passphrase_from({"RINGWALL_KEY_PASSPHRASE": ""}) is None

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_from_a_file(self, tmp_path: Path, end: str) -> None:
        path = tmp_path / "passphrase"
        path.write_bytes(("correct horse battery" + end).encode())
        path.chmod(0o600)
        assert passphrase_from({"RINGWALL_KEY_PASSPHRASE_FILE": str(path)}) == RIGHT

    def test_directly(self) -> None:
        assert passphrase_from({"RINGWALL_KEY_PASSPHRASE": "correct horse battery"}) == RIGHT

    def test_refusals(self, tmp_path: Path) -> None:
        path = tmp_path / "passphrase"
        with pytest.raises(KeyStoreError, match="does not exist"):
            passphrase_from({"RINGWALL_KEY_PASSPHRASE_FILE": str(path)})
        path.write_text("correct horse battery")
        path.chmod(0o644)
        with pytest.raises(KeyStoreError, match="reached by other users"):
            passphrase_from({"RINGWALL_KEY_PASSPHRASE_FILE": str(path)})
        with pytest.raises(KeyStoreError, match="both set"):
            passphrase_from({"RINGWALL_KEY_PASSPHRASE_FILE": str(path), "RINGWALL_KEY_PASSPHRASE": "x"})
        with pytest.raises(KeyStoreError, match="shorter"):
            passphrase_from({"RINGWALL_KEY_PASSPHRASE": "short"})


def test_no_error_names_the_passphrase_or_a_key(folder: Path) -> None:
    FolderKeyStore(folder, passphrase=RIGHT)
    with pytest.raises(KeyStoreError) as caught:
        FolderKeyStore(folder, passphrase=Secret("hunter2-hunter2"))
    assert "hunter2" not in repr(caught.value) + caught.value.message + caught.value.hint


def test_sealed_text_opens_only_under_its_name() -> None:
    sealer, _ = Sealer.create(RIGHT)
    sealed = sealer.seal("a.json", Secret("x"))
    assert sealer.open("a.json", sealed) == Secret("x")
    with pytest.raises(SealingError):
        sealer.open("b.json", sealed)
