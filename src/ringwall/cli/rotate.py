"""`ringwall rotate`."""

from datetime import UTC, datetime
from typing import Literal

from ringwall.bootstrap.admin_socket import request
from ringwall.cli.locate import running
from ringwall.cli.output import Output
from ringwall.identity.issuer.admin_client import rotate_keys, rotate_saml_keys


def rotate(what: Literal["ca", "keys", "saml"], /, *, compromised: bool = False, json: bool = False) -> None:
    """Replace the certificate authority of the workloads, or the issuer's keys. No request fails meanwhile.

    Args:
        what: `ca` for root and intermediate certificates, `keys` for the issuer's signing keys, `saml` for
            its keys towards SAML providers: the next ones are announced in its metadata, and take over when this is
            called again.
        compromised: Trust the old ones no more from this moment; requests may fail until everybody has the new ones.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    _, _, bindings = running()
    if what == "ca":
        data = request(bindings.admin, "rotate-ca", compromised=compromised)
        next_change = data["next_step_at"]
        said = f"the certificate authority is {data['phase']}"
    elif what == "saml":
        data = rotate_saml_keys(bindings, compromised=compromised)
        next_change = None
        said = "; ".join(f"{name}: {until}" for name, until in data["keys"].items()) + f". {data['hint']}"
    else:
        data = rotate_keys(bindings, compromised=compromised)
        next_change = data.get("next_change")
        said = ", ".join(f"{key['kid']} {key['state']}" for key in data["keys"])
    output.json("rotate", {"what": what, "compromised": compromised, **data})
    output.text(f"{said}; next step at {_time(next_change)}" if next_change else said)
    if data.get("root_was_offline"):
        output.warn(
            "the old root's key was offline; the new root's key is on this machine",
            hint="once `ringwall ca status` says stable: `ringwall ca export`, then `ringwall ca detach`",
        )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
