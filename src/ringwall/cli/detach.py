"""Leaves a command running in the background once it has said what it has to say."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

Done = Callable[[int], None]
"""Tells the waiting parent to return with this exit code; from then on the terminal is let go."""


def detached(action: Callable[[Done], int], log: Path) -> int:
    """Run `action` in a process and session of its own; return when it calls `done`, or ends.

    Args:
        action: what to run; prints to the terminal until it calls `done`.
        log: path of the file that gets what it prints afterwards.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(writer)
        return _await(child, reader)
    os.close(reader)
    os.setsid()

    def done(code: int) -> None:
        _let_go(log)
        os.write(writer, bytes([code]))
        os.close(writer)

    # The parent learns of an end without `done` by the end of the pipe and the exit code.
    return action(done)


def _await(child: int, reader: int) -> int:
    while True:
        try:
            if told := os.read(reader, 1):
                return told[0]
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or 1
        except KeyboardInterrupt:
            os.kill(child, signal.SIGTERM)


def _let_go(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    for source, target in ((null, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(file)
