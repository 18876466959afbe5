"""Starts one child process so that it can never outlive the supervisor, and watches it.

The child gets a session of its own, so that a signal reaches everything it starts, and asks the kernel
to be killed when the thread that forked it ends (prctl(2), PR_SET_PDEATHSIG). That thread must be the
main thread, which ends with the process; `Child.start` checks this.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from ringwall.bootstrap.capture import Capture
from ringwall.model.errors import RingwallError

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CHUNK: Final = 65536
_DRAIN_SECONDS: Final = 0.5


class StartError(RingwallError):
    """A program cannot be started at all."""

    code = "cannot-start"


def _die_with(supervisor: int) -> Callable[[], None]:
    """Return what the child does between fork and exec."""

    def ask_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # it ended before the kernel was asked
            os._exit(1)

    return ask_kernel


class Child:
    """A running process. Make it with `Child.start`.

    Attributes:
        pid: process id, which is also the id of its group and session.
        ended: becomes the exit code; negative for the number of the signal that ended it.
    """

    def __init__(self, process: subprocess.Popen[bytes], capture: Capture, output: int) -> None:
        self._process = process
        self._capture = capture
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._pidfd = os.pidfd_open(process.pid)
        self.pid = process.pid
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._pidfd, self._on_end)
        self._loop.add_reader(self._output, self._on_output)

    @classmethod
    def start(
        cls, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, capture: Capture, umask: int = -1
    ) -> Self:
        """Start a program, its output captured and its input empty; raise StartError where that is impossible."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("children must be forked by the main thread, whose end they die of")
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        try:
            process = subprocess.Popen(  # noqa: S603  # running the user's own programs is the purpose
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                start_new_session=True,
                umask=umask,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  # one C call; nothing else sets PDEATHSIG
            )
        except OSError as error:
            os.close(reader)
            if not cwd.is_dir():
                raise StartError(f"the folder {cwd} does not exist", hint="look at `cwd` of the service") from error
            raise StartError(
                f"cannot start {argv[0]!r}: {error.strerror}",
                hint="is it installed, and on the PATH of whoever runs ringwall?",
            ) from error
        finally:
            os.close(writer)
        return cls(process, capture, reader)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to everything in its session's group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, grace: float) -> int:
        """End it: TERM, after `grace` seconds KILL; return its exit code. What is left of its group is killed."""
        if not self.ended.done():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.ended), grace)
        if not self.ended.done():
            self.signal(signal.SIGKILL)
        return await self.ended

    async def close(self) -> None:
        """Take what it still had to say and release what watched it; call this once it has ended."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), _DRAIN_SECONDS)
        self._close_output()

    def _on_end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.signal(signal.SIGKILL)  # what it started ends with it; before wait(), while its number is still its own
        code = self._process.wait()
        if not self.ended.done():
            self.ended.set_result(code)

    def _on_output(self) -> None:
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._capture.write(data)
        else:
            self._close_output()

    def _close_output(self) -> None:
        if not self._drained.is_set():
            self._drained.set()
            self._loop.remove_reader(self._output)
            os.close(self._output)
