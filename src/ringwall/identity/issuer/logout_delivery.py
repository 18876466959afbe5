"""Posts logout tokens to clients (OpenID Connect Back-Channel Logout 1.0, section 2.5)."""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.issuer.directory import Directory
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.client import Client

SECONDS: Final = 5.0
"""How long one client may take."""
_HTTPS_PORT: Final = 443
_EVERY_ADDRESS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with


class LogoutDelivery:
    """Posts over https, in development mode also over plain http to this machine; follows no redirects."""

    def __init__(self, development_root: Path) -> None:
        """Remember where the root lies that signs this system's own certificate in development mode."""
        self._root = development_root
        self._stamp: Stamp | None = None
        self._tls: ssl.SSLContext | None = None

    def deliver(self, client: Client, form: bytes, directory: Directory) -> None:
        """Post a form; FetchError unless the client answers 200 or 204 (section 2.8). Blocks.

        The blueprint's author may mean any address. A client that has registered itself could name one within this
        network in order to have it asked, so only public ones are, and this system's own edge.
        """
        uri = client.backchannel_logout_uri
        fetcher = Fetcher(development=directory.development, tls=self._trusted(directory), seconds=SECONDS)
        at = own_edge(uri, directory)
        stranger = client.name.startswith(REGISTERED_PREFIX)
        fetcher.deliver(uri, form, only_public=stranger and at is None, at=at)

    def _trusted(self, directory: Directory) -> ssl.SSLContext:
        stamp = stamp_of(self._root) if directory.development else None
        if self._tls is None or stamp != self._stamp:
            self._tls = ssl.create_default_context()
            if stamp is not None:
                self._tls.load_verify_locations(self._root)
            self._stamp = stamp
        return self._tls


def own_edge(uri: str, directory: Directory) -> tuple[str, int] | None:
    """Return where this system's own edge listens if a URI leads there, whether or not its name is known to DNS."""
    asked, own = urlsplit(uri), urlsplit(directory.issuer)
    if (asked.scheme, asked.port) != (own.scheme, own.port) or asked.hostname not in directory.edge_domains:
        return None
    return _EVERY_ADDRESS.get(directory.edge_host, directory.edge_host), own.port or _HTTPS_PORT
