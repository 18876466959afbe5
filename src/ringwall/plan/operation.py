"""An operation of a service, and what each hop enforces for it."""

from typing import Literal

from pydantic import Field

from ringwall.plan.base import Part
from ringwall.plan.policy import Source
from ringwall.plan.rule import Rule


class Param(Part):
    """A path parameter that fills a whole path segment; `segment` counts from 0 in the service's own path."""

    name: str
    segment: int


class Limit(Part):
    """A token bucket: `requests` per `seconds`, with at most `burst` at once."""

    requests: int = Field(gt=0)
    seconds: int = Field(gt=0)
    burst: int = Field(gt=0)


class HopRule(Part):
    """What one hop enforces for one operation.

    Attributes:
        rule: what decides.
        shadow: what would decide if every shadow policy were enforced; None where that is the same.
        authentication: `required` where a request without a token is refused with 401 before any policy is asked.
        callers: names of the workloads that may call at all (`edge` for the edge proxy).
    """

    rule: Rule
    shadow: Rule | None = None
    authentication: Literal["required", "optional"] = "required"
    callers: tuple[str, ...]


class StepUp(Part):
    """What an operation asks of the sign-in behind a token (RFC 9470).

    Attributes:
        acr: the token's `acr` is one of these; empty for any.
        max_age: people have signed in so many seconds ago at most; None for any time.
    """

    acr: tuple[str, ...] = ()
    max_age: int | None = None

    def __str__(self) -> str:
        age = [] if self.max_age is None else [f"signed in {self.max_age} s ago at most"]
        return ", ".join([*(["acr " + " or ".join(self.acr)] if self.acr else []), *age])


class Operation(Part):
    """One operation of a service: what Cedar calls an action.

    Attributes:
        id: `service/operationId`, or `service/METHOD /path` where the contract names none.
        method: upper-case HTTP method, or `*` for any.
        template: path as in the contract, `/patients/{id}`; a last segment `{name...}` takes any rest,
            even empty. For gRPC `/package.Service/Method`.
        params: path parameters that policies may read.
        inbound: what the service's own listener enforces.
        edge: what the edge enforces, or None where the operation is not exposed.
        rule_id: 12 hex digits that name exactly this operation with these rules; logged with each request.
        policies: ids of the policies that can apply.
        holds: data classes that the operation can return.
        websocket: whether a request may become a WebSocket connection.
        own_tokens: whether bearer tokens are the operation's own business, so that proxies look at none, and everybody
            is a guest to them.
        step_up: what it asks of the sign-in behind a token; None for nothing.
        source: where the operation is declared.
    """

    id: str
    method: str
    template: str
    websocket: bool = Field(default=False, exclude_if=lambda websocket: not websocket)
    own_tokens: bool = Field(default=False, exclude_if=lambda own: not own)
    step_up: StepUp | None = Field(default=None, exclude_if=lambda demand: demand is None)
    params: tuple[Param, ...] = ()
    inbound: HopRule
    edge: HopRule | None = None
    rule_id: str
    policies: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    source: Source
