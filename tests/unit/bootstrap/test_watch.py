import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ringwall.bootstrap.files import DiskFiles
from ringwall.bootstrap.seen_files import SeenFiles
from ringwall.bootstrap.watch import Watch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ringwall.yaml").write_text("one")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.cedar").write_text("a")
    return tmp_path


def seen(folder: Path) -> SeenFiles:
    files = SeenFiles(folder, DiskFiles(folder))
    files.read("ringwall.yaml")
    for name in files.glob("policies/*.cedar"):
        files.read(name)
    return files


def notices(folder: Path, act: Callable[[], object], *, seconds: float = 5.0) -> bool:
    files = seen(folder)

    async def scenario() -> bool:
        watch = Watch()
        watch.look_at(files.seen)
        act()
        try:
            await asyncio.wait_for(watch.change(), seconds)
        except TimeoutError:
            return False
        return True

    return asyncio.run(scenario())


def rename_over(folder: Path) -> None:
    (folder / "new").write_text("two")
    (folder / "new").replace(folder / "ringwall.yaml")


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: (folder / "ringwall.yaml").write_text("two!"),
        lambda folder: (folder / "ringwall.yaml").unlink(),
        rename_over,
        lambda folder: (folder / "policies" / "a.cedar").write_text("changed"),
        lambda folder: (folder / "policies" / "b.cedar").write_text("added"),
        lambda folder: (folder / "policies" / "a.cedar").unlink(),
        lambda folder: os.utime(folder / "ringwall.yaml"),
    ],
)
def test_edits_are_noticed(folder: Path, act: Callable[[Path], object]) -> None:
    assert notices(folder, lambda: act(folder))


def test_what_was_not_read_is_not_watched(folder: Path) -> None:
    assert not notices(folder, lambda: (folder / "other.txt").write_text("x"), seconds=0.3)


def test_an_edit_between_reading_and_watching_is_not_missed(folder: Path) -> None:
    files = seen(folder)
    (folder / "ringwall.yaml").write_text("edited meanwhile")

    async def scenario() -> None:
        watch = Watch()
        watch.look_at(files.seen)
        await asyncio.wait_for(watch.change(), 5)

    asyncio.run(scenario())


def test_a_file_that_was_missing_is_watched(folder: Path) -> None:
    files = SeenFiles(folder, DiskFiles(folder))
    with pytest.raises(Exception, match="no file"):
        files.read("contract.yaml")

    async def scenario() -> None:
        watch = Watch()
        watch.look_at(files.seen)
        (folder / "contract.yaml").write_text("here")
        await asyncio.wait_for(watch.change(), 5)

    asyncio.run(scenario())


def test_a_file_that_was_edited_lately_and_is_watched_no_more_changes_nothing(folder: Path) -> None:
    files = seen(folder)

    async def scenario() -> None:
        watch = Watch()
        watch.look_at(files.seen)
        (folder / "ringwall.yaml").write_text("edited")
        await asyncio.wait_for(watch.change(), 5)
        watch.look_at({path: sign for path, sign in seen(folder).seen.items() if path.name != "ringwall.yaml"})
        (folder / "ringwall.yaml").write_text("edited again")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.change(), 0.3)

    asyncio.run(scenario())


def test_several_edits_in_a_row_are_each_noticed(folder: Path) -> None:
    async def scenario() -> None:
        watch = Watch()
        watch.look_at(seen(folder).seen)
        for number in range(5):
            (folder / "policies" / "a.cedar").write_text(f"edit {number}")
            await asyncio.wait_for(watch.change(), 5)

    asyncio.run(scenario())
