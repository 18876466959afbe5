"""What is revoked, read by processes that do not own the list: the issuer, and the command line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ringwall.identity.revocation.revoked import read_revocations
from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.clock import Clock
from ringwall.model.durable import Stamp, stamp_of
from ringwall.model.revocation import CLAIMS, Revocation, Revoked


class RevocationReader:
    """The list as its owner has last written it; one look at the file's date a question."""

    def __init__(self, file: Path, clock: Clock, *, first_look: FirstLook = every_time) -> None:
        self._file = file
        self._name = os.fspath(file)
        self._clock = clock
        self._first_look = first_look
        self._stamp: Stamp | None = None
        self._known: dict[tuple[Revoked, str, str], Revocation] = {}

    def find(self, kind: Revoked, value: str, issuer: str = "") -> Revocation | None:
        """Return the revocation of one thing, or None; StorageError where the list is damaged."""
        if self._first_look(self) and (stamp := stamp_of(self._name)) != self._stamp:
            self._known = {each.about: each for each in read_revocations(self._file)}
            self._stamp = stamp
        found = self._known.get((kind, issuer, value)) if self._known else None
        if found is None or (found.until is not None and found.until <= self._clock.now()):
            return None
        return found

    def of_token(self, claims: Mapping[str, Any]) -> Revocation | None:
        """Return why a token with these claims is refused, or None; StorageError where the list is damaged."""
        issuer, issued = claims.get("iss"), claims.get("iat")
        for kind, names in CLAIMS.items():
            for value in map(claims.get, names):
                if not isinstance(value, str) or not isinstance(issuer, str):
                    continue
                found = self.find(kind, value, issuer)
                if found is None:
                    continue
                if found.before is None or not isinstance(issued, int | float) or issued < found.before:
                    return found
        return None
