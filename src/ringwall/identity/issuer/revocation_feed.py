"""Tells the control plane what the issuer has revoked, so that every proxy refuses it.

The database is the outbox: what is revoked is there before anybody is answered, and stays until it matters no more. The
feed sends what came since it last could, beginning with everything there is, which the control plane may be told twice.
So a revocation survives the end of either of them.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ringwall.identity.issuer.standing import issued_before
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.revocation.revoked import RevocationError
from ringwall.identity.store.revocations import Revocation
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError
from ringwall.model.revocation import Revoked

ACTION: Final = "revocations-of-issuer"
"""What the control plane is asked for."""
RETRY_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 1.0
"""How often to look for what another process with the same database has revoked."""
AGAIN_SECONDS: Final = 10.0
"""How often to try what there was no room for."""
BATCH: Final = 500
"""Fits into one request of the control plane's socket."""
_ANSWER_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 4 * 1024 * 1024

KINDS: Final = {
    "token": Revoked.TOKEN,
    "session": Revoked.SESSION,
    "family": Revoked.GRANT,
    "account": Revoked.USER,
    "client": Revoked.CLIENT,
}
"""What the issuer's own kinds are called everywhere else."""
_TOKEN: Final = "token"  # noqa: S105  # a kind
_UP_TO: Final = frozenset({"account", "client"})

_log = logging.getLogger(__name__)


class FeedError(RingwallError):
    """The control plane has not taken what it was told."""

    code = "revocation-feed"


class FeedRefusedError(FeedError):
    """The control plane answers, and refuses what it is asked.

    Attributes:
        why: code of the control plane's own error; empty where it said none.
    """

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(message)
        self.why = why


class RevocationFeed:
    """Sends revocations for as long as `run` runs."""

    def __init__(self, storage: Storage, clock: Clock, socket: Path, *, begun: bool) -> None:
        """Put the parts together.

        Args:
            storage: the database, which the feed does not open unless `begun`.
            clock: where time comes from.
            socket: on which the control plane is administered.
            begun: whether there may be something from a former run to send.
        """
        self._storage = storage
        self._clock = clock
        self._socket = socket
        self._begun = begun
        self._sent = 0
        self._first_refused: int | None = None
        self._again = 0.0

    async def run(self) -> None:
        """Send until cancelled; where that cannot be, say so once and try again."""
        if not self._begun:
            await self._storage.opened.wait()
        told = False
        while True:
            try:
                await self.send()
                told = False
                await self._wait()
            except RingwallError as error:
                if not told:
                    _log.error("revocations cannot be delivered, and will be: %s", error.message)
                told = True
                await asyncio.sleep(RETRY_SECONDS)

    async def send(self) -> None:
        """Send everything that is new; raise RingwallError where that cannot be."""
        revocations = (await self._storage.database()).revocations
        revocations.added.clear()  # before looking, so that nothing is missed
        if self._first_refused is not None and self._clock.monotonic() >= self._again:
            self._sent, self._first_refused = self._first_refused - 1, None
        while new := await revocations.since(self._sent, now=self._clock.now(), limit=BATCH):
            await self._deliver(new)
            self._sent = new[-1].sequence

    async def _wait(self) -> None:
        revocations = (await self._storage.database()).revocations
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await revocations.added.wait()

    async def _deliver(self, new: Sequence[Revocation]) -> None:
        """Send these; where there is no room for single tokens any more, those wait, and nothing else does."""
        try:
            await self._tell(new)
        except FeedRefusedError as error:
            tokens = [each for each in new if each.kind == _TOKEN]
            if not tokens or error.why != RevocationError.code:
                raise
            await self._tell([each for each in new if each.kind != _TOKEN])
            if self._first_refused is None:
                _log.error("single tokens that were revoked cannot be delivered, and will be: %s", error.message)
                self._first_refused = tokens[0].sequence
                self._again = self._clock.monotonic() + AGAIN_SECONDS

    async def _tell(self, new: Sequence[Revocation]) -> None:
        entries = [
            [
                KINDS[each.kind].value,
                each.subject,
                each.expires,
                issued_before(each.revoked) if each.kind in _UP_TO else None,
            ]
            for each in new
            if each.kind in KINDS
        ]
        if entries:
            await ask_control_plane(self._socket, {"do": ACTION, "entries": entries})


async def ask_control_plane(socket: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what the control plane answers on its administration socket; FeedRefusedError where it refuses."""
    writer = None
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(socket, limit=_LONGEST_ANSWER)
            writer.write(json.dumps(asked).encode() + b"\n")
            await writer.drain()
            answered = json.loads(await reader.readline())
    except (OSError, ValueError, TimeoutError) as error:
        raise FeedError("the control plane does not answer") from error
    finally:
        if writer is not None:
            writer.close()
    if not isinstance(answered, dict) or "ok" not in answered:
        refused = answered.get("error") if isinstance(answered, dict) else None
        said = (refused.get("message") if isinstance(refused, dict) else None) or refused
        why = str(refused.get("code", "")) if isinstance(refused, dict) else ""
        raise FeedRefusedError(f"the control plane refuses: {said}", why=why)
    return dict(answered["ok"])
