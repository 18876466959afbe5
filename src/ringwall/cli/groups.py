"""`ringwall groups`."""

from functools import partial
from typing import Any, Final, Literal

from ringwall.cli.locate import running
from ringwall.cli.main import EXIT_OK, UsageError
from ringwall.cli.output import Output
from ringwall.identity.issuer.admin_client import ask_about_users

_PAGE: Final = 500


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
    _, _, bindings = running()
    ask = partial(ask_about_users, bindings)
    if do == "list":
        found = _all(ask, "groups", "groups")
        output.json("groups", {"groups": found})
        rows = [[each["name"], str(each["size"]), ", ".join(each["roles"]), each["managed_by"]] for each in found]
        output.table(["group", "members", "gives", "managed by"], rows)
    elif do == "show":
        told = ask("GET", "groups", name, limit=1)
        members = _all(ask, "members", "groups", name)
        _show({**told, "members": members}, output)
    elif do == "delete":
        ask("DELETE", "groups", name)
        output.json("groups", {"do": do, "name": name})
        output.text(f"the group {name} is deleted")
    elif do == "add":
        _show(ask("POST", "groups", body=_given(name=name, roles=role, managed_by=managed_by)), output)
    else:
        asked = _given(
            name=rename, give_roles=role, take_roles=take_role, add=member, remove=take_member, managed_by=managed_by
        )
        _show(ask("PATCH", "groups", name, body=asked), output)
    return EXIT_OK


def _all(ask: Any, what: str, *place: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = ask("GET", *place, limit=_PAGE, after=after)
        found += page[what]
        if (after := page["next"]) is None:
            return found


def _show(group: dict[str, Any], output: Output) -> None:
    group.pop("next", None)
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
