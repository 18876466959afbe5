"""The issuer finds the keys of JWT-SVIDs in a file that follows the authority."""

import json
from pathlib import Path

from ringwall.bootstrap.jwt_bundle import JwtBundleFile
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.clock import ManualClock


def test_it_follows_the_authority(tmp_path: Path) -> None:
    authority = WorkloadAuthority(MemoryKeyStore(), "clinic", ManualClock())
    file = tmp_path / "ca" / "jwt-bundle.json"
    JwtBundleFile(authority, file).write()
    first = file.read_bytes()
    assert first == authority.jwt_bundle()
    authority.rotate(compromised=False)
    assert file.read_bytes() == authority.jwt_bundle() != first
    assert len(json.loads(file.read_bytes())["keys"]) == 2
