"""`ringwall ca`."""

import getpass
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.root_key import ATTACH, DETACH, EXPORT, encoded
from ringwall.cli.locate import running
from ringwall.cli.main import UsageError
from ringwall.cli.output import Output, Style
from ringwall.identity.passphrase import checked_passphrase, passphrase_in
from ringwall.model.durable import replace_file
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

_LARGEST: Final = 16_384


class RootKeyFileError(RingwallError):
    """The file that holds the root's key, or is to hold it, is not as it should be."""

    code = "root-key-file"


def ca(
    do: Literal["status", "export", "detach", "attach"],
    /,
    *,
    file: Path | None = None,
    passphrase_file: Path | None = None,
    json: bool = False,
) -> int:
    """Keep the root key of the workloads' certificate authority away from this machine.

    Without it everything works on, but the intermediate certificate, which lasts 90 days, cannot be renewed. `status`
    exits with 1 once that is due.

    Args:
        do: `status` says where the authority stands; `export` writes the key, encrypted, to a file; `detach` removes
            it here, once that file proves to hold it; `attach` brings it back.
        file: The encrypted key, written by `export` and read by `detach` and `attach`.
        passphrase_file: A file of mode 0600 that holds the passphrase of the encrypted key; asked for otherwise.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    _, _, bindings = running()
    if do == "status":
        found: dict[str, Any] = request(bindings.admin, "status")["authority"]
    else:
        if file is None:
            raise UsageError(f"`ringwall ca {do}` needs --file FILE", hint="where the encrypted key is")
        if do == "export":
            _check_free(file)
            passphrase = _passphrase(passphrase_file, twice=True)
            found = request(bindings.admin, EXPORT, passphrase=encoded(passphrase))
            replace_file(file, found.pop("pem").encode())
        else:
            pem, passphrase = _read(file), _passphrase(passphrase_file)
            found = request(
                bindings.admin, DETACH if do == "detach" else ATTACH, pem=pem, passphrase=encoded(passphrase)
            )
    waits = found["root_offline"] and time.time() >= found["intermediate_due_at"]
    output.json("ca", {"do": do, **found, "root_key_needed": waits})
    for line, style in said(found, needed=waits):
        output.text(line, style)
    if do == "export":
        output.text(f"the key is in {file}, encrypted; keep it and its passphrase elsewhere, apart from each other")
        output.text(f"then take it offline with: ringwall ca detach --file {file}")
    return 1 if waits else 0


def said(found: dict[str, Any], *, needed: bool) -> list[tuple[str, Style]]:
    """Say where the authority stands, and what to do about it.

    Args:
        found: the authority's status.
        needed: whether the root's key is away and the intermediate is due.
    """
    where = "offline" if found["root_offline"] else "on this machine"
    until = _day(found["intermediate_until"])
    lines = [
        (f"certificate authority {found['issuing']}: {found['phase']}", Style.PLAIN),
        (f"root: until {_day(found['root_until'])}, its key is {where}", Style.PLAIN),
    ]
    if needed:
        lines += [
            (f"intermediate: until {until}, cannot be renewed while the root's key is offline", Style.BAD),
            ("  hint: `ringwall ca attach --file FILE` renews it at once; then detach the key again.", Style.PLAIN),
            ("        Or replace the root: `ringwall rotate ca`, then export and detach the new key.", Style.PLAIN),
        ]
    elif found["root_offline"]:
        due = _day(found["intermediate_due_at"])
        lines.append((f"intermediate: until {until}; bring the root's key back between {due} and then", Style.PLAIN))
    else:
        lines.append((f"intermediate: until {until}, renewed by itself", Style.PLAIN))
    return lines


def _check_free(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise RootKeyFileError(f"{file} exists", hint="give another name; a key is never overwritten")
    if not file.absolute().parent.is_dir():
        raise RootKeyFileError(f"the folder of {file} does not exist", hint="make it, or give another name")


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST).decode("ascii")
    except OSError as error:
        raise RootKeyFileError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RootKeyFileError(f"{file} holds no key", hint="give the file that `ringwall ca export` wrote") from error


def _passphrase(file: Path | None, *, twice: bool = False) -> Secret:
    if file is not None:
        return passphrase_in(file)
    if not sys.stdin.isatty():
        raise UsageError("the passphrase cannot be asked for here", hint="give it with --passphrase-file FILE")
    typed = getpass.getpass("Passphrase of the root key: ")
    if twice and getpass.getpass("The same again: ") != typed:
        raise UsageError("the two are not the same")
    return checked_passphrase(typed.encode())


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
