"""`ringwall client`."""

from ringwall.cli.locate import running
from ringwall.cli.output import Output
from ringwall.identity.issuer.client_secrets import create_client_secret, revoke_client_secrets
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.model.clock import SystemClock


def client(name: str, /, *, revoke: bool = False, json: bool = False) -> None:
    """Make a secret for a machine client, and print it once; only its hash is kept. The two newest ones work.

    Args:
        name: A client under `clients` in the blueprint.
        revoke: Make none, and let every secret of this client be refused from now on.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    folder, plan, _ = running()
    file = IssuerSettings(state=folder.path).clients_file
    if revoke:
        count = revoke_client_secrets(file, name)
        output.json("client", {"client": name, "revoked": count})
        output.text(f"{count} secret{'' if count == 1 else 's'} of {name} revoked")
        return
    directory = Directory.of(plan)
    secret = create_client_secret(file, name, directory=directory, clock=SystemClock()).reveal().decode()
    output.json("client", {"client": name, "secret": secret, "token_endpoint": f"{directory.issuer}/token"})
    output.text(secret)
