"""docs/reference/decisions.md says what the code does."""

import re
from pathlib import Path

import pytest

from ringwall.cli.verb import options_of
from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe.collector import CollectorStatus

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "decisions.md").read_text()


def test_every_outcome_and_no_other_is_explained() -> None:
    table = TEXT.partition("| outcome |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == [outcome.value for outcome in Outcome]


def test_every_field_and_no_other_is_explained() -> None:
    table = TEXT.partition("| field |")[2].partition("\n\n")[0]
    named = {name for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(DecisionEvent.__slots__)


@pytest.mark.parametrize("verb", ["log", "can"])
def test_every_option_is_named(verb: str) -> None:
    missing = [name for name in options_of(verb) if name.startswith("--") and f"`{name}" not in TEXT]
    assert set(missing) <= {"--help", "--follow"}, "`-f` is how the page calls the latter"


def test_every_figure_that_is_named_is_one_of_the_status() -> None:
    named = set(re.findall(r"`((?:lag|bad|truncated|proxy)_\w+|drops|problem)`", TEXT))
    assert named == {
        "lag_bytes",
        "lag_seconds",
        "bad_lines",
        "truncated_files",
        "proxy_write_failures",
        "drops",
        "problem",
    }
    assert named <= set(CollectorStatus.__slots__)
