"""Short forms of the blueprint → Cedar. `ringwall plan --policies` shows what comes out."""

from collections.abc import Sequence

from ringwall.blueprint.service_model import Allow
from ringwall.compile.policies.text import quote


def expand(service: str, form: Allow) -> str:
    """Return the permit that a short form stands for, on operations of a service."""
    scope, conditions = _principal(form)
    callers = [f"context.caller == Workload::{quote(caller.value)}" for caller in form.callers]
    if callers:
        conditions.append(_any(callers))
    text = f"permit (\n  {scope},\n  {_action(service, form)},\n  resource\n)"
    if conditions:
        joined = " &&\n  ".join(conditions)
        text += f" when {{\n  {joined}\n}}"
    return text + ";"


def _principal(form: Allow) -> tuple[str, list[str]]:
    """Return the scope of the principal, and what else must hold of it."""
    conditions: list[str] = []
    roles = [f"Role::{quote(role.value)}" for role in form.roles]
    users = [f"User::{quote(user.value)}" for user in form.named_users]
    scopes = [quote(scope.value) for scope in form.scopes]
    if len(users) == 1:
        scope = f"principal == {users[0]}"
    elif len(roles) == 1:
        scope = f"principal in {roles[0]}"
        roles = []
    elif users or roles or scopes or form.any_user:
        scope = "principal is User"
    else:
        scope = "principal"
    if len(users) > 1:
        conditions.append(f"principal in [{', '.join(users)}]")
    if roles:
        conditions.append(f"principal in [{', '.join(roles)}]")
    if len(scopes) == 1:
        conditions.append(f"principal.scopes.contains({scopes[0]})")
    elif scopes:
        conditions.append(f"principal.scopes.containsAll([{', '.join(scopes)}])")
    return scope, conditions


def _action(service: str, form: Allow) -> str:
    if not form.operations:
        return f"action in Action::{quote(f'{service}/*')}"
    actions = [f"Action::{quote(f'{service}/{operation.value}')}" for operation in form.operations]
    return f"action == {actions[0]}" if len(actions) == 1 else f"action in [{', '.join(actions)}]"


def _any(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"
