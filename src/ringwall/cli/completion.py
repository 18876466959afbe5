"""`ringwall completion`."""

import sys
from typing import Literal

from ringwall.cli.main import VERBS
from ringwall.cli.verb import options_of


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that completes commands and options; load it from the shell's start-up file.

    For bash and zsh: `eval "$(ringwall completion bash)"`. For fish: `ringwall completion fish | source`.

    Args:
        shell: Which shell it is for.
    """
    options = {verb: options_of(verb) for verb in VERBS}
    sys.stdout.write(_fish(options) if shell == "fish" else _bash(options, zsh=shell == "zsh"))


def _bash(options: dict[str, list[str]], *, zsh: bool) -> str:
    cases = "\n".join(f"    {verb}) words='{' '.join(words)}' ;;" for verb, words in options.items())
    head = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{head}_ringwall() {{
  local words current="${{COMP_WORDS[COMP_CWORD]}}"
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words='{" ".join(options)}' ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words='{" ".join(options)}'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _ringwall ringwall
"""


def _fish(options: dict[str, list[str]]) -> str:
    lines = []
    for verb, words in options.items():
        lines.append(f"complete -c ringwall -n __fish_use_subcommand -a {verb} -d '{VERBS[verb][1]}'")
        lines += [
            f"complete -c ringwall -n '__fish_seen_subcommand_from {verb}' -l {word[2:]}"
            for word in words
            if word.startswith("--")
        ]
    return "\n".join(lines) + "\n"
