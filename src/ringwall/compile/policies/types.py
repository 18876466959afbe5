"""Strict validation of policies against the schema, in small groups.

Cedar's validator costs policies x operations when asked at once. What a policy can apply to bounds what it must be
checked against: one service's operations for most; for a policy about every operation, one operation for each
different set of path parameters, since nothing else of an operation has a type.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import cedarpy

from ringwall.blueprint.report import Report
from ringwall.compile.cedar.schema import ActionShape, ServiceFacts, cedar_schema
from ringwall.compile.policies.collect import Written
from ringwall.compile.policies.text import PolicyText, Token, quote, split
from ringwall.model.cache import PlanCache, key_of
from ringwall.plan.cedar import ACTION, CedarPolicy
from ringwall.plan.identity import Claim, Role

_ATTRIBUTE = re.compile(r"attribute `([^`]+)`")
_OPTIONAL: Final = "unable to guarantee safety of access to optional attribute"
_PREFIX = re.compile(r"^for policy `[^`]*`, ")


class TypeChecker:
    """Validates groups of policies; remembers groups that were valid in the cache."""

    def __init__(
        self,
        *,
        claims: Sequence[Claim],
        roles: Sequence[Role],
        actions: Sequence[ActionShape],
        cache: PlanCache,
        report: Report,
    ) -> None:
        self._claims = claims
        self._roles = roles
        self._cache = cache
        self._report = report
        self._vocabulary = repr([(claim.name, claim.type.value) for claim in claims]) + repr(bool(roles))
        self._by_service: dict[str, list[ActionShape]] = {}
        self._by_id = {action.id: action for action in actions}
        by_params: dict[tuple[str, ...], ActionShape] = {}
        for action in actions:
            self._by_service.setdefault(action.service, []).append(action)
            by_params.setdefault(tuple(sorted(action.params)), action)
        self._representatives = list(by_params.values())

    def check(self, policies: Iterable[tuple[Written, CedarPolicy]]) -> None:
        """Report every policy that the schema does not allow."""
        groups: dict[tuple[str, ...], list[Written]] = {}
        for written, parsed in policies:
            groups.setdefault(self._actions(written, parsed), []).append(written)
        for names, group in groups.items():
            self._check_group([self._by_id[name] for name in names], group)

    def _actions(self, written: Written, parsed: CedarPolicy) -> tuple[str, ...]:
        """Return the ids of the operations that a policy must be checked against."""
        scope = parsed.body["action"]
        if scope["op"] == "All":
            found = {action.id for action in self._representatives}
        else:
            named = scope["entities"] if "entities" in scope else [scope["entity"]]
            services = {entity["id"].partition("/")[0] for entity in named}
            found = {action.id for service in services for action in self._by_service.get(service, ())}
        if written.parsed is not None:
            found |= {e.name for e in written.parsed.entities if e.type == ACTION and e.name in self._by_id}
        return tuple(sorted(found))

    def _check_group(self, actions: Sequence[ActionShape], group: Sequence[Written]) -> None:
        if not actions:
            for written in group:
                message = f"the policy {written.policy.id!r} names only services that have no operations"
                self._report.warning("policy-without-operations", message, written.span)
            return
        text = "\n".join(written.policy.cedar for written in group)
        key = key_of("types", self._vocabulary, repr([(a.id, a.service, a.params) for a in actions]), text)
        if self._cache.get(key) is not None:
            return
        services = sorted({action.service for action in actions})
        schema = cedar_schema(
            claims=self._claims,
            roles=self._roles,
            services=[ServiceFacts(name=name, zone="") for name in services],
            actions=actions,
        )
        errors = _validate(text, schema)
        if not errors:
            self._cache.put(key, b"valid")
        said: set[tuple[int, str]] = set()
        for index, message in errors:
            about = _ATTRIBUTE.search(message)  # the same attribute of several actions or principals is said once
            if about is None or (index, about[1]) not in said:
                self._explain(group[index], message, schema)
            if about is not None:
                said.add((index, about[1]))

    def _explain(self, written: Written, message: str, schema: str) -> None:
        span = written.span
        if written.source is not None and written.parsed is not None:
            (policy,) = split(written.source.text, written.parsed.start, written.parsed.end)
            span = written.source.span(_locate(policy, message, schema).start)
        self._report.error("policy-type", f"the policy {written.policy.id!r}: {message}", span, hint=_hint(message))


def _validate(text: str, schema: str) -> list[tuple[int, str]]:
    """Return the index of the policy in the text, and the message, for each error."""
    result = cedarpy.validate_policies(text, schema)
    found = []
    for error in result.errors:
        number = re.fullmatch(r"policy(\d+)", error.policy_id or "")
        found.append((int(number[1]) if number else 0, _PREFIX.sub("", error.error)))
    return sorted(found)  # Cedar's order is not the same from run to run


def _hint(message: str) -> str:
    attribute = _ATTRIBUTE.search(message)
    name = attribute[1] if attribute else ""
    if message.startswith(_OPTIONAL):
        owner = "context" if "context" in message else "principal"
        return f"ask first whether it is there: `{owner} has {name} && …`"
    if "on entity type `Guest`" in message or "on entity type `Workload`" in message:
        return "the principal may be a guest or a workload; begin with `principal is User`"
    if name.startswith("path."):
        return "name only operations that have this path parameter in the policy's `action`"
    return "see docs/reference/policy.md for what policies can read"


def _locate(policy: PolicyText, message: str, schema: str) -> Token:
    """Return the token that a validation message is about, as near as can be told."""
    tokens = policy.tokens
    attribute = _ATTRIBUTE.search(message)
    if attribute is not None:
        last = attribute[1].rsplit(".", 1)[-1]
        for before, token in pairwise(tokens):
            if before.text in {".", "["} and token.text in {last, quote(last)}:
                return token
    conjuncts = _conjuncts(tokens)
    for index in range(len(conjuncts)):
        start, end = conjuncts[index]
        shortened = policy.text[: tokens[end].end - tokens[0].start] + " };"
        try:
            errors = _validate(shortened, schema)
        except (ValueError, RuntimeError):
            continue
        if any(found == message for _, found in errors):
            return tokens[start]
    return tokens[0]


def _conjuncts(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Return first and last token of each operand of `&&` and `||` at the top of each condition, in order."""
    found: list[tuple[int, int]] = []
    depth, start = 0, -1
    for index, token in enumerate(tokens):
        if token.text in {"(", "[", "{"}:
            depth += 1
            if token.text == "{" and depth == 1 and tokens[index - 1].text in {"when", "unless"}:
                start = index + 1
        elif token.text in {")", "]", "}"}:
            depth -= 1
            if depth == 0 and start >= 0:
                found.append((start, index - 1))
                start = -1
        elif token.text in {"&&", "||"} and depth == 1 and start >= 0:
            found.append((start, index - 1))
            start = index + 1
    return found
