"""The command line asks whichever process of the issuer is there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from tempfile import TemporaryDirectory

import pytest

from ringwall.identity.issuer.admin_client import IssuerRequestError, list_keys
from ringwall.plan.bindings import Bindings


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.wfile.write(b'HTTP/1.0 200 OK\r\ncontent-length: 12\r\n\r\n{"keys": []}')

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def bindings() -> Iterator[Bindings]:
    with TemporaryDirectory(prefix="rw") as folder:
        made = Bindings(state=Path(folder), issuers=(0, 3, 1))
        made.run.mkdir()
        yield made


def test_those_that_are_away_are_passed_over(bindings: Bindings) -> None:
    bindings.issuer_admin(0).touch()  # what one that was killed leaves behind accepts nothing
    with ThreadingUnixStreamServer(str(bindings.issuer_admin(1)), _Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert list_keys(bindings) == {"keys": []}
        server.shutdown()


def test_none_is_told_as_such(bindings: Bindings) -> None:
    with pytest.raises(IssuerRequestError, match="does not answer"):
        list_keys(bindings)
    with pytest.raises(IssuerRequestError, match="does not answer"):
        list_keys(bindings.model_copy(update={"issuers": ()}))
