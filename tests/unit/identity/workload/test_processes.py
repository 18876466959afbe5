"""What the kernel says, asked of real processes and sockets."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringwall.identity.workload.processes import Caller, ProcFs

TABLE = ProcFs()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


def test_reads_this_process() -> None:
    me = TABLE.read(os.getpid())
    assert me is not None
    assert (me.pid, me.parent, me.session, me.uid) == (os.getpid(), os.getppid(), os.getsid(0), os.getuid())
    assert TABLE.read(os.getpid()) == me


def test_reads_another(child: subprocess.Popen[bytes]) -> None:
    found, me = TABLE.read(child.pid), TABLE.read(os.getpid())
    assert found is not None
    assert me is not None
    assert (found.parent, found.session) == (os.getpid(), child.pid)
    assert found.started >= me.started


def test_a_name_with_brackets_and_spaces_misleads_nobody(tmp_path: Path) -> None:
    program = tmp_path / ") R 1 1 (x"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"], executable=str(program)) as process:
        try:
            found = TABLE.read(process.pid)
        finally:
            process.kill()
    assert found is not None
    assert found.parent == os.getpid()


def test_what_has_ended_is_gone_even_before_it_is_waited_for(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert TABLE.read(child.pid) is None
    child.wait()
    assert TABLE.read(child.pid) is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_no_such_process(pid: int) -> None:
    assert TABLE.read(pid) is None


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        yield server


CONNECT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); input()"


def test_names_who_connected_and_notices_when_it_ends(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", CONNECT, listener.getsockname()], stdin=subprocess.PIPE) as process:
        connection, _ = listener.accept()
        caller = Caller.of(connection, TABLE)
        try:
            found = TABLE.read(process.pid)
            assert found is not None
            assert (caller.pid, caller.uid, caller.gid) == (process.pid, os.getuid(), os.getgid())
            assert caller.started == found.started
            assert not caller.has_ended()
            process.kill()
            process.wait()
            assert caller.has_ended() or caller.descriptor is None
        finally:
            caller.close()
            connection.close()
    assert caller.descriptor is None


def test_one_that_has_gone_before_it_was_looked_at_has_no_start(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", CONNECT, listener.getsockname()], stdin=subprocess.PIPE) as process:
        connection, _ = listener.accept()
        process.kill()
        process.wait()
    caller = Caller.of(connection, TABLE)
    assert caller.started is None
    caller.close()
    connection.close()


@pytest.mark.skipif(
    tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 5), reason="SO_PEERPIDFD came with Linux 6.5"
)
def test_the_kernel_gives_a_descriptor_of_the_process(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        caller = Caller.of(connection, TABLE)
        assert caller.descriptor is not None
        caller.close()
        connection.close()
