"""What became of what was pushed, in terms of services and operations."""

import re
from dataclasses import dataclass

from ringwall.enforce import names
from ringwall.enforce.snapshot import CLUSTER, FILTER, LISTENER, ROUTES, SECRET
from ringwall.model.errors import RingwallError

_KINDS = {
    CLUSTER: "connection",
    FILTER: "filter",
    LISTENER: "listener",
    ROUTES: "routes",
    SECRET: "certificate",
}

_MAX_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Rejection:
    """One resource that a proxy refused; what it had before stays in force.

    Attributes:
        node: `edge` or `mesh`.
        kind: connection, filter, listener, routes or certificate.
        resource: name of the resource, as `ringwall plan --envoy` prints it.
        what: the same in the user's terms.
        message: the proxy's own words.
        plan: digest of the plan that it belongs to.
    """

    node: str
    kind: str
    resource: str
    what: str
    message: str
    plan: str

    @classmethod
    def of(cls, node: str, type_url: str, resource: str, message: str, plan: str) -> "Rejection":
        """Describe a refusal."""
        text = re.sub(r"\s+", " ", message).strip()[:_MAX_MESSAGE]
        return cls(node, _KINDS.get(type_url, "resource"), resource, names.describe(resource), text, plan)

    def __str__(self) -> str:
        return f"the {self.node} proxy refused {self.what}: {self.message}"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Where one proxy stands.

    Attributes:
        node: `edge` or `mesh`.
        connected: whether it has a stream open now.
        plan: digest of the plan that is wholly in force there; empty where none is yet.
        target: digest of the plan that it is being brought to.
        versions: last acknowledged version of each kind of resource.
        pending: names of resources that were sent and not yet answered, or are still to be asked for.
        rejected: what it refused of the target.
    """

    node: str
    connected: bool
    plan: str
    target: str
    versions: dict[str, str]
    pending: tuple[str, ...]
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Where every proxy stands; `rejected_plan` and `rejections` tell of the last plan that was taken back."""

    nodes: dict[str, NodeStatus]
    rejected_plan: str = ""
    rejections: tuple[Rejection, ...] = ()


class PlanRejectedError(RingwallError):
    """A proxy refused a part of a plan; the plan before it is in force again."""

    code = "plan-rejected"

    def __init__(self, plan: str, rejections: tuple[Rejection, ...]) -> None:
        super().__init__(
            f"plan {plan[:12]} was refused: " + "; ".join(str(r) for r in rejections),
            hint="the plan before it stays in force",
        )
        self.plan = plan
        self.rejections = rejections


class PlanNotInForceError(RingwallError):
    """A plan was not wholly in force within the time given."""

    code = "plan-not-in-force"
