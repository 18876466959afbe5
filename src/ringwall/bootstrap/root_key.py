"""The root's key of the workload authority, taken offline and brought back: what the control plane can be asked.

Key and passphrase cross the administration socket, which only the user who runs the system can open; the key crosses
it encrypted.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

EXPORT = "root-key-export"
DETACH = "root-key-detach"
ATTACH = "root-key-attach"


class RootKeyFormatError(RingwallError):
    """What is said to be the root's key, or its passphrase, is not text of the right kind."""

    code = "root-key-format"


class RootKey:
    """Carries out what is asked about the root's key of one authority; may be called from any thread."""

    def __init__(self, authority: WorkloadAuthority) -> None:
        self._authority = authority

    def export(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the key, encrypted under `passphrase`, and where the CA stands."""
        pem = self._authority.export_root_key(_passphrase(asked))
        return {"pem": pem.decode(), **self._status()}

    def detach(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Remove the key here, where `pem` is it."""
        self._authority.remove_root_key(_pem(asked), _passphrase(asked))
        return self._status()

    def attach(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Bring the key back, and do at once what waited for it."""
        self._authority.restore_root_key(_pem(asked), _passphrase(asked))
        self._authority.tick()
        return self._status()

    def _status(self) -> dict[str, Any]:
        return asdict(self._authority.status())


def encoded(passphrase: Secret) -> str:
    """Return a passphrase, which is any bytes, as the text that crosses the socket."""
    return passphrase.reveal().hex()


def _passphrase(asked: Mapping[str, Any]) -> Secret:
    try:
        return Secret(bytes.fromhex(asked["passphrase"]))
    except ValueError as error:
        raise RootKeyFormatError("the passphrase is not in hexadecimal") from error


def _pem(asked: Mapping[str, Any]) -> bytes:
    try:
        return str(asked["pem"]).encode("ascii")
    except UnicodeEncodeError as error:
        raise RootKeyFormatError(
            "this is no key in PEM", hint="give the file that `ringwall ca export` wrote"
        ) from error
