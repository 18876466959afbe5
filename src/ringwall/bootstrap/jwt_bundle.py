"""The keys by which the issuer verifies JWT-SVIDs of the services, handed over as a file."""

import logging
import threading
from pathlib import Path

from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.durable import StorageError, remove_leftovers, replace_file

_log = logging.getLogger(__name__)


class JwtBundleFile:
    """Keeps a file what the authority's JWT bundle is."""

    def __init__(self, authority: WorkloadAuthority, file: Path) -> None:
        self._authority = authority
        self._file = file
        self._lock = threading.Lock()
        self._written = b""
        remove_leftovers(file.parent, file.name)
        authority.subscribe(self._changed)

    def write(self) -> None:
        """Write the bundle, where it has changed; StorageError where that cannot be."""
        with self._lock:
            content = self._authority.jwt_bundle()
            if content != self._written:
                replace_file(self._file, content)
                self._written = content

    def _changed(self) -> None:
        try:
            self.write()
        except StorageError as error:
            _log.error("the issuer keeps the former keys of JWT-SVIDs: %s", error.message)
