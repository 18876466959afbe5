"""Every policy of a system with its id, its mode and its place: Cedar files, short forms and built-in ones."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Allow
from ringwall.compile.policies.parse import ParsedPolicy, parse_file, parse_policy
from ringwall.compile.policies.short_forms import expand
from ringwall.compile.policies.text import SourceText
from ringwall.model.administration import ISSUER_SERVICE
from ringwall.model.cache import PlanCache, key_of
from ringwall.model.errors import Span
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.policy import Mode, Policy, Source

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/#-]{0,127}")


@dataclass(frozen=True, slots=True)
class Written:
    """A policy and where it stands.

    Attributes:
        cedar: the same as Cedar understands it; None where the text is not valid Cedar, which was reported.
        source, parsed: the file and its part, None for a policy that was expanded from YAML.
    """

    policy: Policy
    span: Span
    cedar: CedarPolicy | None
    source: SourceText | None = None
    parsed: ParsedPolicy | None = None


def collect(blueprint: Blueprint, cache: PlanCache, report: Report) -> tuple[Written, ...]:
    """Return all policies that the user wrote, ordered by id; reports ids given twice and bad `shadow` entries."""
    found: dict[str, Written] = {}
    for written in (*_from_files(blueprint, cache, report), *_from_short_forms(blueprint, cache)):
        other = found.get(written.policy.id)
        if other is not None:
            report.error(
                "duplicate-policy", f"the policy id {written.policy.id!r} is taken, at {other.span}", written.span
            )
        found[written.policy.id] = written
    shadowed = _shadowed(blueprint, tuple(found.values()), report)
    return tuple(
        _as_shadow(written) if written.policy.id in shadowed else written for _, written in sorted(found.items())
    )


def _from_files(blueprint: Blueprint, cache: PlanCache, report: Report) -> Iterator[Written]:
    for file in blueprint.policy_files:
        source = SourceText(file.path, file.text)
        parsed = parse_file(source, cache, report)
        key = key_of("policies written", file.path, file.text)
        known = cache.get_object(key)
        if not isinstance(known, tuple):
            before = report.count
            known = tuple(_from_file(source, parsed, report))
            if report.count == before:
                cache.put_object(key, known)
        yield from known


def _from_file(source: SourceText, found: Sequence[ParsedPolicy], report: Report) -> Iterator[Written]:
    for number, parsed in enumerate(found, start=1):
        span = source.span(parsed.start)
        name = f"{source.file}#{number}"
        if parsed.id is not None:
            name = parsed.id
            if not _ID.fullmatch(name):
                report.error(
                    "bad-policy-id",
                    "a policy id is letters, digits and _ . : / # -, at most 128 of them",
                    source.span(parsed.id_at),
                )
        policy = Policy(id=name, cedar=source.text[parsed.start : parsed.end], source=_source(span))
        cedar = CedarPolicy(policy, parsed.body) if parsed.body is not None else None
        yield Written(policy, span, cedar, source, parsed)


def _from_short_forms(blueprint: Blueprint, cache: PlanCache) -> Iterator[Written]:
    for service in blueprint.services:
        for index, form in enumerate(service.allow):
            name = f"{blueprint.file}#{service.name.value}.allow[{index}]"
            yield _expanded(name, service.name.value, form, cache)
    for issuer in blueprint.issuers or ():
        for index, form in enumerate(issuer.administration):
            name = f"{blueprint.file}#{issuer.name.value}.administration[{index}]"
            yield _expanded(name, ISSUER_SERVICE, form, cache)


def _expanded(name: str, service: str, form: Allow, cache: PlanCache) -> Written:
    policy = Policy(id=name, cedar=expand(service, form), source=_source(form.span), short_form=True)
    return Written(policy, form.span, CedarPolicy(policy, parse_policy(policy.cedar, cache)))


def _source(span: Span) -> Source:
    return Source(file=span.file, line=span.line, column=span.column)


def _shadowed(blueprint: Blueprint, policies: tuple[Written, ...], report: Report) -> set[str]:
    found: set[str] = set()
    for pattern in blueprint.shadow:
        matched = {
            written.policy.id
            for written in policies
            if written.policy.id == pattern.value
            or fnmatchcase(written.policy.id, pattern.value)
            or fnmatchcase(written.span.file, pattern.value)
        }
        if not matched:
            known = [written.policy.id for written in policies] + [file.path for file in blueprint.policy_files]
            report.error(
                "unknown-policy",
                f"no policy or file matches {pattern.value!r}",
                pattern.span,
                hint=report.suggest(pattern.value, known),
            )
        else:
            report.warning(
                "shadow-mode",
                f"{len(matched)} {'policies only report' if len(matched) > 1 else 'policy only reports'} what it would "
                f"decide: {', '.join(sorted(matched)[:5])}",
                pattern.span,
            )
        found |= matched
    return found


def _as_shadow(written: Written) -> Written:
    policy = written.policy.model_copy(update={"mode": Mode.SHADOW})
    return replace(written, policy=policy, cedar=written.cedar.named(policy) if written.cedar is not None else None)
