"""`ringwall users`."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from ringwall.cli.keycloak_export import import_realm
from ringwall.cli.locate import running
from ringwall.cli.main import EXIT_OK, UsageError
from ringwall.cli.output import Output
from ringwall.identity.issuer.admin_client import ask_about_users

Ask = Callable[..., dict[str, Any]]

_PAGE: Final = 500
_UNNAMED: Final = frozenset({"list", "invitations"})


def users(
    do: Literal[
        "list",
        "show",
        "invite",
        "invitations",
        "withdraw",
        "change",
        "disable",
        "enable",
        "sign-out",
        "delete",
        "events",
        "import",
    ] = "list",
    name: str = "",
    /,
    *,
    display_name: str | None = None,
    email: str | None = None,
    rename: str | None = None,
    role: list[str] | None = None,
    take_role: list[str] | None = None,
    group: list[str] | None = None,
    take_group: list[str] | None = None,
    managed_by: str | None = None,
    anew: bool = False,
    hours: int | None = None,
    reason: str = "",
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Administer the people who sign in at the issuer. There is no default password: the first one is invited, too.

    Args:
        do: `list`; `show` one; `invite` somebody, which prints a link that works once; `invitations` lists those that
            wait, `withdraw` ends one by its id; `change` what an account says; `disable` it, which ends its sessions,
            and `enable` it again; `sign-out` ends its sessions everywhere; `delete` it; `events` of it; `import` the
            users of a Keycloak realm export, who keep their passwords.
        name: A user name; for `withdraw` the id of an invitation, for `import` a file.
        display_name: Name for people to read, for `invite` and `change`.
        email: E-mail address, for `invite` and `change`.
        rename: A new user name, for `change`.
        role: A role of the blueprint to give, for `invite` and `change`; may be given several times.
        take_role: A role to take away, for `change`; may be given several times.
        group: A group to put the person into, for `invite` and `change`; may be given several times.
        take_group: A group to take the person out of, for `change`; may be given several times.
        managed_by: The client that provisions the account from now on, for `change`; empty for none.
        anew: Invite a person who has an account to set new credentials; all former ones end when the link is used.
        hours: How long an invitation can be used. Three days where it is not given.
        reason: Why an account is disabled, for its events.
        yes: Delete without being able to take it back.
        dry_run: Import nothing, and only say what would be.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if bool(name) is (do in _UNNAMED):
        raise UsageError(
            f"`ringwall users {do}` takes no name" if name else f"`ringwall users {do}` needs a name",
            hint="`ringwall users --help` explains",
        )
    if do == "delete" and not yes:
        raise UsageError(f"this cannot be taken back: {name} would be gone", hint="`--yes` does it; `disable` can be")
    _, _, bindings = running()
    ask: Ask = partial(ask_about_users, bindings)
    if do == "list":
        _list(ask, output)
    elif do == "show":
        _show(ask("GET", "users", name), output)
    elif do == "invite":
        profile = {"display_name": display_name, "email": email, "roles": role, "groups": group}
        _invite(ask, output, name, anew=anew, asked=_given(**profile), lasting=_given(hours=hours))
    elif do == "invitations":
        _invitations(ask("GET", "invitations"), output)
    elif do == "change":
        asked = _given(
            user_name=rename,
            display_name=display_name,
            email=email,
            give_roles=role,
            take_roles=take_role,
            give_groups=group,
            take_groups=take_group,
            managed_by=managed_by,
        )
        _show(ask("PATCH", "users", name, body=asked), output)
    elif do == "events":
        _events(ask("GET", "users", name, "events"), output)
    elif do == "import":
        return import_realm(ask, output, Path(name), dry_run=dry_run)
    else:
        _act(ask, output, do, name, reason)
    return EXIT_OK


def _list(ask: Ask, output: Output) -> None:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = ask("GET", "users", limit=_PAGE, after=after)
        found += page["users"]
        if (after := page["next"]) is None:
            break
    output.json("users", {"users": found})
    if not found:
        output.text("nobody has an account; `ringwall users invite NAME` invites the first one")
        return
    rows = [
        [
            user["user_name"],
            user["display_name"],
            ", ".join(user["effective_roles"]),
            "disabled" if user["disabled"] else "",
        ]
        for user in found
    ]
    output.table(["user", "name", "roles", "state"], rows)


def _show(user: dict[str, Any], output: Output) -> None:
    output.json("user", user)
    for label, value in (
        ("user", user["user_name"]),
        ("id", user["id"]),
        ("name", user["display_name"]),
        ("e-mail", user["email"]),
        ("roles", ", ".join(user["roles"])),
        ("groups", ", ".join(user["groups"])),
        ("through them", ", ".join(role for role in user["effective_roles"] if role not in user["roles"])),
        ("managed by", user["managed_by"]),
        ("attributes", ", ".join(f"{name}={value}" for name, value in user["attributes"].items())),
        ("created", _time(user["created"])),
        ("disabled", _time(user["disabled"])),
    ):
        if value:
            output.text(f"{label + ':':<14}{value}")
    if "passkeys" not in user:
        return
    ways = [f"passkey {each['name']!r}, last used {_time(each['used']) or 'never'}" for each in user["passkeys"]]
    if user["password_changed"]:
        ways.insert(0, f"password of {_time(user['password_changed'])}")
    if user["totp"]:
        ways.append(f"authenticator app, {user['recovery_codes']} recovery codes left")
    output.text(f"signs in by: {'; '.join(ways) or 'nothing yet'}")
    rows = [[_time(each["created"]), _time(each["seen"]), _time(each["expires"])] for each in user["sessions"]]
    if rows:
        output.table(["since", "last seen", "until"], rows, title="sessions")
    if user["clients"]:
        output.table(
            ["client", "since"], [[each["client"], _time(each["created"])] for each in user["clients"]], title="clients"
        )


def _invite(ask: Ask, output: Output, name: str, *, anew: bool, asked: dict[str, Any], lasting: dict[str, Any]) -> None:
    if anew:
        if asked:
            raise UsageError("an invitation to begin anew changes no profile", hint="`ringwall users change` does")
        made = ask("POST", "users", name, "invite", body=lasting)
    else:
        made = ask("POST", "users", body={"user_name": name, **asked, **lasting})
    output.json("invitation", made)
    output.text(made["link"])
    output.note(f"Works once, until {_time(made['expires'])}. Give it to {name} and nobody else.")


def _invitations(told: dict[str, Any], output: Output) -> None:
    output.json("invitations", told)
    rows = [
        [
            each["id"],
            each["user_name"],
            "begin anew" if each["anew"] else ", ".join(each["roles"]),
            _time(each["expires"]),
        ]
        for each in told["invitations"]
    ]
    output.table(["id", "user", "as", "until"], rows)


def _events(told: dict[str, Any], output: Output) -> None:
    output.json("events", told)
    rows = [
        [_time(each["time"]), each["act"], each["by"], " ".join(f"{k}={v}" for k, v in each["detail"].items())]
        for each in told["events"]
    ]
    output.table(["time", "act", "by", "detail"], rows)


def _act(ask: Ask, output: Output, do: str, name: str, reason: str) -> None:
    method, place, body, said = {
        "withdraw": ("DELETE", ("invitations", name), None, "the invitation is worth nothing any more"),
        "disable": ("POST", ("users", name, "disable"), {"reason": reason}, f"{name} is disabled"),
        "enable": ("POST", ("users", name, "enable"), {}, f"{name} can sign in again"),
        "sign-out": ("DELETE", ("users", name, "sessions"), None, f"{name} is signed out"),
        "delete": ("DELETE", ("users", name), None, f"{name} is deleted"),
    }[do]
    told = ask(method, *place, body=body)
    output.json("users", {"do": do, "name": name, **told})
    counts = f"; ended: {told['sessions']} sessions, {told['clients']} clients" if "sessions" in told else ""
    output.text(said + counts)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
