"""`ringwall groups`."""

from typing import Any, Literal

from ringwall.cli.desk import Desk
from ringwall.cli.main import EXIT_OK, UsageError
from ringwall.cli.output import Output


def groups(
    do: Literal["list", "show", "add", "change", "delete"] = "list",
    name: str = "",
    /,
    *,
    rename: str | None = None,
    role: list[str] | None = None,
    take_role: list[str] | None = None,
    member: list[str] | None = None,
    take_member: list[str] | None = None,
    managed_by: str | None = None,
    yes: bool = False,
    via: str = "",
    token_file: str = "",
    json: bool = False,
) -> int:
    """Administer groups of the people who sign in at the issuer. Whoever is in a group has the roles that it gives.

    Args:
        do: `list`; `show` one with its members; `add` one; `change` it; `delete` it: its members stay, and lose what it
            gave them.
        name: A group's name.
        rename: A new name, for `change`.
        role: A role of the blueprint that the group gives from now on, for `add` and `change`; may be given several
            times.
        take_role: A role that it gives no more, for `change`; may be given several times.
        member: User name of somebody to put into the group, for `change`; may be given several times.
        take_member: User name of somebody to take out, for `change`; may be given several times.
        managed_by: The client that provisions the group (SCIM) from now on, for `add` and `change`; empty for none.
        yes: Delete without being able to take it back.
        via: Administer the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if bool(name) is (do == "list"):
        raise UsageError(
            f"`ringwall groups {do}` takes no name" if name else f"`ringwall groups {do}` needs a name",
            hint="`ringwall groups --help` explains",
        )
    if do == "delete" and not yes:
        raise UsageError(f"this cannot be taken back: the group {name} would be gone", hint="`--yes` does it")
    desk = Desk(via, token_file)
    if do == "list":
        found = list(desk.all("groups", "groups"))
        output.json("groups", {"groups": found})
        rows = [[each["name"], str(each["size"]), ", ".join(each["roles"]), each["managed_by"]] for each in found]
        if rows:
            output.table(["group", "members", "gives", "managed by"], rows)
        else:
            output.text("there are no groups; `ringwall groups add NAME` makes one")
    elif do == "add":
        _show(desk.ask("POST", "groups", body=_given(name=name, roles=role, managed_by=managed_by)), output)
    elif do == "show":
        group = desk.group(name)
        members = list(desk.all("members", "groups", group, "members"))
        _show({**desk.ask("GET", "groups", group), "members": members}, output)
    elif do == "delete":
        desk.ask("DELETE", "groups", desk.group(name))
        output.json("groups", {"do": do, "name": name})
        output.text(f"the group {name} is deleted")
    else:
        group, profile = desk.group(name), _given(name=rename, managed_by=managed_by)
        users = [[desk.user(each) for each in names or []] for names in (member, take_member)]
        _change(desk, group, profile, roles=(role or [], take_role or []), members=(users[0], users[1]))
        _show(desk.ask("GET", "groups", group), output)
    return EXIT_OK


_GivenAndTaken = tuple[list[str], list[str]]


def _change(desk: Desk, group: str, profile: dict[str, Any], *, roles: _GivenAndTaken, members: _GivenAndTaken) -> None:
    """Change a group: its profile, then its roles and its members, what is given and what is taken."""
    if profile:
        desk.ask("PATCH", "groups", group, body=profile)
    for method, names, users in zip(("PUT", "DELETE"), roles, members, strict=True):
        for name in names:
            desk.ask(method, "groups", group, "roles", name)
        for user in users:
            desk.ask(method, "users", user, "groups", group)


def _show(group: dict[str, Any], output: Output) -> None:
    output.json("group", group)
    for label, value in (
        ("group", group["name"]),
        ("id", group["id"]),
        ("gives", ", ".join(group["roles"])),
        ("managed by", group["managed_by"]),
        ("members", str(group["size"])),
    ):
        if value:
            output.text(f"{label + ':':<12}{value}")
    if group.get("members"):
        rows = [[each["user_name"], each["display_name"]] for each in group["members"]]
        output.table(["user", "name"], rows, title="members")


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
