"""`ringwall clients`."""

from typing import Any, Literal

from ringwall.cli.desk import Desk, NobodyError, suggestion
from ringwall.cli.main import UsageError
from ringwall.cli.output import Output
from ringwall.cli.session_tables import GRANT_COLUMNS, grant_row, moment


def clients(
    do: Literal["list", "show", "sign-out", "delete"] = "list",
    name: str = "",
    /,
    *,
    yes: bool = False,
    via: str = "",
    token_file: str = "",
    json: bool = False,
) -> None:
    """Show the clients of the issuer, and what they may do for people. `ringwall client NAME` makes a secret.

    Args:
        do: `list` those of the blueprint and those that have registered themselves; `show` one, with the age of its
            secrets; `sign-out` ends what it may do for everybody; `delete` one that has registered itself.
        name: A client.
        yes: Delete without being able to take it back.
        via: Administer the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if bool(name) is (do == "list"):
        raise UsageError(f"`ringwall clients {do}` {'takes no' if name else 'needs a'} name")
    if do == "delete" and not yes:
        raise UsageError(f"this cannot be taken back: the client {name} would be gone", hint="`--yes` does it")
    desk = Desk(via, token_file)
    found = list(desk.all("clients", "clients"))
    if do == "list":
        output.json("clients", {"clients": found})
        rows = [
            [each["name"], each["kind"], "registered" if each["registered"] else "blueprint", ", ".join(each["roles"])]
            for each in found
        ]
        output.table(["client", "kind", "of", "roles"], rows)
        return
    client = next((each for each in found if each["name"] == name), None)
    if client is None:
        known = [each["name"] for each in found]
        hint = suggestion(name, known) or f"there are {', '.join(known[:20]) or 'none'}"
        raise NobodyError(f"there is no client {name[:80]!r}", hint=hint)
    if do == "show":
        _show(desk, client, output)
    elif do == "sign-out":
        ended = desk.ask("DELETE", "clients", name, "grants")["grants"]
        output.json("clients", {"do": do, "name": name, "grants": ended})
        output.text(f"{name} may do nothing for anybody any more until people sign in again; ended: {ended} grants")
    else:
        desk.ask("DELETE", "clients", name)
        output.json("clients", {"do": do, "name": name})
        output.text(f"{name} is deleted")


def _show(desk: Desk, client: dict[str, Any], output: Output) -> None:
    name = client["name"]
    secrets = [] if client["registered"] else desk.ask("GET", "clients", name, "secrets")["secrets"]
    grants = list(desk.all("grants", "grants", client=name))
    output.json("client", {**client, "secrets": secrets, "grants": grants})
    for label, value in (
        ("client", name),
        ("title", client["title"]),
        ("kind", client["kind"]),
        ("roles", ", ".join(client["roles"])),
        ("scopes", " ".join(client["scopes"])),
        ("redirects", " ".join(client["redirect_uris"])),
        ("secrets of", ", ".join(moment(each["created"]) for each in secrets)),
    ):
        if value:
            output.text(f"{label + ':':<12}{value}")
    if grants:
        output.table(GRANT_COLUMNS, map(grant_row, grants), title="grants")
