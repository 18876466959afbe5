"""What `up --watch` prints when an edit takes effect."""

import io
from pathlib import Path

from ringwall.bootstrap.run import Change
from ringwall.cli.output import Output
from ringwall.cli.talker import Talker
from ringwall.model.errors import Diagnostic, Severity, Span


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
