"""What clients keep at an address of theirs, fetched by the issuer: key sets, lists of redirect URIs, requests.

Whoever may register can have the issuer ask an address of their choice. So there is one way to do it, here:

1. Over https, no redirect followed, bounded in size and in time (see `federation.fetch`).
2. A client that has registered itself is only asked at hosts that the blueprint names for that; it names none by
   default (OpenID Connect Core 1.0, section 17.2; RFC 7591, section 5).
3. Private addresses are not even connected to on behalf of such a client, unless the blueprint says so.
4. It happens in threads of its own; of these only so many exist, in all and for each host. So a client that answers
   slowly holds up nobody else, and clients of the blueprint have places that no stranger can take.
"""

import asyncio
import logging
import threading
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from ringwall.identity.federation.fetch import FetchError, check_url
from ringwall.identity.issuer.client_servers import ClientServers, own_edge
from ringwall.identity.issuer.clients.registered import covers, may_be_private
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.in_threads import in_thread
from ringwall.plan.identity import Registration

SECONDS: Final = 5.0
"""How long one document may take."""
AT_ONCE: Final = 8
"""How many are fetched at the same time, for clients of the blueprint and for all others each."""
PER_HOST: Final = 2
"""How many of these from one host."""

_log = logging.getLogger(__name__)


class DocumentRefusedError(FetchError):
    """A document of a client is not fetched, or could not be had; what a stranger is told says no more than that."""

    code = "client-document"


class ClientDocuments:
    """Fetches documents of clients."""

    def __init__(self, servers: ClientServers) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._busy: Counter[tuple[bool, str]] = Counter()

    async def get(self, uri: str, *, directory: Directory, stranger: bool, max_bytes: int, media_type: str) -> bytes:
        """Return a document; DocumentRefusedError where there is none, or it may not be asked for.

        Args:
            uri: of the document.
            directory: of the plan in force.
            stranger: whether the client that named it has registered itself.
            max_bytes: how large it may be.
            media_type: what is asked for.
        """
        check_place(uri, directory, stranger=stranger)  # 1, 2
        at = own_edge(uri, directory)
        only_public = stranger and at is None and not may_be_private(uri, directory.registration)
        place = (stranger, urlsplit(uri).hostname or "")
        self._enter(place)  # 4

        def fetch() -> bytes:
            try:
                fetcher = self._servers.fetcher(directory, seconds=SECONDS)
                headers = {"accept": media_type}
                return fetcher.get(
                    uri,
                    max_bytes=max_bytes,
                    only_public=only_public,
                    headers=headers,
                    at=at,  # 3
                ).body
            finally:
                self._leave(place)

        try:
            async with asyncio.timeout(2 * SECONDS):  # names may take their time to be found
                return await in_thread(fetch, name="documents of clients")
        except (FetchError, TimeoutError, OSError) as error:
            _log.warning("%s cannot be had: %s", uri[:200], error)
            raise DocumentRefusedError("the document cannot be had") from None

    def _enter(self, place: tuple[bool, str]) -> None:
        with self._lock:
            of_kind = sum(count for (stranger, _), count in self._busy.items() if stranger is place[0])
            if of_kind >= AT_ONCE or self._busy[place] >= PER_HOST:
                raise DocumentRefusedError("too many documents are being fetched; try again")
            self._busy[place] += 1

    def _leave(self, place: tuple[bool, str]) -> None:
        with self._lock:
            self._busy[place] -= 1
            if not self._busy[place]:
                del self._busy[place]


def check_place(uri: str, directory: Directory, *, stranger: bool) -> None:
    """Raise DocumentRefusedError unless a client may keep a document there."""
    try:
        check_url(uri, development=directory.development)
    except FetchError:
        raise DocumentRefusedError("an address of a document is not one that is fetched") from None
    if not stranger:
        return
    if directory.registration is None:
        raise DocumentRefusedError("no client can have registered itself")
    check_stranger(uri, directory.registration)


def check_stranger(uri: str, policy: Registration) -> None:
    """Raise DocumentRefusedError unless a client that registers itself may keep a document there."""
    try:
        host = check_url(uri, development=False).hostname or ""
    except FetchError:
        raise DocumentRefusedError("it is no address that is fetched") from None
    if not any(covers(name, host) for name in policy.document_hosts):
        raise DocumentRefusedError(
            "documents of clients are not fetched from there", hint="the blueprint names hosts in `document_hosts`"
        )
