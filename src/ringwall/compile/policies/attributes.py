"""Whether the attributes that a policy reads exist.

Cedar lets `principal has anything` pass, as an expression that is always false. A misspelt name would then make a
forbid that never forbids, so it is an error here.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ringwall.blueprint.report import Report, suggest
from ringwall.compile.policies.collect import Written
from ringwall.compile.policies.text import PolicyText, Token

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
        known: dict[str, AbstractSet[str]] = {
            "principal": USER | self.claims,
            "context": CONTEXT,
            "context.path": self.params,
            "resource": RESOURCE,
        }
        return known[owner]


def check_attributes(written: Written, attributes: Attributes, report: Report) -> bool:
    """Return whether all attributes exist; reports each that does not."""
    if written.source is None or written.text is None:
        return True
    good = True
    for owner, token in reads(written.text):
        name = token.value if token.kind == "string" else token.text
        known = attributes.of(owner)
        if name in known:
            continue
        good = False
        hint = suggest(name, known)
        if owner == "principal" and not hint.startswith("did you mean"):
            hint = f"declare it: `claims: {{{name}: string}}`"
        if owner == "context.path" and not known:
            hint = "the operations of this system have no path parameters that fill a whole segment"
        report.error("unknown-attribute", f"{owner} has no {name!r}", written.source.span(token.start), hint=hint)
    return good


def reads(text: PolicyText) -> Iterator[tuple[str, Token]]:
    """Yield each attribute read directly from `principal`, `context`, `context.path` or `resource`."""
    tokens = text.tokens
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text not in {"principal", "context", "resource"}:
            continue
        if index and tokens[index - 1].text == ".":
            continue
        found = _attribute(tokens, index + 1)
        if found is None:
            continue
        yield token.text, found
        if token.text == "context" and found.text in {"path", '"path"'}:
            step = 3 if tokens[index + 1].text != "[" else 4
            inner = _attribute(tokens, index + step)
            if inner is not None:
                yield "context.path", inner


def _attribute(tokens: tuple[Token, ...], index: int) -> Token | None:
    """Return the attribute read by `.name`, ` has name`, ` has "name"` or `["name"]` at an index."""
    if index + 1 >= len(tokens):
        return None
    mark, name = tokens[index], tokens[index + 1]
    if mark.text == "." and name.kind == "name":
        return None if index + 2 < len(tokens) and tokens[index + 2].text == "(" else name
    if (mark.text == "has" and name.kind in {"name", "string"}) or (mark.text == "[" and name.kind == "string"):
        return name
    return None
