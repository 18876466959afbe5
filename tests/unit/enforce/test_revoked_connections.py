"""A revoked workload may not connect to a service of plain TCP either; its like may, and no other listener changes."""

from itertools import count
from pathlib import Path

import pytest
from tests.support.enforce_pki import Credentials, RevokedHere, Tokens
from tests.support.enforce_plans import bindings, plan, service, spiffe

from ringwall.enforce.memo import Memo
from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import LISTENER
from ringwall.model.revocation import Revocation, Revoked
from ringwall.plan.model import Protocol

PLAN = plan(
    service("db", protocol=Protocol.TCP, tcp_callers=("a", "ab")),
    service("a", calls=("db",)),
    service("ab", calls=("db",)),
)


class Mesh:
    def __init__(self) -> None:
        self.revoked = RevokedHere()
        self._credentials, self._tokens, self._memo = Credentials(), Tokens(), Memo()
        ports = count(1)
        self._addresses = bindings(PLAN, Path("/nowhere"), lambda: next(ports))

    def listeners(self) -> dict[str, bytes]:
        built = snapshot(
            PLAN,
            self._addresses,
            "mesh",
            self._credentials,
            self._tokens,
            revoked=self.revoked,
            memo=self._memo,
        )
        self._memo.turn()
        return {name: each.body.SerializeToString() for name, each in built.of_type(LISTENER).items()}


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return Mesh()


def test_who_is_revoked_cannot_connect(mesh: Mesh) -> None:
    before = mesh.listeners()
    assert spiffe("ab").encode() in before["inbound/db"]
    mesh.revoked.become(Revocation(Revoked.WORKLOAD, spiffe("ab")))
    after = mesh.listeners()
    assert spiffe("ab").encode() not in after["inbound/db"]
    assert spiffe("a").encode() in after["inbound/db"]
    assert {name for name in after if after[name] != before[name]} == {"inbound/db"}
    mesh.revoked.become()
    assert mesh.listeners() == before
