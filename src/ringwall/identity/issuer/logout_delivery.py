"""Posts logout tokens to clients (OpenID Connect Back-Channel Logout 1.0, section 2.5)."""

from typing import Final

from ringwall.identity.issuer.client_servers import ClientServers, own_edge
from ringwall.identity.issuer.clients.registered import may_be_private
from ringwall.identity.issuer.directory import Directory
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.plan.client import Client

SECONDS: Final = 5.0
"""How long one client may take."""


class LogoutDelivery:
    """Posts over https, in development mode also over plain http to this machine; follows no redirects."""

    def __init__(self, servers: ClientServers) -> None:
        self._servers = servers

    def deliver(self, client: Client, form: bytes, directory: Directory) -> None:
        """Post a form; FetchError unless the client answers 200 or 204 (section 2.8). Blocks.

        The blueprint's author may mean any address. A client that has registered itself could name one within this
        network in order to have it asked, so only public ones are, and this system's own edge, and those that the
        blueprint lets the issuer fetch documents from.
        """
        uri = client.backchannel_logout_uri
        at = own_edge(uri, directory)
        stranger = client.name.startswith(REGISTERED_PREFIX)
        fetcher = self._servers.fetcher(directory, seconds=SECONDS)
        only_public = stranger and at is None and not may_be_private(uri, directory.registration)
        fetcher.deliver(uri, form, only_public=only_public, at=at)
