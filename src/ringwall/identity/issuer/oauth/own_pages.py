"""The issuer's own pages that need somebody who is signed in: they send people to sign in as any client does.

They use what comes back for nothing but to know that the person returned: nobody has the verifier of these requests,
and the token endpoint knows no such client, so no code of theirs can ever be redeemed.
"""

import secrets
from typing import Final
from urllib.parse import urlencode

from ringwall.identity.issuer.directory import Directory
from ringwall.plan.model import Client, ClientKind

NAME: Final = "ringwall pages"
"""`client_id` of the pages; no client of a blueprint can have a name with a space."""
DEVICE: Final = "/device"


def own_pages(directory: Directory) -> Client:
    """Return the pages as a client."""
    return Client(
        name=NAME, title="connect a device", kind=ClientKind.WEB, redirect_uris=(f"{_base(directory)}{DEVICE}",)
    )


def sign_in_for(path: str, directory: Directory, *, state: str) -> str:
    """Return where somebody is sent to sign in and to come back to a page, with its `state`."""
    asked = {
        "client_id": NAME,
        "redirect_uri": f"{_base(directory)}{path}",
        "response_type": "code",
        "code_challenge": secrets.token_urlsafe(32),
        "code_challenge_method": "S256",
        "state": state,
    }
    return f"{_base(directory)}/authorize?{urlencode(asked)}"


def _base(directory: Directory) -> str:
    return directory.issuer.rstrip("/")
