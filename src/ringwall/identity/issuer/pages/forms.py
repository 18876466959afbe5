"""Forms that only a page of ours can send: cross-site requests are refused in two ways.

By origin: a browser says in `Origin`, or in `Sec-Fetch-Site`, where a form comes from. By token: each form has one that
is made from a cookie of this browser, from what the form is for, and from a key that only the issuer has.
"""

import hashlib
import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.host_cookies import BROWSER, SESSION, read_cookie, write_cookie
from ringwall.identity.issuer.kept_key import kept_key
from ringwall.identity.issuer.request import Parameters, RequestRefusedError
from ringwall.identity.keystore import KeyStore
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.model.secret import Secret

FIELD: Final = "form_token"
_ENTRY: Final = "forms"


class FormRefusedError(RequestRefusedError):
    """A form was not sent from a page that this browser was shown for it."""

    code = "form-refused"


class FormTokens:
    """Makes and checks the tokens. The key lies with the signing keys, so that every process has the same."""

    def __init__(self, *, store: KeyStore, directory: LiveDirectory) -> None:
        self._store = store
        self._directory = directory
        self._key: Secret | None = None

    def issue(self, request: Request, purpose: str) -> tuple[str, Secret | None]:
        """Return a token for a form of this browser, and the cookie that it needs to be given if it has none.

        A form that is shown to somebody who is signed in is bound to that session; it is void once that has ended.
        """
        held = held_by(request)
        fresh = None if held else Secret(secrets.token_urlsafe(32))
        return self._token(held or fresh, purpose), fresh  # type: ignore[arg-type]  # one of them is there

    def issue_for(self, handle: Secret, purpose: str) -> str:
        """Return a token for a form that is shown to a session which is just being made."""
        return self._token(handle, purpose)

    def check(self, request: Request, form: Parameters, purpose: str, *, signed_out: bool = False) -> None:
        """Raise RequestRefusedError for a form that another site made this browser send.

        1. `Origin` is there and the issuer's own (RFC 6454, section 7). 2. `Sec-Fetch-Site`, where there is one, says
        the same (W3C Fetch Metadata, section 2.4). 3. The token is this browser's, for this form; with `signed_out`
        also one that it was given before somebody signed in, in another tab meanwhile.
        """
        origin = self._directory.current().origin
        if request.headers.getlist("origin") != [origin]:  # 1
            raise _refused()
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":  # 2
            raise _refused()
        held = [held_by(request), _before(request) if signed_out else None]
        shown = form.get(FIELD, "").encode("utf-8")
        right = [self._token(handle, purpose).encode("ascii") for handle in held if handle is not None]
        if not any([hmac.compare_digest(shown, token) for token in right]):  # 3  # noqa: C419  # all, whichever fits
            raise _refused()

    def _token(self, handle: Secret, purpose: str) -> str:
        made = hmac.digest(self._the_key(), handle.reveal() + b"\0" + purpose.encode("utf-8"), hashlib.sha256)
        return encode_base64url(made)

    def _the_key(self) -> bytes:
        if self._key is None:
            self._key = kept_key(self._store, _ENTRY)
        return self._key.reveal()


def held_by(request: Request) -> Secret | None:
    """Return the cookie that tells this browser from others: its session's, or the one it was given for a form."""
    value = read_cookie(request, SESSION)
    return Secret(value) if value else _before(request)


def _before(request: Request) -> Secret | None:
    value = read_cookie(request, BROWSER)
    return Secret(value) if value else None


def give_cookie(response: Response, cookie: Secret | None) -> None:
    """Set the cookie that a form needs, if one was made."""
    if cookie is not None:
        write_cookie(response, BROWSER, cookie.reveal().decode("ascii"))


def _refused() -> FormRefusedError:
    return FormRefusedError(403, "invalid_request", "this form was not sent from a page of this issuer")
