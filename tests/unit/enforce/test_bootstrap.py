"""What an Envoy is started with."""

import os
import subprocess
from pathlib import Path

import pytest

from ringwall.enforce.bootstrap import envoy_argv, envoy_binary, envoy_bootstrap, write_bootstrap
from ringwall.plan.bindings import Bindings


@pytest.mark.parametrize("node", ["edge", "mesh"])
def test_the_pinned_envoy_accepts_it(tmp_path: Path, node: str) -> None:
    made = Bindings(state=tmp_path)
    made.run.mkdir()
    argv = envoy_argv(write_bootstrap(made, node))
    result = subprocess.run([*argv, "--mode", "validate"], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    assert "eprecat" not in result.stderr


def test_the_binary_is_there_and_can_be_run() -> None:
    assert os.access(envoy_binary(), os.X_OK)


def test_administration_is_on_a_unix_socket_that_only_this_user_may_open(tmp_path: Path) -> None:
    admin = envoy_bootstrap(Bindings(state=tmp_path), "edge")["admin"]
    assert admin["address"]["pipe"]["mode"] == 0o600
    assert list(admin["address"]) == ["pipe"]
