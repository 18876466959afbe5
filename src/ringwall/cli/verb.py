"""Parses the options of one verb by the annotations of its function, calls it, and prints its help."""

import inspect
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cyclopts import App, Argument, CycloptsError, Parameter

from ringwall.cli.main import EXIT_OK, VERBS, UsageError, load
from ringwall.cli.output import Output

_HELP: Final = ("--help", "-h")
_WIDEST: Final = 100
_INDENT: Final = 6


def build(verb: str) -> App:
    """Return the parser of a verb."""
    app = App(
        name=f"ringwall {verb}",
        version_flags=(),
        help_flags=(),
        result_action="return_value",
        default_parameter=Parameter(negative=()),
    )
    app.default(_action(verb))
    return app


def _action(verb: str) -> Callable[..., Any]:
    action: Callable[..., Any] = load(verb)  # type: ignore[assignment]  # a verb's module holds its function
    return action


def run_verb(verb: str, words: list[str]) -> int:
    """Parse `words` and carry out the verb; raise UsageError where they cannot be understood."""
    if any(word in _HELP for word in words):
        Output().block("\n".join(_help(verb)))
        return EXIT_OK
    try:
        code = build(verb)(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        hint = f"`ringwall {verb} --help` lists what it takes"
        raise UsageError(" ".join(str(error).split()), hint=hint) from error
    return code if isinstance(code, int) else EXIT_OK


def options_of(verb: str) -> list[str]:
    """Return the long options of a verb, and the words that its first argument may be, for shell completion."""
    words: list[str] = []
    for argument in build(verb).assemble_argument_collection():
        words += [name for name in argument.names if name.startswith("--")]
        words += (not _is_option(argument) and argument.get_choices()) or []
    return [*words, "--help"]


def _is_option(argument: Argument) -> bool:
    return any(name.startswith("-") for name in argument.names)


def _help(verb: str) -> Iterator[str]:
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    arguments = list(build(verb).assemble_argument_collection(parse_docstring=True))
    fixed = [argument for argument in arguments if not _is_option(argument)]
    options = [argument for argument in arguments if _is_option(argument)]
    words = [name if argument.required else f"[{name}]" for argument in fixed for name in argument.names]
    needed = [f"{argument.name} {_value(argument)}" for argument in options if argument.required]
    yield " ".join(["Usage: ringwall", verb, *words, *needed, "[OPTIONS]"])
    description = inspect.cleandoc(_action(verb).__doc__ or VERBS[verb][1]).partition("\nArgs:")[0]
    for paragraph in description.strip().split("\n\n"):
        yield ""
        yield from textwrap.wrap(" ".join(paragraph.split()), width)
    for title, group in (("Arguments", fixed), ("Options", options)):
        if group or title == "Options":
            yield ""
            yield f"{title}:"
        for argument in group:
            yield f"  {', '.join(argument.names)} {_value(argument) if _is_option(argument) else ''}".rstrip()
            yield from _explained(argument, width)
    yield "  --help, -h"
    yield f"{' ' * _INDENT}Print this."


def _explained(argument: Argument, width: int) -> Iterator[str]:
    text = " ".join((argument.parameter.help or "").split())
    default = argument.field_info.default
    if default not in (None, False, "", Path(), inspect.Parameter.empty):  # not all can be hashed
        text += f" Default: {default}."
    indent = " " * (_INDENT)
    yield from textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _value(argument: Argument) -> str:
    """Return what stands for an option's value in its help; empty for a flag."""
    if argument.hint is bool:
        return ""
    return "|".join(argument.get_choices() or ()) or argument.name.lstrip("-").upper()
