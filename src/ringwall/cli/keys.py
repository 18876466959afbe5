"""`ringwall keys`."""

from ringwall.cli.desk import Desk
from ringwall.cli.output import Output
from ringwall.cli.session_tables import moment

_TIMES = ("published", "activated", "signed_until")


def keys(*, via: str = "", token_file: str = "", json: bool = False) -> None:
    """Show the keys that sign tokens: which one signs, which is next, and until when others are believed.

    `ringwall rotate keys` replaces them.

    Args:
        via: Ask the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    told = Desk(via, token_file).ask("GET", "keys")
    output.json("keys", told)
    rows = [
        [each["kid"], each["algorithm"], each["state"], *(moment(each[name]) for name in _TIMES)]
        for each in told["keys"]
    ]
    output.table(["key", "algorithm", "state", "published", "signs since", "signed until"], rows)
    output.text(f"the next key takes over at {moment(told['next_change'])}")
