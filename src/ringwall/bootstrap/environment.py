"""The environment of every process: only what it needs, and nobody else's secrets."""

import os
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan, Protocol, Service

RUN_MARK: Final = "RINGWALL_RUN"
"""Names the run that a process belongs to, so that what it leaves behind can be found."""

INHERITED: Final = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""What services get of the operator's environment, and every LC_*; all else goes through `env` in the blueprint."""

_PASSPHRASES: Final = ("RINGWALL_KEY_PASSPHRASE", "RINGWALL_KEY_PASSPHRASE_FILE")
_DATABASE: Final = ("RINGWALL_DATABASE_URL", "RINGWALL_DATABASE_URL_FILE")
_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Whom the control plane trusts when it asks issuers of others, where the system's own authorities do not suffice."""
SECRET_PREFIX: Final = "RINGWALL_SECRET_"  # noqa: S105  # begins names of variables
"""Begins the names of variables that hold secrets of upstream providers."""
_PYTHON: Final = frozenset({"python", "python3"})


def base(environ: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return what every process gets: harmless names of `environ`, and the mark of this run."""
    kept = {name: value for name, value in environ.items() if name in INHERITED or name.startswith("LC_")}
    folder = str(Path(sys.executable).parent)
    path = kept.get("PATH", os.defpath)
    # Programs installed beside Ringwall (datasette, uvicorn) are found without activating its environment.
    kept["PATH"] = path if folder in path.split(os.pathsep) else f"{folder}{os.pathsep}{path}"
    kept[RUN_MARK] = mark
    return kept


def of_proxy(environ: Mapping[str, str], mark: str, *, zones: Path = Path("/usr/share/zoneinfo")) -> dict[str, str]:
    """Return the environment of an Envoy; it needs time zones for `context.hour`: the machine's, or the package's."""
    if zones.is_dir():
        return base(environ, mark)
    return base(environ, mark) | {"TZDIR": str(files("tzdata") / "zoneinfo")}


def of_key_holder(environ: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return the environment of the control plane and of the issuer, which open key stores."""
    own = {name: environ[name] for name in (*_PASSPHRASES, *_AUTHORITIES, "RINGWALL_DEBUG") if name in environ}
    return base(environ, mark) | own


def of_issuer(environ: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return the environment of the issuer, which alone knows the database and what providers have given it.

    A database's URL may hold a password; a provider's secret is what `upstreams` of the blueprint name.
    """
    own = {name: value for name, value in environ.items() if name in _DATABASE or name.startswith(SECRET_PREFIX)}
    return of_key_holder(environ, mark) | own


def of_service(
    plan: Plan, service: Service, bindings: Bindings, environ: Mapping[str, str], mark: str
) -> dict[str, str]:
    """Return the environment of a user's service: where to listen, where its callees are, and its own `env`."""
    env = base(environ, mark)
    env["PYTHONUNBUFFERED"] = "1"
    app = bindings.app[service.name]
    if app.socket is not None:
        env["SOCKET"] = app.socket
    else:
        env["PORT"] = str(app.port)
    for callee in service.calls:
        scheme = "tcp" if plan.by_name[callee].protocol is Protocol.TCP else "http"
        env[url_variable(callee)] = f"{scheme}://{bindings.outbound[f'{service.name}>{callee}']}"
    env["SPIFFE_ENDPOINT_SOCKET"] = f"unix://{bindings.workload_api}"
    if service.run is not None:
        env.update(service.run.env)
    return env


def url_variable(callee: str) -> str:
    """Return the name of the variable that says where a callee is: `BILLING_STORE_URL` for `billing-store`."""
    return callee.upper().replace("-", "_") + "_URL"


def argv_of(service: Service, bindings: Bindings) -> tuple[str, ...]:
    """Return the service's command with its placeholders filled and `python` as the one that runs Ringwall."""
    if service.run is None:
        raise ValueError(f"{service.name} has no command")
    app = bindings.app[service.name]
    values = {"{port}": str(app.port), "{socket}": app.socket or "", "{prefix}": service.prefix or ""}
    words = [re.sub(r"\{[a-z]+\}", lambda name: values.get(name[0], name[0]), word) for word in service.run.argv]
    if words[0] in _PYTHON:
        words[0] = sys.executable
    return tuple(words)
