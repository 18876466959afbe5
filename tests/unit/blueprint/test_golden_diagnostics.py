"""Each folder of tests/golden/blueprint is a blueprint; diagnostics.txt is everything that is said about it.

UPDATE_GOLDEN=1 writes what is said now.
"""

import os
from pathlib import Path

import pytest

from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.model.errors import Diagnostic, InvalidBlueprintError

GOLDEN = Path(__file__).parents[2] / "golden" / "blueprint"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def render(diagnostics: tuple[Diagnostic, ...]) -> str:
    lines = []
    for found in diagnostics:
        lines.append(f"{found.span}: {found.severity}: {found.message} [{found.code}]")
        lines.extend([f"    | {found.excerpt}"] if found.excerpt else [])
        lines.extend([f"    = {found.hint}"] if found.hint else [])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_everything_that_is_wrong_is_said_at_once(case: str) -> None:
    try:
        diagnostics = plan_files(DiskFiles(GOLDEN / case)).diagnostics
    except InvalidBlueprintError as error:
        diagnostics = error.diagnostics
    said = render(diagnostics)
    expected = GOLDEN / case / "diagnostics.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said)
    assert said == expected.read_text()
