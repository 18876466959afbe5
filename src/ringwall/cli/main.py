"""The entry point: finds the verb, loads only what that verb needs, and turns errors into exit codes.

A verb is one file of this package with one function of the same name (`try_` for `try`), whose annotations are
its options; it returns an exit code or None for 0. The table below is all that `ringwall --help` reads, so help is
as fast as the interpreter starts.
"""

import os
import sys
import traceback
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from typing import Final

from ringwall import __version__
from ringwall.cli.output import Output
from ringwall.model.errors import RingwallError
from ringwall.model.garbage import collection_given_up

VERBS: Final[dict[str, tuple[str, str]]] = {
    "up": ("Running", "check, compile and start the system"),
    "down": ("Running", "stop it"),
    "status": ("Running", "what runs, what is in force, what listens where"),
    "apply": ("Running", "put the blueprint as it is now in force, without a restart"),
    "restart": ("Running", "put fresh processes in the place of the issuer's, without a pause"),
    "token": ("Running", "get a token of a development user"),
    "client": ("Running", "make or revoke a secret of a machine client"),
    "registration": ("Running", "let somebody register a client with the issuer"),
    "users": ("Running", "invite and administer the people who sign in"),
    "groups": ("Running", "administer groups of people, and the roles that they give"),
    "upstreams": ("Running", "check providers at which people sign in, and try what comes of their claims"),
    "roles": ("Running", "show roles, and who holds them"),
    "clients": ("Running", "show clients, and end what they may do"),
    "sessions": ("Running", "show where people are signed in, and sign them out"),
    "keys": ("Running", "show the keys that sign tokens"),
    "try": ("Running", "send the requests of a file and compare what is answered"),
    "rotate": ("Running", "replace the certificate authority or the token keys"),
    "revoke": ("Running", "refuse a token, session, user, client or service at every proxy, at once"),
    "ca": ("Running", "take the root key of the workloads' certificate authority offline"),
    "check": ("Blueprint", "say everything that is wrong with the blueprint"),
    "plan": ("Blueprint", "print what would be enforced: who may do what"),
    "schema": ("Blueprint", "print the JSON Schema of ringwall.yaml, for editors"),
    "can": ("Explaining", "say whether somebody may do something, without asking the system"),
    "log": ("Explaining", "show decisions as they are made"),
    "explain": ("Explaining", "say why a request was allowed or denied"),
    "version": ("Other", "print versions of Ringwall and of the proxy"),
    "completion": ("Other", "print a completion script for a shell"),
}
"""Every verb with its group and summary."""

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_INTERNAL: Final = 70


_FILES_HINT: Final = "is the disk full, or does the file or the folder belong to somebody else?"


class UsageError(RingwallError):
    """The command line cannot be understood."""

    code = "usage"
    exit_code = EXIT_USAGE


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises, except with RINGWALL_DEBUG=1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(as_json="--json" in words)
    try:
        return _flushed(_run(words, output))
    except RingwallError as error:
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.clear_progress()
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`ringwall log | head`); nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except OSError as error:
        if os.environ.get("RINGWALL_DEBUG") == "1":
            raise
        what = f"cannot use {error.filename}" if error.filename is not None else "a file cannot be used"
        output.error(RingwallError(f"{what}: {error.strerror or error}", hint=_FILES_HINT))
        return EXIT_FAILED
    except Exception as error:
        if os.environ.get("RINGWALL_DEBUG") == "1":
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        internal = RingwallError(
            f"something in Ringwall is wrong: {type(error).__name__} in {where.name}: {error}",
            hint="this is a defect of Ringwall, not of your files; RINGWALL_DEBUG=1 shows the details to report",
        )
        output.error(internal)
        return EXIT_INTERNAL


def _flushed(code: int) -> int:
    """Return the code once everything is written: here, and not at exit, a reader that has gone is no error."""
    sys.stdout.flush()
    return code


def _run(words: list[str], output: Output) -> int:
    words = _change_directory(words)
    if not words or words[0] in {"-h", "--help", "help"}:
        if len(words) > 1 and words[0] == "help":
            return _dispatch(words[1], ["--help"])
        _help(output)
        return EXIT_OK if words else EXIT_USAGE
    if words[0] in {"-V", "--version"}:
        words[0] = "version"
    return _dispatch(words[0], words[1:])


def _change_directory(words: list[str]) -> list[str]:
    """Obey `-C DIR` wherever it stands before `--`, as make and git do, and remove it."""
    rest: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            return rest + words[index:]
        if not word.startswith("-C"):
            rest.append(word)
            index += 1
            continue
        if word == "-C" and index + 1 == len(words):
            raise UsageError("-C needs a folder", hint="for instance: ringwall -C examples/clinic status")
        folder = words[index + 1] if word == "-C" else word[2:]
        index += 2 if word == "-C" else 1
        try:
            os.chdir(folder)
        except OSError as error:
            raise UsageError(f"cannot change to the folder {folder!r}: {error.strerror}") from error
    return rest


def _dispatch(verb: str, words: list[str]) -> int:
    if verb not in VERBS:
        close = get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean 'ringwall {close[0]}'?" if close else "`ringwall --help` lists the commands"
        raise UsageError(f"there is no command {verb!r}", hint=hint)
    with collection_given_up():
        from ringwall.cli.verb import run_verb  # noqa: PLC0415  # the parser costs 0.2 s that `--help` does not need

        load(verb)
    return run_verb(verb, words)


def _help(output: Output) -> None:
    output.text("Usage: ringwall [-C DIR] COMMAND [OPTIONS]")
    output.text()
    output.text("Secures a whole system of microservices from one file, ringwall.yaml.")
    group = ""
    for verb, (its_group, summary) in VERBS.items():
        if its_group != group:
            group = its_group
            output.text()
            output.text(f"{group}:")
        output.text(f"  {verb:<12} {summary}")
    output.text()
    output.text("`ringwall COMMAND --help` explains a command. -C DIR runs it as if started in DIR.")
    output.text(f"Ringwall {__version__}. Exit codes: 0 done; 1 failed, or not as expected; 2 the command line or the")
    output.text(
        "blueprint is wrong; 3 the system runs already, does not run, or lacks a port; 70 a defect; 130 interrupted."
    )


def load(verb: str) -> object:
    """Return the function that carries out a verb; only this verb's module is imported."""
    name = f"{verb}_" if iskeyword(verb) else verb
    return getattr(import_module(f"ringwall.cli.{name}"), name)


if __name__ == "__main__":
    sys.exit(main())
