"""What the reference says of the command line is what the command line does."""

import re
from pathlib import Path

import pytest

from ringwall.bootstrap.environment import INHERITED
from ringwall.bootstrap.state import STATE_FOLDER, StateFolder
from ringwall.cli.main import VERBS
from ringwall.cli.verb import options_of

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
TEXT = (REFERENCE / "cli.md").read_text()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented_with_exactly_its_options(verb: str) -> None:
    found = re.search(rf"^`ringwall ({verb}[^`]*)`", TEXT, re.MULTILINE) or re.search(
        rf"`ringwall ({verb}[^`]*)`", TEXT
    )
    assert found, f"{verb} is not in cli.md"
    documented = set(re.findall(r"--[a-z-]+", found[1]))
    assert documented == {option for option in options_of(verb) if option.startswith("--")} - {"--help"}


def test_no_verb_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"`ringwall ([a-z]+)", TEXT)) <= VERBS.keys()


def test_what_services_inherit_is_documented() -> None:
    for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "VIRTUAL_ENV", "PYTHONPATH"):
        assert name in INHERITED
        assert f"`{name}`" in TEXT


def test_the_state_folder_is_documented() -> None:
    text = (REFERENCE / "state.md").read_text()
    folder = StateFolder(Path(STATE_FOLDER))
    for path in (
        folder.plans.current_file,
        folder.bindings_file,
        folder.plan_cache,
        folder.plans.archived_file("DIGEST"),
        folder.plans.part_file("DIGEST"),
    ):
        assert f"`{path.relative_to(STATE_FOLDER)}`" in text
