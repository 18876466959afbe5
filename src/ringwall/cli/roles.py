"""`ringwall roles`."""

from typing import Literal

from ringwall.cli.desk import Desk, NobodyError, suggestion
from ringwall.cli.main import UsageError
from ringwall.cli.output import Output


def roles(
    do: Literal["list", "show"] = "list",
    name: str = "",
    /,
    *,
    via: str = "",
    token_file: str = "",
    json: bool = False,
) -> None:
    """Show the roles of the plan, and who holds one. `ringwall users change NAME --role ROLE` gives one.

    Args:
        do: `list`; `show` who holds one, of themselves or through a group.
        name: A role.
        via: Ask the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if bool(name) is (do == "list"):
        raise UsageError("`ringwall roles show` needs a role, and `list` takes none")
    desk = Desk(via, token_file)
    found = desk.ask("GET", "roles")["roles"]
    if do == "list":
        output.json("roles", {"roles": found})
        output.table(["role", "includes"], [[each["name"], ", ".join(each["includes"])] for each in found])
        return
    known = [each["name"] for each in found]
    if name not in known:
        hint = suggestion(name, known) or f"there are {', '.join(known) or 'none'}"
        raise NobodyError(f"there is no role {name[:80]!r} in the plan", hint=hint)
    holders = list(desk.all("users", "roles", name, "holders"))
    output.json("role", {"name": name, "holders": holders})
    rows = [
        [each["user_name"], each["display_name"], "" if name in each["roles"] else "through a group"]
        for each in holders
    ]
    output.table(["user", "name", ""], rows)
