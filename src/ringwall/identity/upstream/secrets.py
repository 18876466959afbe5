"""Reads the secrets that providers have given us: from where the blueprint says that they lie, each time anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringwall.identity.upstream.identity import UpstreamUnavailableError
from ringwall.model.secret import Secret
from ringwall.plan.upstream import OidcProvider

_MAX_SECRET: Final = 4096


@dataclass(frozen=True, slots=True)
class SecretPlaces:
    """Where secrets may lie.

    Attributes:
        folder: the blueprint's; relative paths begin there.
        environ: the process's environment.
    """

    folder: Path
    environ: Mapping[str, str]

    def read(self, oidc: OidcProvider) -> Secret:
        """Return the secret of a provider; UpstreamUnavailableError where it is not there."""
        if oidc.secret_env:
            value = self.environ.get(oidc.secret_env, "").encode(errors="replace")
            where = f"the environment variable {oidc.secret_env}"
            hint = "set it where `ringwall up` is started, and start that again"
        else:
            where, hint = f"the file {oidc.secret_file}", "write the secret into it, and nothing else"
            try:
                with (self.folder / oidc.secret_file).open("rb") as stream:
                    value = stream.read(_MAX_SECRET + 1)
            except OSError as error:
                reason = error.strerror or "it cannot be read"
                raise UpstreamUnavailableError("secret", f"{where} cannot be read: {reason}", hint=hint) from None
        value = value.strip(b"\r\n")
        if not 0 < len(value) <= _MAX_SECRET or not value.isascii() or b"\n" in value:
            raise UpstreamUnavailableError("secret", f"{where} holds no secret", hint=hint)
        return Secret(value)
