"""Asks the administration of the issuer: here over its socket as the operator, or elsewhere over HTTPS with a token."""

import difflib
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from ringwall.cli.locate import running
from ringwall.cli.main import UsageError
from ringwall.identity.issuer.admin_client import AdminConnection, IssuerRequestError
from ringwall.model.errors import RingwallError

_TIMEOUT: Final = 30.0
_MAX_ANSWER: Final = 8 * 1024 * 1024
_MAX_TOKEN: Final = 16 * 1024
_PAGE: Final = 500
_MOST_NAMES: Final = 5000
"""So many names are looked through for one that may have been meant."""


class NobodyError(RingwallError):
    """There is no account, group or the like of a name."""

    code = "not-found"
    exit_code = 1


class Desk:
    """Where somebody administers: `via` is the edge's origin, `token_file` holds an access token; both or neither."""

    def __init__(self, via: str = "", token_file: str = "") -> None:
        if bool(via) is not bool(token_file):
            raise UsageError("--via and --token-file go together", hint="without both, the system here is administered")
        self._headers: dict[str, str] = {}
        self._prefix = ""
        if not via:
            _, _, bindings = running()
            self._bindings = bindings
            self._host = ""
            return
        parts = urlsplit(via)
        if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise UsageError(f"{via} is not https://HOST[:PORT]", hint="a token is shown to nobody without TLS")
        self._host = parts.netloc
        self._prefix = "/auth"
        self._headers["authorization"] = f"Bearer {_token(Path(token_file))}"

    def ask(self, method: str, *place: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Return what the administration answers; raises IssuerRequestError with what it refuses, and why.

        Args:
            method: HTTP method.
            place: segments of the path below `/admin`, as they are.
            body: JSON object to send.
            query: parameters; those that are None are left out.
        """
        path = f"{self._prefix}/admin/" + "/".join(quote(segment, safe="") for segment in place)
        if given := {name: str(value) for name, value in query.items() if value is not None}:
            path += f"?{urlencode(given)}"
        content = None if body is None else json.dumps(body)
        headers = self._headers | ({"content-type": "application/json"} if content is not None else {})
        connection = self._connect()
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            value = json.loads(response.read(_MAX_ANSWER))
        except ssl.SSLError as error:
            raise IssuerRequestError(
                f"{self._host} is not believed: {error}", hint="SSL_CERT_FILE names the authorities to believe"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            where = self._host or "the issuer"
            raise IssuerRequestError(f"{where} does not answer", hint="is the system running? `ringwall up`") from error
        finally:
            connection.close()
        if response.status != http.client.OK or not isinstance(value, dict):
            told = value if isinstance(value, dict) else {}
            said = told.get("detail") or told.get("title") or response.status
            raise IssuerRequestError(f"the issuer refuses: {said}", hint=str(told.get("hint", "")))
        return value

    def all(self, what: str, *place: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a list that comes in pages."""
        after: str | None = None
        while True:
            page = self.ask("GET", *place, limit=_PAGE, after=after, **query)
            yield from page[what]
            if (after := page.get("next")) is None:
                return

    def user(self, name: str) -> str:
        """Return the id of the account of a user name; NobodyError with the name that may have been meant."""
        return self._named("account", "users", "user_name", name, "`ringwall users` lists them")

    def group(self, name: str) -> str:
        """Return the id of a group by its name; NobodyError with the name that may have been meant."""
        return self._named("group", "groups", "name", name, "`ringwall groups` lists them")

    def _named(self, what: str, where: str, member: str, name: str, hint: str) -> str:
        asked: dict[str, Any] = {member: name}
        found = self.ask("GET", where, **asked)[where]
        if found:
            return str(found[0]["id"])
        names = [str(each[member]) for each, _ in zip(self.all(where, where), range(_MOST_NAMES), strict=False)]
        raise NobodyError(f"there is no {what} {name[:80]!r}", hint=suggestion(name, names) or hint)

    def _connect(self) -> http.client.HTTPConnection:
        if not self._host:
            return AdminConnection(self._bindings, timeout=_TIMEOUT)
        return http.client.HTTPSConnection(self._host, timeout=_TIMEOUT, context=ssl.create_default_context())


def suggestion(name: str, names: list[str]) -> str:
    """Return the hint that names what may have been meant; empty where nothing comes near."""
    folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"did you mean {folded[close[0]]!r}?" if close else ""


def _token(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            text = stream.read(_MAX_TOKEN).decode("ascii", "replace").strip()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if not text or not all("!" <= char <= "~" for char in text):
        raise UsageError(f"{file} holds no token", hint="`ringwall token --as NAME` prints one in development mode")
    return text
