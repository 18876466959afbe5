"""The built-in issuer as a service of the plan: what everybody may ask of it, and its administration.

What clients and browsers ask answers whoever comes through the edge and checks for itself; no policy of the user is
about it. The administration is under the user's policies. Every row of its table is an operation of the plan; those
that some permit is about are exposed, the others have no route, and what else lies below their paths is refused.
"""

from collections.abc import Sequence

from ringwall.blueprint.check_routes import ISSUER_PREFIX
from ringwall.compile.cedar.schema import ActionShape
from ringwall.compile.rules import Declared, Made, RuleMaker, ServiceScope, merged
from ringwall.compile.services import action_shapes, readable_params
from ringwall.model.administration import CLOSED, ISSUER_SERVICE, OPERATIONS, OPERATOR
from ringwall.model.spiffe import SpiffeId
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.model import Service
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode, Policy, Source

_OWN_TOKENS = (("register", "POST", "/register"), ("registered-client", "*", "/register/{client}"))
"""What is asked with tokens that are for the issuer alone, and no JWT (RFC 7591, section 3; RFC 7592, section 1.3)."""
_OPEN = (("metadata", "GET", "/.well-known/{rest...}"), *_OWN_TOKENS, ("any", "*", "/{rest...}"))
_CLOSED = tuple((f"closed{path.replace('/', '-')}", "*", f"{path}/{{rest...}}") for path in CLOSED)
_ADMINISTRATION = tuple((operation.name, operation.method, operation.template) for operation in OPERATIONS)


class BuiltinIssuer:
    """What the issuer of one blueprint adds to its plan.

    Args:
        file: the blueprint's file.
        policies: the user's policies that can apply to it.
    """

    def __init__(self, file: str, policies: Sequence[CedarPolicy]) -> None:
        self._file = file
        self._open = CedarPolicy.parse(_open_policy(file))
        self._operator = CedarPolicy.parse(_operator_policy(file))
        self._written = _about_administration(policies)

    @property
    def policies(self) -> tuple[CedarPolicy, ...]:
        """The policies that the user has not written."""
        return (self._open, self._operator)

    def operations(self, maker: RuleMaker) -> Made:
        """Return its operations with their rules."""
        about = [self._operator, *self._written]
        policies: tuple[list[CedarPolicy], ...] = ([self._open], about, about, [])
        return merged([maker.operations(scope, its) for scope, its in zip(self._scopes(), policies, strict=True)])

    def _scopes(self) -> tuple[ServiceScope, ...]:
        """Return what is open to everybody, what some permit of the user is about, what none is, and what is closed."""
        permitted = {row for row in _ADMINISTRATION if self._is_permitted(row[0])}
        return (
            _scope(ISSUER_PREFIX, _OPEN, self._file),
            _scope(ISSUER_PREFIX, [row for row in _ADMINISTRATION if row in permitted], self._file),
            _scope(None, [row for row in _ADMINISTRATION if row not in permitted], self._file),
            _scope(ISSUER_PREFIX, _CLOSED, self._file),
        )

    def _is_permitted(self, name: str) -> bool:
        action = f"{ISSUER_SERVICE}/{name}"
        return any(parsed.permits and parsed.applies_to(action, ISSUER_SERVICE) for parsed in self._written)


def issuer_actions(file: str) -> list[ActionShape]:
    """Return its operations as policies see them."""
    return action_shapes([_scope(None, (*_OPEN, *_ADMINISTRATION, *_CLOSED), file)])


def lower_issuer(operations: tuple[Operation, ...], *, trust_domain: str, file: str) -> Service:
    """Return it as a service of the plan."""
    return Service(
        name=ISSUER_SERVICE,
        spiffe_id=str(SpiffeId(trust_domain, f"/service/{ISSUER_SERVICE}")),
        prefix=ISSUER_PREFIX,
        builtin=True,
        forward_token=True,  # its clients show their secrets in the same header
        operations=operations,
        source=Source(file=file),
    )


def _open_policy(file: str) -> Policy:
    actions = ", ".join(f'Action::"{ISSUER_SERVICE}/{name}"' for name, _, _ in _OPEN)
    return Policy(
        id=f"{ISSUER_SERVICE}#open",
        cedar=f"permit (\n  principal,\n  action in [{actions}],\n  resource\n);",
        source=Source(file=file),
    )


def _operator_policy(file: str) -> Policy:
    """Return the policy under which whoever runs the system administers it on its own machine."""
    return Policy(
        id=f"{ISSUER_SERVICE}#operator",
        cedar=f'permit (\n  principal == Workload::"{OPERATOR}",\n  action in Action::"{ISSUER_SERVICE}/*",\n'
        "  resource\n);",
        source=Source(file=file),
    )


def _about_administration(policies: Sequence[CedarPolicy]) -> list[CedarPolicy]:
    """Return the policies that hold for the administration.

    A permit that is about every action and resource was written for the system's own services: it lets nobody
    administer. A forbid that is about everything forbids this too.
    """
    return [parsed for parsed in policies if not parsed.permits or _names_the_issuer(parsed)]


def _names_the_issuer(parsed: CedarPolicy) -> bool:
    return parsed.body["action"]["op"] != "All" or "entity" in parsed.body["resource"]


def _scope(prefix: str | None, rows: Sequence[tuple[str, str, str]], file: str) -> ServiceScope:
    return ServiceScope(
        name=ISSUER_SERVICE,
        zone="app",
        prefix=prefix,
        callers=(),
        mode=Mode.ENFORCE,
        operations=tuple(
            Declared(
                id=f"{ISSUER_SERVICE}/{name}",
                method=method,
                template=template,
                params=readable_params(template),
                holds=(),
                source=Source(file=file),
                own_tokens=(name, method, template) in _OWN_TOKENS,
            )
            for name, method, template in rows
        ),
    )
