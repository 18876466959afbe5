"""docs/reference/administration.md holds the table of operations as it is. UPDATE_GOLDEN=1 writes it anew."""

import os
import re
from pathlib import Path

from ringwall.model.administration import OPERATIONS

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "administration.md"
ROW = re.compile(r"^\| `[a-z.-]+` \| `[A-Z]+ /\S+` \| .* \|\n", re.MULTILINE)


def test_the_table_of_operations_is_current() -> None:
    text = REFERENCE.read_text()
    rows = "".join(f"| `{o.name}` | `{o.method} {o.template}` | {o.says} |\n" for o in OPERATIONS)
    found = list(ROW.finditer(text))
    current = text[: found[0].start()] + rows + text[found[-1].end() :]
    if os.environ.get("UPDATE_GOLDEN"):
        REFERENCE.write_text(current)
    assert text == current
