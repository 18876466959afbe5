"""The log of Ringwall's own processes: nobody writes a line of their own into it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ringwall.bootstrap.state import StateFolder

RUN = """
import ast, logging, sys
from ringwall.bootstrap.part import run_part

def run(folder, number):
    sent = ast.literal_eval(sys.stdin.read())
    logging.getLogger("x").warning("the provider answers: %s", sent)
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("it failed")

sys.exit(run_part(run))
"""


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("no\n2026-01-01 INFO x: alice signed in", "no\\n2026-01-01 INFO x: alice signed in"),
        ("\r\x1b[2J\x9b31m\0", "\\r\\x1b[2J\\x9b31m\\x00"),
        ("\u202egnp\u2028", "\\u202egnp\\u2028"),
        ("\ud800", "\\ud800"),
        ("Zoë, 患者", "Zoë, 患者"),
    ],
)
def test_what_others_have_sent_is_one_line_with_nothing_hidden(tmp_path: Path, sent: str, written: str) -> None:
    file = StateFolder(tmp_path).bindings_file
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    command = [sys.executable, "-X", "utf8", "-c", RUN, "--state", str(tmp_path)]
    done = subprocess.run(command, input=ascii(sent), capture_output=True, text=True, encoding="utf-8", check=True)
    first, second, third, *_ = done.stderr.split("\n")
    assert first.endswith(f" WARNING x: the provider answers: {written}")
    assert second.endswith(" ERROR x: it failed")
    assert third == "Traceback (most recent call last):"
