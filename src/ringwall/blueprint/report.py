"""Collects what there is to say about the user's files, so that all of it is said at once."""

from collections.abc import Iterable
from difflib import get_close_matches

from ringwall.model.errors import Diagnostic, Severity, Span

MAX_EXCERPT = 120
MAX_DIAGNOSTICS = 100
"""More than this help nobody; the rest is counted in one last diagnostic."""

_MAX_KEPT = 1_000
_MANY = 500


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the nearest known word, or what is known where nothing is near and it is short."""
    words = sorted({*known})
    near_by = words
    if len(words) > _MANY:
        near_by = [w for w in words if w[:1] == word[:1] and abs(len(w) - len(word)) <= 1 + len(word) // 4][:_MANY]
    folded = {candidate.casefold(): candidate for candidate in near_by}
    near = get_close_matches(word[:200].casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    if not words:
        return ""
    listing = ", ".join(words)
    return f"known here: {listing}" if len(listing) <= MAX_EXCERPT else ""


class Report:
    """Diagnostics of one run, and the text of the files they point into."""

    def __init__(self) -> None:
        self._diagnostics: dict[tuple[str, str, Span], Diagnostic] = {}
        self._texts: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def add_source(self, file: str, text: str) -> None:
        """Make the text of a file known, so that excerpts can be cut from it."""
        self._texts[file] = text

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file read so far."""
        return dict(self._texts)

    def error(self, code: str, message: str, span: Span, *, hint: str = "") -> None:
        """Add an error; it refuses the blueprint."""
        self._add(Severity.ERROR, code, message, span, hint)

    def warning(self, code: str, message: str, span: Span, *, hint: str = "") -> None:
        """Add a warning."""
        self._add(Severity.WARNING, code, message, span, hint)

    def unknown(self, what: str, name: str, span: Span, known: Iterable[str]) -> None:
        """Add the error for a reference to something that is declared nowhere."""
        code = f"unknown-{what.replace(' ', '-')}"
        self.error(code, f"there is no {what} {_short(name)!r}", span, hint=self.suggest(name, known))

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return what `suggest` does, or nothing once there are more errors than are shown: looking is not cheap."""
        return suggest(word, known) if self.count < MAX_DIAGNOSTICS else ""

    def excerpt(self, span: Span) -> str:
        """Return the line a span points to, trimmed, at most 120 characters around the column."""
        if not span.line:
            return ""
        lines = self._lines.get(span.file)
        if lines is None:
            lines = self._lines[span.file] = self._texts.get(span.file, "").split("\n")
        if span.line > len(lines):
            return ""
        line = lines[span.line - 1].rstrip()
        if len(line) > MAX_EXCERPT:
            start = max(0, min(span.column - 1 - MAX_EXCERPT // 4, len(line) - MAX_EXCERPT))
            line = line[start : start + MAX_EXCERPT]
        return "".join(c if c.isprintable() else " " for c in line).strip()

    @property
    def count(self) -> int:
        """How many diagnostics there are."""
        return len(self._diagnostics)

    @property
    def failed(self) -> bool:
        """Whether some diagnostic is an error."""
        return any(d.severity is Severity.ERROR for d in self._diagnostics.values())

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every diagnostic, in the order of the files; at most a hundred of them."""
        found = sorted(self._diagnostics.values(), key=lambda d: (d.span, d.severity, d.code, d.message))
        if len(found) <= MAX_DIAGNOSTICS:
            return tuple(found)
        errors = [d for d in found if d.severity is Severity.ERROR]
        kept = (errors + [d for d in found if d.severity is not Severity.ERROR])[:MAX_DIAGNOSTICS]
        rest = Diagnostic(
            Severity.ERROR if errors else Severity.WARNING,
            "more",
            f"and {len(found) - MAX_DIAGNOSTICS} more",
            kept[-1].span,
        )
        return (*kept, rest)

    def _add(self, severity: Severity, code: str, message: str, span: Span, hint: str) -> None:
        key = (code, message, span)
        if len(self._diagnostics) >= _MAX_KEPT and not (severity is Severity.ERROR and not self.failed):
            return
        if key not in self._diagnostics:
            self._diagnostics[key] = Diagnostic(severity, code, message, span, self.excerpt(span), hint)


def _short(name: str) -> str:
    return name if len(name) <= MAX_EXCERPT // 2 else name[: MAX_EXCERPT // 2] + "…"
