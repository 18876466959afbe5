"""`log`, `explain` and `can` against a store and a plan on disk, in this process and as processes."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.observe_plans import BLUEPRINT, CEDAR, MORNING, NIGHT, put_in_force, recorded, small_plan

from ringwall.cli.main import main
from ringwall.observe.store import EventStore

PLAN = small_plan()
DENIED: dict[str, Any] = {"s": 403, "d": "rbac_access_denied_matched_policy[none]"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A blueprint whose system has run, and made decisions."""
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    (tmp_path / "rules.cedar").write_text(CEDAR)
    state = tmp_path / ".ringwall"
    put_in_force(PLAN, state)
    write(
        tmp_path,
        recorded(PLAN, "patients/get", p="/api/patients/7", id="allowed-1", t="1772532000.1"),
        recorded(PLAN, "patients/get", caller="edge", p="/patients/7", id="allowed-1", t="1772532000.2"),
        recorded(PLAN, "patients/get", p="/api/patients/8", id="denied-1", t="1772532001", **DENIED),
        recorded(PLAN, "portal/home", who="guest", p="/", id="guest-1", t="1772532002", s=429, d="local_rate_limited"),
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, *events: Any) -> None:
    store = EventStore.open(folder / ".ringwall" / "events.db")
    store.write(events)
    store.close()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_log_shows_who_what_and_the_policy(folder: Path, run: Run) -> None:
    code, out, _ = run("log")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 4)
    assert "11:00:00.100 allowed" in lines[0]
    assert lines[0].endswith("rules.cedar:1")
    assert "edge→patients" in lines[1]
    assert "denied" in lines[2]
    assert "alice" in lines[2]
    assert "limited" in lines[3]
    assert "\x1b" not in out, "a pipe gets no colours"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--outcome", "denied"], 1),
        (["--service", "patients"], 3),
        (["--operation", "get"], 3),
        (["--subject", "alice"], 3),
        (["--caller", "edge"], 1),
        (["--status", "429"], 1),
        (["--limit", "2"], 2),
        (["--limit", "0"], 0),
        (["--since", "2026-03-03T11:00:01"], 2),
        (["--until", "2026-03-03T11:00:01"], 2),
        (["--since", "5m"], 0),
    ],
)
def test_log_filters(folder: Path, run: Run, words: list[str], count: int) -> None:
    code, out, _ = run("log", *words)
    assert (code, len(out.splitlines())) == (0, count)


def test_log_gives_one_document_on_a_line(folder: Path, run: Run) -> None:
    code, out, _ = run("log", "--json", "--outcome", "denied")
    (document,) = [json.loads(text) for text in out.splitlines()]
    assert (code, document["kind"]) == (0, "decision")
    data = document["data"]
    assert (data["request_id"], data["subject"], data["outcome"]) == ("denied-1", "alice", "denied")
    assert data["plan"] == PLAN.digest
    assert "rules.cedar:1" in [policy["source"] for policy in data["near"]]


@pytest.mark.parametrize("words", [["--outcome", "maybe"], ["--limit", "-1"], ["--since", "soon"], ["--nonsense"]])
def test_log_refuses_what_it_does_not_understand(folder: Path, run: Run, words: list[str]) -> None:
    code, out, err = run("log", *words)
    assert (code, out) == (2, "")
    assert "error" in err


def test_nothing_in_a_record_reaches_the_terminal_as_it_is(folder: Path, run: Run) -> None:
    write(folder, recorded(PLAN, "patients/get", p="/\x1b[2J\nforged", u="a\x9bb\u202e", id="evil-1"))
    _, out, _ = run("log")
    _, more, _ = run("explain", "evil-1")
    assert all(line.isprintable() for line in (out + more).splitlines())
    assert not any(line.startswith("forged") for line in (out + more).splitlines())


def test_log_and_explain_before_anything_ran(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    monkeypatch.chdir(tmp_path)
    for words in (["log"], ["explain", "x"]):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert "ringwall up" in err


def test_log_follows_over_a_new_store_and_ends_on_a_signal(folder: Path) -> None:
    command = [sys.executable, "-m", "ringwall.cli.main", "log", "-f", "--limit", "1", "--outcome", "allowed"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stdout is not None
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.extend(process.stdout or []))
    reading.start()

    def wait(count: int) -> None:
        deadline = time.monotonic() + 30
        while len(lines) < count:
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)

    try:
        wait(1)
        write(folder, recorded(PLAN, "portal/home", who="guest", p="/second", id="second"))
        write(folder, recorded(PLAN, "portal/home", who="guest", p="/", id="no", **DENIED))
        wait(2)
        for path in (folder / ".ringwall").glob("events.db*"):
            path.unlink()
        time.sleep(0.3)
        write(folder, recorded(PLAN, "portal/home", who="guest", p="/third", id="third"))
        wait(3)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        reading.join()
        process.stdout.close()
    assert ["allowed-" in lines[0], "/second" in lines[1], "/third" in lines[2]] == [True] * 3


def test_explain_tells_every_hop(folder: Path, run: Run) -> None:
    code, out, _ = run("explain", "allowed")
    assert code == 0
    assert out.index("at the edge: allowed") < out.index("at patients: allowed")
    assert out.count("rules.cedar:1") == 2
    assert "alice (by a token), called by edge" in out
    code, out, _ = run("explain", "allowed-1", "--json")
    data = json.loads(out)["data"]
    assert [hop["kind"] for hop in data["hops"]] == ["edge", "inbound"]


def test_explain_names_what_nearly_applied(folder: Path, run: Run) -> None:
    code, out, _ = run("explain", "denied-1")
    assert code == 0
    assert "no policy allows it" in out
    assert "rules.cedar:1" in out


def test_explain_cries_out_where_plan_and_record_disagree(folder: Path, run: Run) -> None:
    write(
        folder,
        recorded(PLAN, "patients/get", p="/api/patients/8", id="wrong", **DENIED | {"s": 200, "d": "via_upstream"}),
    )
    code, out, _ = run("explain", "wrong")
    assert code == 1
    assert "ALARM" in out
    assert "defect" in out


def test_explain_waits_for_a_decision_that_is_on_its_way(folder: Path, run: Run) -> None:
    timer = threading.Timer(
        0.4,
        write,
        [folder, recorded(PLAN, "portal/home", who="guest", p="/", id="late", s=429, d="local_rate_limited")],
    )
    timer.start()
    code, out, _ = run("explain", "late")
    timer.join()
    assert (code, "at the edge: limited" in out) == (0, True)


def test_explain_of_an_unknown_request_names_the_latest(folder: Path, run: Run) -> None:
    code, out, err = run("explain", "zzz")
    assert (code, out) == (1, "")
    assert "guest-1" in err
    assert "allowed-1" in err


CAN = ["--at", "2026-03-03T11:00"]


def test_can_says_yes_with_0_and_no_with_3(folder: Path, run: Run) -> None:
    code, out, _ = run("can", "alice", "GET", "/api/patients/7", *CAN)
    assert code == 0
    assert "alice may GET /api/patients/7" in out
    assert "rules.cedar:1" in out
    assert "the blueprint; nothing runs" in out
    code, out, _ = run("can", "alice", "get", "/api/patients/7", "--at", "2026-03-03T03:00")
    assert code == 3
    assert "alice may not GET" in out
    assert "rules.cedar:5" in out
    assert "a policy forbids it" in out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["alice", "GET", "/patients/7", "--via", "portal"], 0),
        (["alice", "GET", "/api/patients/8", "--claim", "patients=7, 8"], 0),
        (["alice", "GET", "/api/patients/7", "--claim", "patients="], 3),
        (["dana", "GET", "/api/patients/7", "--claim", "level=-5", "--claim", "night=true"], 0),
        (["guest", "GET", "/api/patients"], 3),
        (["portal", "TCP", "ledger"], 0),
        (["alice", "GET", "/nope"], 3),
        (["nobody", "GET", "/"], 2),
        (["guest", "GET", "/", "--claim", "level=1"], 2),
        (["alice", "GET", "/", "--claim", "levle=1"], 2),
        (["alice", "GET", "/", "--claim", "level=high"], 2),
        (["alice", "GET", "/", "--claim", "night=maybe"], 2),
        (["alice", "GET", "/", "--claim", "level"], 2),
        (["alice", "GET", "/", "--at", "never"], 2),
        (["alice", "GET"], 2),
    ],
)
def test_can_asks_what_it_is_asked(folder: Path, run: Run, words: list[str], code: int) -> None:
    assert run("can", *words, *([] if "--at" in words else CAN))[0] == code


def test_can_as_json(folder: Path, run: Run) -> None:
    code, out, _ = run("can", "alice", "GET", "/api/patients/8", "--json", *CAN)
    data = json.loads(out)["data"]
    assert (code, data["allowed"], data["plan"]) == (3, False, PLAN.digest)
    assert (data["hops"][0]["hop"], data["hops"][0]["status"]) == ("edge", 403)


def test_can_answers_from_the_blueprint_as_it_is_now(folder: Path, run: Run) -> None:
    (folder / "rules.cedar").write_text(CEDAR.replace("context.hour < 7", "context.hour > 7"))
    assert run("can", "alice", "GET", "/api/patients/7", *CAN)[0] == 3


def test_can_takes_a_token_from_a_file_or_standard_input(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = next(i for i in PLAN.issuers if i.builtin)
    claims = {"iss": issuer.url, "sub": "zoe", "aud": PLAN.audience, "exp": float(MORNING) + 9e6, "patients": ["9"]}
    token = f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2lnbmVk"
    (folder / "token").write_text(f"{token}\n")
    code, out, err = run("can", "token", "GET", "/api/patients/9", *CAN)
    assert code == 0
    assert "zoe may" in out
    assert "not verified" in err
    assert "c2lnbmVk" not in out + err

    class Input:
        buffer = io.BytesIO(token.encode())

    monkeypatch.setattr(sys, "stdin", Input())
    assert run("can", "-", "GET", "/api/patients/9", *CAN)[0] == 0
    (folder / "token").write_text("secret nonsense")
    code, out, err = run("can", "token", "GET", "/", *CAN)
    assert code == 2
    assert "nonsense" not in out + err


def test_night_is_night() -> None:
    assert float(MORNING) - float(NIGHT) == 8 * 3600
