"""`ringwall revoke`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.revoking import RESTORE, REVOCATIONS, REVOKE
from ringwall.cli.locate import running
from ringwall.cli.main import UsageError
from ringwall.cli.moments import duration
from ringwall.cli.output import Output
from ringwall.observe.askers import asker_of_token
from ringwall.plan.model import Plan

_LONGEST_TOKEN: Final = 64 * 1024


def revoke(
    what: Literal["list", "token", "session", "grant", "user", "client", "workload"],
    value: str = "",
    /,
    *,
    for_: Annotated[str, Parameter(name="--for")] = "",
    lift: bool = False,
    json: bool = False,
) -> None:
    """Refuse a token, a sign-in, an authorization, a user, a client or a service everywhere, from now on.

    Every proxy refuses within a quarter of a second. A token, a session or a grant stays revoked for as long as
    anything of it could be valid; a user, a client or a service until that is lifted.

    Args:
        what: What to revoke; `list` prints everything that is revoked.
        value: `jti` of a token, or a file that holds it (`-` reads it from standard input); `sid` of a session;
            `grant_id`; the name of a user, client or service. Users, clients and tokens of another issuer are named
            `ISSUER|NAME`.
        for_: For how long, such as `15m`, `8h` or `7d`.
        lift: Believe it again.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    if what == "list":
        if value or for_ or lift:
            raise UsageError("`ringwall revoke list` takes nothing else")
        _, _, bindings = running()
        found = request(bindings.admin, REVOCATIONS)["revoked"]
        output.json("revoke", {"do": "list", "revoked": found})
        _print(output, found)
        return
    if not value:
        raise UsageError(f"`ringwall revoke {what}` needs to be told which", hint=f"ringwall revoke {what} NAME")
    if lift and for_:
        raise UsageError("--lift and --for exclude each other")
    seconds = duration(for_) if for_ else 0.0
    _, plan, bindings = running()
    named = _token(plan, value) if what == "token" else value
    if lift:
        found = request(bindings.admin, RESTORE, kind=what, value=named)["lifted"]
        output.json("revoke", {"do": "lift", "lifted": found})
        output.text(f"{what} {named} is believed again")
    else:
        found = request(bindings.admin, REVOKE, kind=what, value=named, lasts=seconds)["revoked"]
        output.json("revoke", {"do": "revoke", "revoked": found})
        output.text(f"{what} {named} is revoked {_until(found[0]['until'])}")


def _token(plan: Plan, value: str) -> str:
    """Return the name of a token: as it was given, or its `jti` where it was given itself, in a file."""
    file = Path(value)
    if value != "-" and not file.is_file():
        if value.count(".") == 2:  # noqa: PLR2004  # the dots of a JWT
            raise UsageError(
                "a token itself is not for the command line, where others can see it",
                hint="give its `jti`, a file that holds it, or `-` and the token on standard input",
            )
        return value
    try:
        with sys.stdin.buffer if value == "-" else file.open("rb") as stream:
            text = stream.read(_LONGEST_TOKEN).decode("ascii", "replace")
    except OSError as error:
        raise UsageError(f"{value} cannot be read: {error.strerror}") from error
    claims = asker_of_token(plan, text, at=0.0).claims or {}
    identifier = claims.get("jti")
    issuer = next((issuer for issuer in plan.issuers if issuer.url == claims.get("iss")), None)
    if issuer is None or not isinstance(identifier, str):
        raise UsageError(
            "the token is not of an issuer of this system, or has no `jti`", hint="revoke its user instead"
        )
    return identifier if issuer.builtin else f"{issuer.name}|{identifier}"


def _print(output: Output, found: list[dict[str, Any]]) -> None:
    if not found:
        output.text("nothing is revoked")
        return
    output.table(["what", "name", "until"], [[each["kind"], each["name"], _until(each["until"])] for each in found])


def _until(seconds: float | None) -> str:
    if seconds is None:
        return "until that is lifted"
    return "until " + datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
