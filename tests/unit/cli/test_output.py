import io
import json
from pathlib import Path

import pytest

from ringwall.cli.output import Cell, Output, Style, visible
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity, Span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_are_made_visible() -> None:
    assert visible("/a\x1b[2J\nb\u202e") == "/a\\x1b[2J\\nb\\u202e"
    assert visible("Zürich 患者") == "Zürich 患者"


def test_a_table_in_a_pipe_is_plain_and_never_wraps() -> None:
    out = io.StringIO()
    Output(out=out).table(["who", "what"], [["alice", Cell("x" * 300, Style.GOOD)], ["bob", "\x1b[31mred"]])
    lines = out.getvalue().splitlines()
    assert lines[1] == "alice  " + "x" * 300
    assert lines[2] == "bob    \\x1b[31mred"


def test_a_table_on_a_terminal_wraps_and_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    Output(out=out).table(["who", "what"], [["alice", Cell("word " * 20, Style.BAD)]])
    assert out.getvalue().count("\x1b[31m") > 1


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Output(out=out).text("fine", Style.GOOD)
    assert out.getvalue() == "fine\n"


def test_json_is_one_shape_and_silences_text() -> None:
    out = io.StringIO()
    output = Output(as_json=True, out=out)
    output.text("nothing")
    output.table(["a"], [["b"]])
    output.tree({"a": ["b"]})
    output.json("thing", {"path": Path("x"), "set": {"b", "a"}})
    assert json.loads(out.getvalue()) == {
        "ringwall": 1,
        "kind": "thing",
        "data": {"path": "x", "set": ["a", "b"]},
    }


def test_an_error_under_json_is_a_document() -> None:
    out = io.StringIO()
    found = Diagnostic(Severity.ERROR, "unknown-key", "no key 'expos'", Span("ringwall.yaml", 2, 3))
    Output(as_json=True, out=out).error(InvalidBlueprintError((found,)))
    document = json.loads(out.getvalue())
    assert document["kind"] == "error"
    assert document["data"]["diagnostics"][0]["span"] == {"file": "ringwall.yaml", "line": 2, "column": 3}


def test_a_diagnostic_shows_its_line_with_carets_under_the_text(tmp_path: Path) -> None:
    (tmp_path / "ringwall.yaml").write_text("services:\n  expos: /\n")
    err = io.StringIO()
    found = Diagnostic(
        Severity.ERROR, "unknown-key", "no key 'expos'", Span("ringwall.yaml", 2, 3), "expos", "did you mean 'expose'?"
    )
    Output(err=err).diagnostics([found], root=tmp_path)
    assert err.getvalue().splitlines() == [
        "ringwall.yaml:2:3: error[unknown-key]: no key 'expos'",
        "    2 │   expos: /",
        "      │   ^^^^^",
        "  hint: did you mean 'expose'?",
    ]


def test_a_diagnostic_about_a_file_that_is_gone_still_shows_its_excerpt(tmp_path: Path) -> None:
    err = io.StringIO()
    found = Diagnostic(Severity.WARNING, "x", "m", Span("gone.yaml", 2, 3), "text")
    Output(err=err).diagnostics([found], root=tmp_path)
    assert "    2 │ text" in err.getvalue()


def test_an_error_has_its_hint() -> None:
    err = io.StringIO()
    Output(err=err).error(RingwallError("it broke", hint="mend it"))
    assert err.getvalue() == "error: it broke\n  hint: mend it\n"


def test_a_tree_leads_to_each_leaf() -> None:
    out = io.StringIO()
    Output(out=out).tree({"a": {"b": ["c"]}, "d": []})
    assert out.getvalue() == "├─ a\n│  └─ b\n│     └─ c\n└─ d\n"


def test_progress_is_not_shown_in_a_pipe() -> None:
    err = io.StringIO()
    Output(err=err).progress("working")
    assert not err.getvalue()
