"""Asks a running issuer over its administration socket; for the command line."""

import http.client
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ringwall.model.errors import RingwallError
from ringwall.model.revocation import Revoked
from ringwall.model.secret import Secret
from ringwall.plan.bindings import Bindings

_TIMEOUT: Final = 10.0
_MAX_ANSWER: Final = 1_048_576


class IssuerRequestError(RingwallError):
    """The issuer does not run, or refuses."""

    code = "issuer-request"


def development_token(
    bindings: Bindings, person: str, *, scopes: Sequence[str] = (), seconds: int | None = None
) -> Secret:
    """Return an access token for a development user."""
    asked: dict[str, Any] = {"person": person, "scopes": list(scopes)}
    if seconds is not None:
        asked["lifetime"] = seconds
    return Secret(str(_ask(bindings, "POST", "/dev/token", asked)["access_token"]))


def registration_token(bindings: Bindings, *, seconds: int, reusable: bool) -> Secret:
    """Return an initial access token, by which a client can register (RFC 7591, section 3)."""
    asked = {"lifetime": seconds, "reusable": reusable}
    return Secret(str(_ask(bindings, "POST", "/registration-tokens", asked)["initial_access_token"]))


def lift_revocation(bindings: Bindings, kind: Revoked, value: str) -> None:
    """Let the issuer forget that something is revoked, so that it does not tell so again."""
    _ask(bindings, "POST", "/revocations/lift", {"kind": kind.value, "value": value})


def rotate_keys(bindings: Bindings, *, compromised: bool = False) -> dict[str, Any]:
    """Rotate the signing key; return `{"keys": [...], "next_change": seconds since the epoch}`."""
    return _ask(bindings, "POST", "/admin/keys/replace" if compromised else "/admin/keys/rotate", None)


def rotate_saml_keys(bindings: Bindings, *, compromised: bool = False) -> dict[str, Any]:
    """Take the next step with the keys towards SAML providers; return `{"keys": {"active": fingerprint, …}, …}`."""
    return _ask(bindings, "POST", "/saml-keys/rotate", {"compromised": compromised})


def list_keys(bindings: Bindings) -> dict[str, Any]:
    """Return `{"keys": [{"kid", "state", "published", "activated", "signed_until"}], "next_change"}`."""
    return _ask(bindings, "GET", "/admin/keys", None)


def look_for_account(
    bindings: Bindings, upstream: str, *, issuer: str, subject: str, claims: Mapping[str, Any]
) -> dict[str, Any]:
    """Return whose account somebody of a provider would get: `how`, and `user_name` with `stays`, or `refused`.

    Args:
        bindings: of the running system.
        upstream: the provider's name in the plan in force.
        issuer: who it is.
        subject: who they are there.
        claims: those by which an account could be found.
    """
    asked = {"issuer": issuer, "subject": subject, "claims": dict(claims)}
    return _ask(bindings, "POST", f"/upstreams/{quote(upstream, safe='')}/look", asked)


def link_account(
    bindings: Bindings, upstream: str, *, user_name: str, subject: str, issuer: str | None
) -> dict[str, Any]:
    """Link somebody of a provider to an account; `issuer` where the provider has several."""
    asked = {"user_name": user_name, "subject": subject} | ({"issuer": issuer} if issuer else {})
    return _ask(bindings, "POST", f"/upstreams/{quote(upstream, safe='')}/links", asked)


def unlink_account(bindings: Bindings, upstream: str, *, user_name: str) -> dict[str, Any]:
    """Part an account from everybody of a provider; return `{"unlinked": how many}`."""
    return _ask(bindings, "POST", f"/upstreams/{quote(upstream, safe='')}/unlink", {"user_name": user_name})


class AdminConnection(http.client.HTTPConnection):
    """A connection to the administration of whichever process of the issuer takes it; all of them are one issuer."""

    def __init__(self, bindings: Bindings, *, timeout: float = _TIMEOUT) -> None:
        super().__init__("localhost", timeout=timeout)
        self._paths = [bindings.issuer_admin(process) for process in bindings.issuers]

    def connect(self) -> None:
        """Connect; one that is away is passed over, and nothing has been sent by then."""
        away: OSError = ConnectionRefusedError("there is no issuer")
        for path in self._paths:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self.timeout)
            try:
                connection.connect(os.fspath(path))
            except OSError as error:
                connection.close()
                away = error
            else:
                self.sock = connection
                return
        raise away


def _ask(bindings: Bindings, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    connection = AdminConnection(bindings)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        value = json.loads(response.read(_MAX_ANSWER))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise IssuerRequestError("the issuer does not answer", hint="is the system running? `ringwall up`") from error
    finally:
        connection.close()
    if response.status != http.client.OK or not isinstance(value, dict):
        told = value if isinstance(value, dict) else {}
        raise IssuerRequestError(
            f"the issuer refuses: {told.get('error_description') or told.get('detail') or response.status}",
            hint=str(told.get("hint", "")),
        )
    return value
