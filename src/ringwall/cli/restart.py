"""`ringwall restart`."""

from pathlib import Path
from typing import Final, Literal

from ringwall.bootstrap.admin_socket import request
from ringwall.cli.locate import running
from ringwall.cli.output import Output, Style

_PATIENCE_SECONDS: Final = 300.0


def restart(what: Literal["issuer"], path: Path = Path(), /, *, json: bool = False) -> None:
    """Put fresh processes in the place of the issuer's, with no moment in which none answers.

    They read anew what the issuer reads when it starts: the file with the database's URL, the passphrase, the
    installed Ringwall. Where they do not start, the old ones stay.

    Args:
        what: `issuer`.
        path: The blueprint, or the folder that holds it.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    folder, _, _ = running(path)
    output.progress("starting fresh processes of the issuer …")
    data = request(folder.supervisor_socket, "renew-issuer", seconds=_PATIENCE_SECONDS)
    output.clear_progress()
    output.json("restart", {"what": what, "seconds": data["seconds"]})
    output.text(f"fresh processes of the issuer answer after {data['seconds']:.1f} s", Style.GOOD)
