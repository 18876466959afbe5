"""What `up --watch` prints when an edit takes effect."""

import errno
import io
from pathlib import Path

import pytest

from ringwall.bootstrap.change import Change
from ringwall.bootstrap.keeper import Report, State
from ringwall.cli.output import Output
from ringwall.cli.talker import Talker
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity, Span


def warning(number: int) -> Diagnostic:
    return Diagnostic(
        Severity.WARNING, "uncovered-operation", f"nobody may op{number}", Span("ringwall.yaml", number, 1)
    )


def said(talker: Talker, err: io.StringIO, *numbers: int) -> str:
    """Return what is printed for a plan with these warnings."""
    start = len(err.getvalue())
    talker.changed(Change(digest="0" * 64, changed=True, seconds=0.1, warnings=tuple(map(warning, numbers))))
    return err.getvalue()[start:]


def test_only_new_warnings_are_printed_and_the_others_are_counted(tmp_path: Path) -> None:
    err = io.StringIO()
    talker = Talker(Output(out=io.StringIO(), err=err), tmp_path)
    first = said(talker, err, 1, 2)
    assert "op1" in first
    assert "op2" in first
    assert "as before" not in first
    second = said(talker, err, 1, 2, 3)
    assert "op3" in second
    assert "op1" not in second
    assert "2 warnings as before; `ringwall check` shows all" in second
    assert "warning" not in said(talker, err)
    assert "op2" in said(talker, err, 2), "it was gone, and is back"
    assert "1 warning as before" in said(talker, err, 2)


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_cannot_be_printed_ends_nothing(tmp_path: Path, *, as_json: bool) -> None:
    """A detached system prints to a file, and the disk may be full."""
    talker = Talker(Output(as_json=as_json, out=_Full(), err=_Full()), tmp_path)
    talker.changed(Change(digest="0" * 64, changed=True, seconds=0.1, warnings=(warning(1),)))
    talker.refused(RingwallError("wrong"))
    talker.refused(InvalidBlueprintError((warning(1),)))
    talker.happened(Report(name="a", state=State.READY, message="is ready again", lines=("x",)))
    vars(talker)["_serving"] = True
    talker.stopping()
