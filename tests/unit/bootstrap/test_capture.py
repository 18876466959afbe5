from pathlib import Path

from ringwall.bootstrap.capture import Capture


def test_the_file_is_rotated_once_it_is_full(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "x.log", limit=100)
    for number in range(30):
        capture.write(f"line {number:02}\n".encode())
    capture.close()
    old, new = (tmp_path / "x.log.1").read_text(), (tmp_path / "x.log").read_text()
    assert len(old) <= 100
    assert new.endswith("line 29\n")
    assert old.splitlines()[-1] != new.splitlines()[0]


def test_the_last_lines_are_kept_with_an_unfinished_one(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "x.log")
    capture.write(b"".join(b"%d\n" % number for number in range(50)) + b"unfin")
    capture.write(b"ished")
    capture.close()
    assert capture.last_lines()[-2:] == ("49", "unfinished")
    assert len(capture.last_lines()) == 20


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "x.log")
    for _ in range(100):
        capture.write(b"x" * 65536)
    capture.close()
    assert len(capture.last_lines()[0]) <= 4096


def test_the_file_is_for_the_owner_only_and_no_link_is_followed(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "x.log")
    capture.write(b"secret?\n")
    capture.close()
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link.log").symlink_to(tmp_path / "elsewhere")
    linked = Capture(tmp_path / "link.log")
    linked.write(b"x\n")
    linked.close()
    assert not (tmp_path / "elsewhere").exists()
    assert linked.last_lines() == ("x",)
