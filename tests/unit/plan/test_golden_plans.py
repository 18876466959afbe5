"""Each folder of tests/golden/plan is a system; plan.json is its plan. UPDATE_GOLDEN=1 writes what comes out now."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.model.administration import IDS
from ringwall.plan.matrix import access_matrix

GOLDEN = Path(__file__).parents[2] / "golden" / "plan"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def readable(value: Any) -> Any:
    """Leave out the rules themselves, which have golden files of their own beside the compiler."""
    if isinstance(value, dict) and "cases" in value:
        return f"{len(value['cases'])} cases"
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items() if key != "rule_id"}
    return [readable(item) for item in value] if isinstance(value, list) else value


def leave_out_administration(tree: Any) -> None:
    """Leave out the issuer's administration, which is the same in all plans as long as no policy is about it."""
    for name in IDS:
        del tree["cedar_schema"][""]["actions"][name]
    for service in tree["services"]:
        service["operations"] = [each for each in service["operations"] if each["id"] not in IDS]


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_as_before(case: str) -> None:
    plan = plan_files(DiskFiles(GOLDEN / case)).plan
    tree = readable(json.loads(plan.canonical_bytes))
    tree["cedar_schema"] = json.loads(tree["cedar_schema"])
    leave_out_administration(tree)
    made = json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
    matrix = access_matrix(plan)
    lines = ["operation | " + " | ".join(map(str, matrix.columns))]
    lines += [f"{row.operation} | " + " | ".join(cell.verdict for cell in row.cells) for row in matrix.rows]
    for name, text in (("plan.json", made), ("matrix.txt", "\n".join(lines) + "\n")):
        expected = GOLDEN / case / name
        if os.environ.get("UPDATE_GOLDEN"):
            expected.write_text(text)
        assert text == expected.read_text(), f"{name} changed; UPDATE_GOLDEN=1 if that is meant"
