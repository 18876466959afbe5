"""`ringwall registration`."""

from typing import Literal

from ringwall.cli.locate import running
from ringwall.cli.output import Output
from ringwall.identity.issuer.admin_client import registration_token

_HOUR = 3600


def registration(
    do: Literal["token"] = "token", /, *, hours: int = 24, reusable: bool = False, json: bool = False
) -> None:
    """Print an initial access token: whoever has it can register a client, as far as the blueprint lets clients.

    Args:
        do: `token`.
        hours: How long it can be used; at most 2160.
        reusable: Let it register any number of clients, not one.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    _, plan, bindings = running()
    token = registration_token(bindings, seconds=hours * _HOUR, reusable=reusable).reveal().decode()
    endpoint = next(f"{issuer.url}/register" for issuer in plan.issuers if issuer.builtin)
    output.json(
        f"registration-{do}", {"initial_access_token": token, "registration_endpoint": endpoint, "hours": hours}
    )
    output.text(token)
