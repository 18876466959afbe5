"""The issuer's own pages that need somebody who is signed in: they send people to sign in as any client does.

They use what comes back for nothing but to know that the person returned: nobody has the verifier of these requests,
and the token endpoint knows no such client, so no code of theirs can ever be redeemed.
"""

import secrets
from typing import Final
from urllib.parse import urlencode

from ringwall.identity.issuer.directory import Directory
from ringwall.plan.client import Client, ClientKind

NAME: Final = "ringwall pages"
"""`client_id` of the pages; no client of a blueprint can have a name with a space."""
DEVICE: Final = "/device"
ACCOUNT: Final = "/account"


def own_pages(directory: Directory) -> Client:
    """Return the pages as a client."""
    return Client(
        name=NAME,
        kind=ClientKind.WEB,
        redirect_uris=tuple(f"{_base(directory)}{path}" for path in (DEVICE, ACCOUNT)),
    )


def sign_in_for(path: str, directory: Directory, *, state: str, **more: str | int) -> str:
    """Return where somebody is sent to sign in and to come back to a page, with its `state`.

    Args:
        path: of the page.
        directory: says where the pages are.
        state: tells the page what it was asked for.
        more: further parameters of the authorization request, such as `max_age`.
    """
    asked = {
        "client_id": NAME,
        "redirect_uri": f"{_base(directory)}{path}",
        "response_type": "code",
        "code_challenge": secrets.token_urlsafe(32),
        "code_challenge_method": "S256",
        "state": state,
        **more,
    }
    return f"{_base(directory)}/authorize?{urlencode(asked)}"


def _base(directory: Directory) -> str:
    return directory.issuer.rstrip("/")
