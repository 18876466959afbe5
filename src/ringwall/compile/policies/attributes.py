"""Whether the attributes that a policy reads exist.

Cedar lets `principal has anything` pass, as an expression that is always false. A misspelt name would then make a
forbid that never forbids, so it is an error here.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ringwall.blueprint.report import Report
from ringwall.compile.policies.collect import Written
from ringwall.compile.policies.parse import Read

CONTEXT = frozenset({"caller", "path", "source", "now", "hour", "minute", "weekday"})
RESOURCE = frozenset({"zone", "holds"})
USER = frozenset({"sub", "iss", "scopes"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What policies may read: claims of the user and path parameters, besides what is always there."""

    claims: AbstractSet[str]
    params: AbstractSet[str]

    def of(self, owner: str) -> AbstractSet[str]:
        """Return the attributes of `principal`, `context`, `context.path` or `resource`."""
        if owner == "principal":
            return USER | self.claims
        return {"context": CONTEXT, "context.path": self.params, "resource": RESOURCE}[owner]


def check_attributes(written: Written, attributes: Attributes, report: Report) -> bool:
    """Return whether all attributes exist; reports each that does not."""
    if written.source is None or written.parsed is None:
        return True
    unknown: dict[tuple[str, str], Read] = {}
    for read in written.parsed.reads:
        if read.name not in attributes.of(read.owner):
            unknown.setdefault((read.owner, read.name), read)
    for read in unknown.values():
        hint = _hint(read, attributes.of(read.owner), report)
        report.error("unknown-attribute", f"{read.owner} has no {read.name!r}", written.source.span(read.at), hint=hint)
    return not unknown


def _hint(read: Read, known: AbstractSet[str], report: Report) -> str:
    hint = report.suggest(read.name, known)
    if read.owner == "principal" and not hint.startswith("did you mean"):
        return f"declare it: `claims: {{{read.name}: string}}`"
    if read.owner == "context.path" and not known:
        return "no operation of this system has a path parameter that fills a whole segment"
    return hint
