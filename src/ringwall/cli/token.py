"""`ringwall token`."""

from typing import Annotated

from cyclopts import Parameter

from ringwall.cli.locate import running
from ringwall.cli.output import Output
from ringwall.identity.issuer.admin_client import development_token


def token(
    *,
    person: Annotated[str, Parameter(name="--as")],
    scope: list[str] | None = None,
    json: bool = False,
) -> None:
    """Print a token of a development user, to be sent as `Authorization: Bearer …`.

    Args:
        person: Name of a person under `people` in the blueprint.
        scope: A scope that the token is to carry; may be given several times.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    _, _, bindings = running()
    text = development_token(bindings, person, scopes=scope or ()).reveal().decode()
    output.json("token", {"person": person, "token": text})
    output.text(text)
