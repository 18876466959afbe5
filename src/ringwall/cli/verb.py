"""Parses the options of one verb by the annotations of its function, and calls it."""

from collections.abc import Callable
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from ringwall.cli.main import EXIT_OK, VERBS, UsageError, load


def build(verb: str) -> App:
    """Return the parser of a verb, with help in plain text."""
    action: Callable[..., Any] = load(verb)  # type: ignore[assignment]  # a verb's module holds its function
    app = App(
        name=f"ringwall {verb}",
        help=action.__doc__ or VERBS[verb][1],
        version_flags=(),
        help_flags=("--help", "-h"),
        help_formatter="plain",
        help_format="plaintext",
        result_action="return_value",
        default_parameter=Parameter(negative=()),
    )
    app.default(action)
    return app


def run_verb(verb: str, words: list[str]) -> int:
    """Parse `words` and carry out the verb; raise UsageError where they cannot be understood."""
    app = build(verb)
    try:
        code = app(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        hint = f"`ringwall {verb} --help` lists what it takes"
        raise UsageError(" ".join(str(error).split()), hint=hint) from error
    return code if isinstance(code, int) else EXIT_OK


def options_of(verb: str) -> list[str]:
    """Return the long options of a verb, and the words that its first argument may be, for shell completion."""
    words = []
    for argument in build(verb).assemble_argument_collection():
        words += [name for name in argument.names if name.startswith("--")]
        choices = argument.get_choices() if not any(name.startswith("-") for name in argument.names) else None
        words += choices or []
    return [*words, "--help"]
