"""What the documents tell a reader to type is typed here, and what they link to exists."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.system import System, copy_example

from ringwall.blueprint.files import MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.compile.planner import make_plan

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([README, *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(copy_example("clinic", tmp_path_factory.mktemp("docs") / "examples")) as running:
        yield running


def test_the_tour_can_be_typed(system: System) -> None:
    commands = "".join(blocks(README.read_text(), "sh")).replace("localhost:8443", f"localhost:{system.port}")
    assert "ringwall explain" in commands
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        cwd=system.folder.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Alice Adler" in done.stdout
    assert "urn:uuid:" in done.stdout
    assert "why        no policy allows it" in done.stdout


def test_the_blueprint_of_the_readme_makes_a_plan() -> None:
    (text,) = blocks(README.read_text(), "yaml")
    blueprint, _ = load_blueprint(MemoryFiles({"ringwall.yaml": text.encode()}))
    plan = make_plan(blueprint).plan
    assert [s.name for s in plan.services if not s.builtin] == ["orders"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), f"{document}: {target}"


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?\bmake ([a-z-]+)(?:`| +#)", README.read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
