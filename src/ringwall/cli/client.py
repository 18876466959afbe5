"""`ringwall client`."""

from ringwall.cli.desk import Desk
from ringwall.cli.output import Output


def client(name: str, /, *, revoke: bool = False, via: str = "", token_file: str = "", json: bool = False) -> None:
    """Make a secret for a client that has one, and print it once; only its hash is kept. The two newest ones work.

    Args:
        name: A client under `clients` in the blueprint.
        revoke: Make none, and let every secret of this client be refused from now on.
        via: Administer the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    desk = Desk(via, token_file)
    if revoke:
        count = desk.ask("DELETE", "clients", name, "secrets")["ended"]
        output.json("client", {"client": name, "revoked": count})
        output.text(f"{count} secret{'' if count == 1 else 's'} of {name} revoked")
        return
    made = desk.ask("POST", "clients", name, "secrets")
    output.json("client", made)
    output.text(made["secret"])
