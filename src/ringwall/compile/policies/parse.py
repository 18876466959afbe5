"""Policies as they were written, parsed: what later checks need, with places; remembered by the text of the file.

Bodies nest more deeply than orjson writes.
"""

import json
from dataclasses import dataclass, fields
from typing import Any

import orjson

from ringwall.blueprint.report import Report
from ringwall.compile.policies.syntax import check_syntax, json_of
from ringwall.compile.policies.text import PolicyText, SourceText, Token, split
from ringwall.model.cache import PlanCache, key_of

_OWNERS = frozenset({"principal", "context", "resource"})


@dataclass(frozen=True, slots=True)
class EntityName:
    """`Type::"name"` in a policy, with the offsets of both parts in the file."""

    type: str
    name: str
    type_at: int
    name_at: int


@dataclass(frozen=True, slots=True)
class Read:
    """An attribute read from `principal`, `context`, `context.path` or `resource`, with its offset in the file."""

    owner: str
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """One policy of a file.

    Attributes:
        start, end: offsets in the file.
        id, id_at: value of the `@id` annotation and its offset, if there is one.
        body: Cedar's JSON form; None where the policy is not valid Cedar, which was reported.
    """

    start: int
    end: int
    id: str | None
    id_at: int
    entities: tuple[EntityName, ...]
    reads: tuple[Read, ...]
    body: dict[str, Any] | None


def parse_file(source: SourceText, cache: PlanCache, report: Report) -> tuple[ParsedPolicy, ...]:
    """Return the policies of a Cedar file in order; syntax errors go to the report."""
    key = key_of("policy file", source.text)
    kept = cache.get_object(key)
    if isinstance(kept, tuple):
        return kept
    data = cache.get(key)
    if data is not None:
        found = tuple(_restore(item) for item in orjson.loads(data))
    else:
        found = tuple(_parse(source, policy, report) for policy in split(source.text))
        if any(policy.body is None for policy in found):
            return found
        cache.put(key, json.dumps(found, default=_fields).encode())
    cache.put_object(key, found)
    return found


def parse_policy(cedar: str, cache: PlanCache) -> dict[str, Any]:
    """Return the JSON form of a single policy that is known to be valid."""
    key = key_of("policy", cedar)
    data = cache.get(key)
    if data is None:
        data = json.dumps(_body(cedar)).encode()
        cache.put(key, data)
    body: dict[str, Any] = orjson.loads(data)
    return body


def _body(cedar: str) -> dict[str, Any]:
    policies = orjson.loads(json_of(cedar))["staticPolicies"]
    (body,) = policies.values()
    return dict(body)


def _parse(source: SourceText, policy: PolicyText, report: Report) -> ParsedPolicy:
    good = check_syntax(source, policy, report)
    annotation = policy.annotations.get("id")
    return ParsedPolicy(
        start=policy.tokens[0].start,
        end=policy.tokens[-1].end,
        id=annotation.value if annotation is not None else None,
        id_at=annotation.start if annotation is not None else 0,
        entities=_entities(policy.tokens),
        reads=_reads(policy.tokens),
        body=_body(policy.text) if good else None,
    )


def _fields(part: ParsedPolicy | EntityName | Read) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _restore(item: dict[str, Any]) -> ParsedPolicy:
    entities = tuple(EntityName(**entity) for entity in item.pop("entities"))
    reads = tuple(Read(**read) for read in item.pop("reads"))
    return ParsedPolicy(**item, entities=entities, reads=reads)


def _entities(tokens: tuple[Token, ...]) -> tuple[EntityName, ...]:
    return tuple(
        EntityName(tokens[index - 1].text, tokens[index + 1].value, tokens[index - 1].start, tokens[index + 1].start)
        for index in range(1, len(tokens) - 1)
        if tokens[index].text == "::" and tokens[index + 1].kind == "string" and tokens[index - 1].kind == "name"
    )


def _reads(tokens: tuple[Token, ...]) -> tuple[Read, ...]:
    found: list[Read] = []
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text not in _OWNERS or (index and tokens[index - 1].text == "."):
            continue
        attribute, after = _attribute(tokens, index + 1)
        if attribute is None:
            continue
        found.append(Read(token.text, attribute.value, attribute.start))
        if token.text == "context" and attribute.value == "path":
            inner, _ = _attribute(tokens, after)
            if inner is not None:
                found.append(Read("context.path", inner.value, inner.start))
    return tuple(found)


def _attribute(tokens: tuple[Token, ...], index: int) -> tuple[Token | None, int]:
    """Return the attribute read by `.name`, ` has name` or `["name"]` at an index, and the index behind it."""
    if index + 1 >= len(tokens):
        return None, index
    mark, name = tokens[index], tokens[index + 1]
    if mark.text == "." and name.kind == "name":
        is_method = index + 2 < len(tokens) and tokens[index + 2].text == "("
        return (None, index) if is_method else (name, index + 2)
    if mark.text == "has" and name.kind in {"name", "string"}:
        return name, index + 2
    if mark.text == "[" and name.kind == "string":
        return name, index + 3
    return None, index
