"""What a route enforces: a total expression over the request, or a trip to the decision point.

`Predicate` is the part that Envoy's RBAC filter matches natively; `Condition` is CEL. A rule
allows a request if and only if one of its cases matches. Predicates are two-valued: a matcher whose
input is absent is false, and `Not` of it is true, so the compiler guards presence and type itself.
"""

from typing import Annotated, Literal

from pydantic import Field

from ringwall.plan.base import Part


class Always(Part):
    """True, whatever the request."""

    kind: Literal["always"] = "always"


class Never(Part):
    """False, whatever the request."""

    kind: Literal["never"] = "never"


class AllOf(Part):
    """True where every part is; at least one part."""

    kind: Literal["all"] = "all"
    parts: tuple["Predicate", ...] = Field(min_length=1)


class AnyOf(Part):
    """True where some part is; at least one part."""

    kind: Literal["any"] = "any"
    parts: tuple["Predicate", ...] = Field(min_length=1)


class Not(Part):
    """True where the part is not."""

    kind: Literal["not"] = "not"
    part: "Predicate"


class ClaimPresent(Part):
    """The verified token carries a claim at this path, of any type, null included; `()` is the token itself."""

    kind: Literal["claim-present"] = "claim-present"
    path: tuple[str, ...]


class ClaimText(Part):
    """The claim at this path is a string that matches: exactly, by prefix, suffix, substring or RE2 (whole)."""

    kind: Literal["claim-text"] = "claim-text"
    path: tuple[str, ...]
    match: Literal["exact", "prefix", "suffix", "contains", "regex"]
    value: str


class ClaimFlag(Part):
    """The claim at this path is this boolean."""

    kind: Literal["claim-flag"] = "claim-flag"
    path: tuple[str, ...]
    value: bool


class ClaimHas(Part):
    """The claim at this path is a list, and this string is one of its elements."""

    kind: Literal["claim-has"] = "claim-has"
    path: tuple[str, ...]
    value: str


class ClaimHasText(Part):
    """The claim at this path is a list, and at least one of its elements is a string.

    There is no native matcher for an empty list; the compiler uses CEL for that.
    """

    kind: Literal["claim-has-text"] = "claim-has-text"
    path: tuple[str, ...]


class CallerIs(Part):
    """The peer's verified certificate carries this SPIFFE ID as its URI SAN."""

    kind: Literal["caller-is"] = "caller-is"
    spiffe_id: str


class SourceIn(Part):
    """The client's network address, as the edge saw it, lies in this CIDR block."""

    kind: Literal["source-in"] = "source-in"
    cidr: str


class PathMatches(Part):
    """The normalised request path, without query, matches this RE2 expression as a whole."""

    kind: Literal["path-matches"] = "path-matches"
    regex: str


Predicate = Annotated[
    Always
    | Never
    | AllOf
    | AnyOf
    | Not
    | ClaimPresent
    | ClaimText
    | ClaimFlag
    | ClaimHas
    | ClaimHasText
    | CallerIs
    | SourceIn
    | PathMatches,
    Field(discriminator="kind"),
]


class Condition(Part):
    """A CEL expression over Envoy's attributes.

    Attributes:
        text: the expression as a person reads it; parsing it gives an expression with the same meaning.
        expr: `google.api.expr.v1alpha1.Expr`, serialised deterministically, base64.
    """

    text: str
    expr: str


class Case(Part):
    """One way to be allowed: the predicate holds, and so does the condition where there is one."""

    when: Predicate
    condition: Condition | None = None


class CompiledRule(Part):
    """A rule that Envoy enforces by itself; no cases means: deny everything."""

    kind: Literal["compiled"] = "compiled"
    cases: tuple[Case, ...]


class DecisionPointRule(Part):
    """A rule that could not be compiled soundly: Envoy asks the decision point.

    Attributes:
        reasons: why, one sentence each with the policy's file and line, for `ringwall plan`.
        cacheable: True where the decision depends only on the token, the caller and the operation.
    """

    kind: Literal["decision-point"] = "decision-point"
    reasons: tuple[str, ...]
    cacheable: bool = False


Rule = Annotated[CompiledRule | DecisionPointRule, Field(discriminator="kind")]

DENY = CompiledRule(cases=())
ALLOW = CompiledRule(cases=(Case(when=Always()),))

for _model in (AllOf, AnyOf, Not, Case):
    _model.model_rebuild()
