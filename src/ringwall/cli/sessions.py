"""`ringwall sessions`."""

from typing import Literal

from ringwall.cli.desk import Desk
from ringwall.cli.main import UsageError
from ringwall.cli.output import Output
from ringwall.cli.session_tables import GRANT_COLUMNS, SESSION_COLUMNS, grant_row, session_row
from ringwall.identity.issuer.admin_client import IssuerRequestError


def sessions(
    do: Literal["list", "show", "end", "grants", "end-grant"] = "list",
    identifier: str = "",
    /,
    *,
    user: str = "",
    client: str = "",
    via: str = "",
    token_file: str = "",
    json: bool = False,
) -> None:
    """Show where people are signed in, and what clients may do for them; end one of these.

    `ringwall users sign-out NAME` ends all of one person, `ringwall clients sign-out NAME` all of one client.

    Args:
        do: `list` sessions; `show` or `end` one by its id, with all that came of it; `grants` lists what clients may do
            for a `--user`, or what a `--client` may; `end-grant` ends one of these by its id.
        identifier: The id of a session or grant.
        user: Only those of this user.
        client: Only those of this client, for `grants`.
        via: Administer the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if bool(identifier) is (do in {"list", "grants"}):
        raise UsageError(f"`ringwall sessions {do}` {'takes no' if identifier else 'needs an'} id")
    if do == "grants" and bool(user) is bool(client):
        raise UsageError("`ringwall sessions grants` needs either --user or --client")
    desk = Desk(via, token_file)
    if do == "list":
        of_one = {"user": desk.user(user)} if user else {}
        found = list(desk.all("sessions", "sessions", **of_one))
        output.json("sessions", {"sessions": found})
        names = {each["user"] for each in found}
        shown = {name: _name(desk, name) for name in names}
        rows = [[shown[each["user"]], *session_row(each)] for each in found]
        if rows:
            output.table(["user", *SESSION_COLUMNS], rows)
        else:
            output.text("nobody is signed in")
    elif do == "show":
        one = desk.ask("GET", "sessions", identifier)
        output.json("session", one)
        output.table(["user", *SESSION_COLUMNS], [[_name(desk, one["user"]), *session_row(one)]])
    elif do == "grants":
        by = {"user": desk.user(user)} if user else {"client": client}
        grants = list(desk.all("grants", "grants", **by))
        output.json("grants", {"grants": grants})
        output.table(GRANT_COLUMNS, map(grant_row, grants))
    else:
        told = desk.ask("DELETE", "sessions" if do == "end" else "grants", identifier)
        output.json("sessions", {"do": do, "id": identifier, **told})
        output.text(f"ended: {told['sessions']} sessions, {told['grants']} grants")


def _name(desk: Desk, user: str) -> str:
    """Return the user name of an account; development users have their name for an id, and no account."""
    try:
        return str(desk.ask("GET", "users", user)["user_name"])
    except IssuerRequestError:
        return user
