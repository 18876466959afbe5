"""`ringwall users import`: sends the users of a Keycloak realm export to the issuer, one by one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ringwall.cli.main import EXIT_FAILED, EXIT_OK
from ringwall.cli.output import Cell, Output, Style
from ringwall.identity.issuer.admin_client import IssuerRequestError
from ringwall.identity.people.keycloak import ExportedUser, ExportError, read_export

_LARGEST: Final = 512 * 1024 * 1024


def import_realm(ask: Callable[..., dict[str, Any]], output: Output, file: Path, *, dry_run: bool) -> int:
    """Import every user that can be, say of each what became of it, and return the exit code: 1 where one was refused.

    Args:
        ask: asks the issuer's administration.
        output: where to say it.
        file: the export.
        dry_run: whether nothing is to be kept.
    """
    outcomes = [_import(ask, user, dry_run=dry_run) for user in read_export(_read(file))]
    refused = [outcome for outcome in outcomes if not outcome["imported"]]
    output.json("users-import", {"dry_run": dry_run, "users": outcomes})
    rows = [
        [
            outcome["user_name"],
            Cell("would be imported" if dry_run else "imported", Style.GOOD)
            if outcome["imported"]
            else Cell("refused", Style.BAD),
            "; ".join(outcome["remarks"]),
        ]
        for outcome in outcomes
        if outcome["remarks"] or len(outcomes) <= 100  # noqa: PLR2004  # what is well need not be read
    ]
    output.table(["user", "outcome", "remarks"], rows)
    output.text(f"{len(outcomes) - len(refused)} of {len(outcomes)} {'would be ' if dry_run else ''}imported")
    return EXIT_FAILED if refused else EXIT_OK


def _import(ask: Callable[..., dict[str, Any]], user: ExportedUser, *, dry_run: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "user_name": user.user_name,
        "display_name": user.display_name,
        "email": user.email,
        "roles": list(user.roles),
        "groups": list(user.groups),
        "attributes": dict(user.attributes),
        "disabled": user.disabled,
        "dry_run": dry_run,
    }
    if user.password is not None:
        body["password"] = user.password
    if user.totp is not None:
        body["totp"] = user.totp
    remarks = [f"without {what}" for what in user.left_out]
    if user.password is None:
        remarks.append("no password: needs `ringwall users invite NAME --anew`")
    try:
        told = ask("POST", "users", body=body)
    except IssuerRequestError as error:
        return {"user_name": user.user_name, "imported": False, "remarks": [error.message]}
    remarks += [f"without the role {role}" for role in told["unknown_roles"]]
    return {"user_name": user.user_name, "imported": True, "remarks": remarks}


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ExportError(f"cannot read {file}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise ExportError(f"{file} is larger than {_LARGEST} bytes", hint="export the users in several files")
    return data
