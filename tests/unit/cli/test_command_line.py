import ast
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ringwall.cli.main import VERBS, load, main
from ringwall.cli.verb import options_of

BLUEPRINT = """
ringwall: 1
system: mini
services:
  one:
    run: python one.py
    operations: [show: GET /show]
"""


def ringwall(
    *words: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ringwall.cli.main", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    return tmp_path


def test_help_lists_every_verb_and_loads_no_parser() -> None:
    code = "import sys; from ringwall.cli.main import main; main(['--help']); print('cyclopts' in sys.modules)"
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"`ringwall --help` took {time.perf_counter() - begun:.2f} s")  # noqa: T201  # a figure for people
    assert all(f"  {verb} " in done.stdout for verb in VERBS)
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_function_and_explains_its_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(load(verb))
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    for option in options_of(verb):
        if option.startswith("--"):
            line = next(index for index, line in enumerate(text.splitlines()) if line.startswith(f"  {option}"))
            assert text.splitlines()[line + 1].startswith("      "), f"{option} is not explained"


def test_every_verb_has_a_file_of_its_own() -> None:
    folder = Path(sys.modules["ringwall.cli.main"].__file__ or "").parent
    for path in folder.glob("*.py"):
        names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        verbs = {name.rstrip("_") for name in names} & VERBS.keys()
        assert verbs <= {path.stem.rstrip("_")}, path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["statsu"], "did you mean 'ringwall status'"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["check", "--jsno"], "Did you mean --json?"),
        (["up", "--listen"], "--listen"),
        (["rotate"], "WHAT"),
        (["rotate", "everything"], '"ca"'),
        (["-C"], "-C needs a folder"),
        (["-C", "/no/such/folder", "check"], "No such file"),
        (["check", "/no/such/folder"], "there is no /no/such/folder"),
        (["status", "--json", "--nope"], "--nope"),
        ([], "Usage"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_answered_with_help(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert told in (said.out + said.err).replace('\\"', '"')
    assert "Traceback" not in said.err


def test_an_error_under_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "/no/such/folder", "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["data"]["code"] == "no-blueprint"
    assert said.err == ""


def test_the_folder_can_be_given_before_and_after_the_verb(system: Path) -> None:
    for words in (["-C", str(system), "check"], ["check", "-C", str(system)], [f"-C{system}", "check"]):
        done = ringwall(*words)
        assert done.returncode == 0, done.stderr


def test_check_shows_the_line_and_exits_with_2(system: Path) -> None:
    (system / "ringwall.yaml").write_text(BLUEPRINT.replace("run:", "rnu:"))
    done = ringwall("check", cwd=system)
    assert done.returncode == 2
    assert "ringwall.yaml:6:5: error[unknown-key]" in done.stderr
    assert "    6 │     rnu: python one.py" in done.stderr
    assert "      │     ^^^" in done.stderr
    assert "did you mean 'run'" in done.stderr
    data = json.loads(ringwall("check", "--json", cwd=system).stdout)["data"]
    assert data["good"] is False
    (found,) = [one for one in data["diagnostics"] if one["code"] == "unknown-key"]
    assert found["span"] == {"file": "ringwall.yaml", "line": 6, "column": 5}


def test_nothing_that_needs_a_running_system_starts_one(system: Path) -> None:
    for words in (["status"], ["apply"], ["token", "--as", "x"], ["rotate", "ca"], ["plan", "--diff"]):
        done = ringwall(*words, cwd=system)
        assert done.returncode == 3, words
        assert "ringwall up" in done.stderr
    assert ringwall("down", cwd=system).stdout == "nothing runs\n"


def test_plan_prints_every_stage(system: Path) -> None:
    assert "one/show" in ringwall("plan", cwd=system).stdout
    assert "GET /show" in ringwall("plan", "--routes", cwd=system).stdout
    assert "spiffe://mini/service/one" in ringwall("plan", "--identities", cwd=system).stdout
    digest = json.loads(ringwall("plan", "--json", cwd=system).stdout)["data"]["plan"]
    canonical = ringwall("plan", "--canonical", cwd=system).stdout
    assert json.loads(canonical)["system"] == "mini"
    mesh = json.loads(ringwall("plan", "--envoy", "mesh", cwd=system).stdout)
    assert any("inbound/one" in resources for resources in mesh.values())
    assert len(digest) == 64
    assert "BEGIN" not in json.dumps(mesh), "no certificate and no key is shown"


def test_the_same_blueprint_gives_the_same_bytes(system: Path) -> None:
    first, second = (ringwall("plan", "--canonical", cwd=system).stdout for _ in range(2))
    assert first == second


def test_a_closed_pipe_is_no_error(system: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "ringwall.cli.main", "plan", "--canonical"],
        cwd=system,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_defect_is_not_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_verb: str, _words: list[str]) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.delenv("RINGWALL_DEBUG", raising=False)
    monkeypatch.setattr("ringwall.cli.verb.run_verb", broken)
    assert main(["version"]) == 70
    said = capsys.readouterr().err
    assert "RINGWALL_DEBUG=1" in said
    assert "Traceback" not in said
    monkeypatch.setenv("RINGWALL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["version"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/.ringwall"), "cannot use /x/.ringwall: Permission den"),
        (OSError(errno.ENOSPC, "No space left on device"), "a file cannot be used: No space left on device"),
        (OSError("odd"), "a file cannot be used: odd"),
    ],
)
def test_what_the_machine_refuses_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    def refused(_verb: str, _words: list[str]) -> int:
        raise error

    monkeypatch.delenv("RINGWALL_DEBUG", raising=False)
    monkeypatch.setattr("ringwall.cli.verb.run_verb", refused)
    assert main(["version"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_verbs_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "detach" in script
    assert all(verb in script for verb in VERBS)


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["services"]
