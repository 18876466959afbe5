"""`ringwall users`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ringwall.cli.desk import Desk, NobodyError, suggestion
from ringwall.cli.keycloak_export import import_realm
from ringwall.cli.main import EXIT_OK, UsageError
from ringwall.cli.output import Output
from ringwall.cli.session_tables import GRANT_COLUMNS, SESSION_COLUMNS, grant_row, moment, session_row

_EVENTS: Final = 50
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
    via: str = "",
    token_file: str = "",
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
        via: Administer the system behind this edge, https://HOST[:PORT], in place of the one here.
        token_file: File with the access token to show there.
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
    desk = Desk(via, token_file)
    if do == "list":
        _list(desk, output)
    elif do == "show":
        _show(desk.ask("GET", "users", desk.user(name)), output)
    elif do == "invite":
        profile = {"display_name": display_name, "email": email, "roles": role, "groups": group}
        _invite(desk, output, name, anew=anew, asked=_given(**profile), lasting=_given(hours=hours))
    elif do == "invitations":
        _invitations(desk.ask("GET", "invitations"), output)
    elif do == "change":
        profile = {"user_name": rename, "display_name": display_name, "email": email, "managed_by": managed_by}
        change = Change(
            profile=_given(**profile), give=role or [], take=take_role or [], join=group or [], leave=take_group or []
        )
        _show(change.carry_out(desk, desk.user(name)), output)
    elif do == "events":
        _events(desk.ask("GET", "events", subject=desk.user(name), limit=_EVENTS), output)
    elif do == "import":
        return import_realm(desk.ask, output, Path(name), dry_run=dry_run)
    else:
        _act(desk, output, do, name, reason)
    return EXIT_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become of an account; names of roles and groups are looked at before anything is done."""

    profile: dict[str, Any]
    give: list[str]
    take: list[str]
    join: list[str]
    leave: list[str]

    def carry_out(self, desk: Desk, user: str) -> dict[str, Any]:
        """Change the account, and return it."""
        known = [each["name"] for each in desk.ask("GET", "roles")["roles"]] if self.give else []
        for role in self.give:
            if role not in known:
                there = ", ".join(known) or "none"
                hint = suggestion(role, known)
                raise NobodyError(f"there is no role {role[:80]!r} in the plan; its roles: {there}", hint=hint)
        joined, left = [[desk.group(name) for name in names] for names in (self.join, self.leave)]
        if self.profile:
            desk.ask("PATCH", "users", user, body=self.profile)
        for method, what, names in (
            ("PUT", "roles", self.give),
            ("DELETE", "roles", self.take),
            ("PUT", "groups", joined),
            ("DELETE", "groups", left),
        ):
            for name in names:
                desk.ask(method, "users", user, what, name)
        return desk.ask("GET", "users", user)


def _list(desk: Desk, output: Output) -> None:
    found = list(desk.all("users", "users"))
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
        ("created", moment(user["created"])),
        ("disabled", moment(user["disabled"])),
    ):
        if value:
            output.text(f"{label + ':':<14}{value}")
    if "passkeys" not in user:
        return
    ways = [f"passkey {each['name']!r}, last used {moment(each['used']) or 'never'}" for each in user["passkeys"]]
    if user["password_changed"]:
        ways.insert(0, f"password of {moment(user['password_changed'])}")
    if user["totp"]:
        ways.append(f"authenticator app, {user['recovery_codes']} recovery codes left")
    output.text(f"signs in by: {'; '.join(ways) or 'nothing yet'}")
    if user["sessions"]:
        output.table(SESSION_COLUMNS, map(session_row, user["sessions"]), title="sessions")
    if user["grants"]:
        output.table(GRANT_COLUMNS, map(grant_row, user["grants"]), title="clients")


def _invite(
    desk: Desk, output: Output, name: str, *, anew: bool, asked: dict[str, Any], lasting: dict[str, Any]
) -> None:
    if anew:
        if asked:
            raise UsageError("an invitation to begin anew changes no profile", hint="`ringwall users change` does")
        made = desk.ask("POST", "users", desk.user(name), "invitation", body=lasting)
    else:
        made = desk.ask("POST", "invitations", body={"user_name": name, **asked, **lasting})
    output.json("invitation", made)
    output.text(made["link"])
    output.note(f"Works once, until {moment(made['expires'])}. Give it to {name} and nobody else.")


def _invitations(told: dict[str, Any], output: Output) -> None:
    output.json("invitations", told)
    rows = [
        [
            each["id"],
            each["user_name"],
            "begin anew" if each["anew"] else ", ".join(each["roles"]),
            moment(each["expires"]),
        ]
        for each in told["invitations"]
    ]
    output.table(["id", "user", "as", "until"], rows)


def _events(told: dict[str, Any], output: Output) -> None:
    output.json("events", told)
    rows = [
        [moment(each["time"]), each["act"], each["by"], " ".join(f"{k}={v}" for k, v in each["detail"].items())]
        for each in told["events"]
    ]
    output.table(["time", "act", "by", "detail"], rows)


def _act(desk: Desk, output: Output, do: str, name: str, reason: str) -> None:
    place = ("invitations", name) if do == "withdraw" else ("users", desk.user(name))
    method, more, body, said = {
        "withdraw": ("DELETE", (), None, "the invitation is worth nothing any more"),
        "disable": ("POST", ("disable",), {"reason": reason}, f"{name} is disabled"),
        "enable": ("POST", ("enable",), {}, f"{name} can sign in again"),
        "sign-out": ("DELETE", ("sessions",), None, f"{name} is signed out"),
        "delete": ("DELETE", (), None, f"{name} is deleted"),
    }[do]
    told = desk.ask(method, *place, *more, body=body)
    output.json("users", {"do": do, "name": name, **told})
    counts = f"; ended: {told['sessions']} sessions, {told['grants']} clients" if "sessions" in told else ""
    output.text(said + counts)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
