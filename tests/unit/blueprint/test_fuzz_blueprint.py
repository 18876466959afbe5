"""Whatever is in the files, planning ends with a plan or with diagnostics, never with another exception."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringwall.blueprint.files import MemoryFiles
from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.model.cache import PlanCache
from ringwall.model.errors import InvalidBlueprintError

CLINIC = DiskFiles(Path(__file__).parents[3] / "examples" / "clinic")
FILES = {
    path: CLINIC.read(path)
    for path in CLINIC.glob("**/*")
    if path.startswith(("ringwall.yaml", "contracts", "policies"))
}
CACHE = PlanCache()
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

WORDS = st.sampled_from(
    [
        *(
            "ringwall",
            "system",
            "edge",
            "listen",
            "domains",
            "services",
            "run",
            "expose",
            "contract",
            "operations",
            "allow",
        ),
        *(
            "roles",
            "people",
            "claims",
            "data",
            "policies",
            "shadow",
            "issuers",
            "calls",
            "holds",
            "zone",
            "limit",
            "mode",
        ),
        *(
            "GET /",
            "GET /{x}",
            "/",
            "x",
            "edge",
            "any",
            "true",
            "1",
            "127.0.0.1:1",
            "unix:s",
            "10/s",
            "\u2028",
            "",
            "~",
        ),
    ]
)
VALUES = st.recursive(
    WORDS | st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)


def planned(files: dict[str, bytes]) -> bool:
    try:
        plan_files(MemoryFiles(files), cache=CACHE)
    except InvalidBlueprintError as error:
        if not error.diagnostics:
            raise
        return False
    return True


def test_the_unchanged_files_are_a_plan() -> None:
    assert planned(FILES)


@QUIET
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(content: bytes) -> None:
    planned({"ringwall.yaml": content})
    planned({**FILES, "contracts/portal.yaml": content})
    planned({**FILES, "policies/privacy.cedar": content})


@QUIET
@given(st.dictionaries(WORDS, VALUES, max_size=8))
def test_any_tree(value: dict[str, object]) -> None:
    text = as_yaml({"ringwall": 1, "system": "x", **value})
    planned({"ringwall.yaml": text.encode("utf-8", "surrogatepass")})
    planned({**FILES, "contracts/portal.yaml": as_yaml({"openapi": "3.1.0", **value}).encode("utf-8", "surrogatepass")})


@QUIET
@given(st.sampled_from(sorted(FILES)), st.randoms(use_true_random=False))
def test_any_file_with_pieces_moved(path: str, rng: random.Random) -> None:
    lines = FILES[path].decode().split("\n")
    for _ in range(rng.randint(1, 4)):
        index = rng.randrange(len(lines))
        change = rng.choice(["drop", "copy", "cut", "indent", "swap", "insert"])
        if change == "drop":
            del lines[index : index + 2]
        elif change == "copy":
            lines.insert(rng.randrange(len(lines)), lines[index])
        elif change == "cut":
            lines[index] = lines[index][: rng.randint(0, len(lines[index]))]
        elif change == "indent":
            lines[index] = rng.choice(["", "  ", "      "]) + lines[index].strip()
        elif change == "swap":
            other = rng.randrange(len(lines))
            lines[index], lines[other] = lines[other], lines[index]
        else:
            at = rng.randint(0, len(lines[index]))
            lines[index] = lines[index][:at] + rng.choice("{}[]():;,&*!|>'\"%@`#-?\\\t\x00é😀") + lines[index][at:]
        lines = lines or [""]
    planned({**FILES, path: "\n".join(lines).encode()})


@pytest.mark.parametrize("path", sorted(FILES))
def test_any_file_cut_short(path: str) -> None:
    content = FILES[path]
    for end in range(0, len(content), max(1, len(content) // 25)):
        planned({**FILES, path: content[:end]})


def as_yaml(value: object) -> str:
    """JSON-like text that may hold what JSON forbids."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_yaml(str(key))}: {as_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_yaml(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() or c in " /{}:.|" else f"\\U{ord(c):08x}" for c in value) + '"'
    return "~" if value is None else str(value).lower()
