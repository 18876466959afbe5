"""A policy, where the user wrote it, and whether it decides."""

from enum import StrEnum

from ringwall.plan.base import Part


class Mode(StrEnum):
    """Whether a policy decides, or only says what it would decide."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Source(Part):
    """Where in the user's files something comes from; `file` is relative to the blueprint's folder."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Policy(Part):
    """One Cedar policy.

    Attributes:
        id: stable name, such as `patients.cedar#2` or `ringwall.yaml#patients.allow[0]`.
        cedar: its text.
        source: where the user wrote it, or the short form it was expanded from.
        mode: enforce or shadow.
        short_form: True where it was expanded from YAML.
    """

    id: str
    cedar: str
    source: Source
    mode: Mode = Mode.ENFORCE
    short_form: bool = False
