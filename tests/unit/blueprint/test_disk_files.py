import os
from pathlib import Path

import pytest

from ringwall.blueprint.files import MAX_FILE_BYTES, FileRefusedError, Files, MemoryFiles
from ringwall.bootstrap.files import DiskFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "system"
    (root / "policies" / "deep").mkdir(parents=True)
    (root / "ringwall.yaml").write_text("ringwall: 1")
    for name in ("b.cedar", "a.cedar", "note.txt", "deep/c.cedar"):
        (root / "policies" / name).write_text(name)
    (tmp_path / "outside.cedar").write_text("secret")
    return root


def test_both_kinds_of_files_agree(folder: Path) -> None:
    disk = DiskFiles(folder)
    memory = MemoryFiles({path: disk.read(path) for path in disk.glob("**/*")})
    assert memory.glob("**/*") == disk.glob("**/*") != ()
    for pattern in ("policies/*.cedar", "policies/**/*.cedar", "*", "none/*.x", "p*/?.cedar", "policies/a.cedar", "**"):
        assert memory.glob(pattern) == disk.glob(pattern), pattern


def test_a_star_stays_in_its_folder(folder: Path) -> None:
    assert DiskFiles(folder).glob("policies/*.cedar") == ("policies/a.cedar", "policies/b.cedar")
    assert DiskFiles(folder).glob("**/*.cedar")[-1] == "policies/deep/c.cedar"


@pytest.mark.parametrize("path", ["../outside.cedar", "/etc/passwd", "policies/../../outside.cedar", "", "a\0", "~/x"])
def test_paths_that_leave_are_refused(folder: Path, path: str) -> None:
    kinds: list[Files] = [DiskFiles(folder), MemoryFiles({})]
    for files in kinds:
        with pytest.raises(FileRefusedError):
            files.read(path)
        with pytest.raises(FileRefusedError):
            files.glob(path)


def test_links_that_leave_are_refused(folder: Path) -> None:
    (folder / "policies" / "link.cedar").symlink_to(folder.parent / "outside.cedar")
    (folder / "up").symlink_to(folder.parent, target_is_directory=True)
    files = DiskFiles(folder)
    for path in ("policies/link.cedar", "up/outside.cedar"):
        with pytest.raises(FileRefusedError, match="leads out") as caught:
            files.read(path)
        assert caught.value.code == "path-escapes"
    with pytest.raises(FileRefusedError):
        files.glob("up/*.cedar")
    assert files.glob("**/outside.cedar") == ()


def test_links_that_stay_are_read(folder: Path) -> None:
    (folder / "same.cedar").symlink_to(folder / "policies" / "a.cedar")
    assert DiskFiles(folder).read("same.cedar") == b"a.cedar"


def test_a_link_to_itself_is_refused(folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(FileRefusedError):
        DiskFiles(folder).read("loop")


def test_a_root_reached_by_a_link_is_fine(folder: Path) -> None:
    alias = folder.parent / "alias"
    alias.symlink_to(folder, target_is_directory=True)
    assert DiskFiles(alias).read("ringwall.yaml") == b"ringwall: 1"


def test_only_regular_files_are_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    files = DiskFiles(folder)
    for path in ("pipe", "policies"):
        with pytest.raises(FileRefusedError):
            files.read(path)


def test_what_is_absent_or_not_readable_is_said(folder: Path) -> None:
    files = DiskFiles(folder)
    for path in ("none.yaml", "ringwall.yaml/x"):
        with pytest.raises(FileRefusedError) as caught:
            files.read(path)
        assert caught.value.code == "file-not-found"


def test_large_files_are_refused_before_they_are_read(folder: Path) -> None:
    with (folder / "large.yaml").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(FileRefusedError, match="at most") as caught:
        DiskFiles(folder).read("large.yaml")
    assert caught.value.code == "file-too-large"
    with pytest.raises(FileRefusedError, match="at most"):
        MemoryFiles({"x": b"x" * (MAX_FILE_BYTES + 1)}).read("x")


def test_a_pattern_over_too_many_files_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringwall.bootstrap.files.MAX_GLOB_MATCHES", 2)
    with pytest.raises(FileRefusedError, match="too many"):
        DiskFiles(folder).glob("**/*")
