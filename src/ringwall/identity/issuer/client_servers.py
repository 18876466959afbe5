"""How the issuer reaches the servers of clients: whom it trusts there, and where its own edge is."""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.issuer.directory import Directory
from ringwall.model.durable import Stamp, stamp_of

_HTTPS_PORT: Final = 443
_EVERY_ADDRESS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with


class ClientServers:
    """Makes what asks clients: over https, in development mode also over plain http to this machine."""

    def __init__(self, development_root: Path) -> None:
        """Remember where the root lies that signs this system's own certificate in development mode."""
        self._root = development_root
        self._stamp: Stamp | None = None
        self._tls: ssl.SSLContext | None = None

    def fetcher(self, directory: Directory, *, seconds: float) -> Fetcher:
        """Return a fetcher for one request, which may take so many seconds."""
        return Fetcher(development=directory.development, tls=self._trusted(directory), seconds=seconds)

    def _trusted(self, directory: Directory) -> ssl.SSLContext:
        stamp = stamp_of(self._root) if directory.development else None
        trusted = self._tls
        if trusted is None or stamp != self._stamp:
            trusted = ssl.create_default_context()
            if stamp is not None:
                trusted.load_verify_locations(self._root)
            self._tls, self._stamp = trusted, stamp
        return trusted


def own_edge(uri: str, directory: Directory) -> tuple[str, int] | None:
    """Return where this system's own edge listens if a URI leads there, whether or not its name is known to DNS."""
    asked, own = urlsplit(uri), urlsplit(directory.issuer)
    if (asked.scheme, asked.port) != (own.scheme, own.port) or asked.hostname not in directory.edge_domains:
        return None
    return _EVERY_ADDRESS.get(directory.edge_host, directory.edge_host), own.port or _HTTPS_PORT
