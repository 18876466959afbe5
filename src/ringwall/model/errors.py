"""Errors and findings about the user's own files, written for the operator.

Each says what is wrong, where, and what to do. No internal type name ever reaches the user.
"""

from dataclasses import dataclass
from enum import StrEnum


class RingwallError(Exception):
    """Base of every error Ringwall raises on purpose.

    Attributes:
        code: a short stable name, such as `port-in-use`, for `--json` and for searching the documentation.
        hint: what the operator can do about it, or an empty string.
        exit_code: what a command exits with when this error ends it.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Severity(StrEnum):
    """How much a diagnostic weighs: an error refuses the blueprint, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a source file; lines and columns count from 1, 0 means the whole file.

    `file` is relative to the blueprint's folder, with forward slashes, so that plans do not
    depend on where a checkout lies.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell about the user's files.

    Attributes:
        severity: error or warning.
        code: short stable name, such as `unknown-key`.
        message: what is wrong, in the user's terms.
        span: where.
        excerpt: the offending text, one line, at most 120 characters; may be empty.
        hint: what to do, such as "did you mean 'callers'?"; may be empty.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    excerpt: str = ""
    hint: str = ""


class InvalidBlueprintError(RingwallError):
    """The blueprint, or a file it names, cannot be made into a plan; carries every diagnostic found."""

    code = "invalid-blueprint"
    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        errors = sum(1 for d in diagnostics if d.severity is Severity.ERROR)
        super().__init__(f"{errors} error{'s' if errors != 1 else ''} in the blueprint")
        self.diagnostics = diagnostics
