"""Whether the entities that a policy names exist: roles, workloads, services, actions, issuers of users."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report, suggest
from ringwall.compile.policies.collect import Written
from ringwall.compile.policies.text import PolicyText, Token
from ringwall.plan.cedar import ACTION, GUEST, ROLE, SERVICE, USER, WORKLOAD
from ringwall.plan.model import EDGE

GUEST_ID = "guest"


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that policies of a system may name, by entity type.

    Attributes:
        people: names of development users, for spotting a misspelt one.
        issuers: names of the issuers whose users are called `issuer|sub`.
        incomplete: services whose operations could not be read; nothing is said about their actions.
    """

    entities: Mapping[str, AbstractSet[str]]
    people: AbstractSet[str]
    issuers: AbstractSet[str]
    incomplete: AbstractSet[str]

    @classmethod
    def of(cls, blueprint: Blueprint) -> "Known":
        """Return what a blueprint declares."""
        names = {service.name.value for service in blueprint.services}
        actions = {
            f"{service.name.value}/{operation.id}" for service in blueprint.services for operation in service.operations
        }
        groups = {f"{name}/*" for name in names}
        return cls(
            entities={
                ROLE: {role.name.value for role in blueprint.roles},
                WORKLOAD: names | {EDGE},
                SERVICE: names,
                ACTION: actions | groups,
                GUEST: {GUEST_ID},
            },
            people={person.name.value for person in (*blueprint.people, *blueprint.clients)},
            issuers={issuer.name.value for issuer in blueprint.issuers or () if not issuer.builtin},
            incomplete={s.name.value for s in blueprint.services if s.contract is not None and not s.operations},
        )


def check_references(written: Written, known: Known, report: Report) -> bool:
    """Return whether every entity that a policy names exists; reports each that does not."""
    source, text = written.source, written.text
    if source is None or text is None:
        return True
    good = True
    for kind, name in entities(text):
        value = name.value
        if kind.text == USER:
            good &= _check_user(written, name, known, report)
            continue
        declared = known.entities.get(kind.text)
        if declared is None:
            types = [*known.entities, USER]
            report.error(
                "unknown-entity-type",
                f"there is no entity type {kind.text!r}",
                source.span(kind.start),
                hint=suggest(kind.text, types),
            )
            good = False
        elif value not in declared:
            if kind.text == ACTION and value.partition("/")[0] in known.incomplete:
                return False
            what = {ACTION: "operation", WORKLOAD: "workload"}.get(kind.text, kind.text.lower())
            report.unknown(what, value, source.span(name.start), declared)
            good = False
    return good


def _check_user(written: Written, name: Token, known: Known, report: Report) -> bool:
    if written.source is None:
        return True
    issuer, bar, _ = name.value.partition("|")
    span = written.source.span(name.start)
    if bar and issuer not in known.issuers:
        report.unknown("issuer", issuer, span, known.issuers)
        return False
    if not bar and name.value not in known.people:
        hint = suggest(name.value, known.people)
        if hint.startswith("did you mean"):
            report.warning("unknown-user", f"{name.value!r} is not declared under `people`", span, hint=hint)
    return True


def entities(text: PolicyText) -> Iterator[tuple[Token, Token]]:
    """Yield the type and the name of each entity that a policy names, `Type::"name"`."""
    tokens = text.tokens
    for index in range(1, len(tokens) - 1):
        if tokens[index].text == "::" and tokens[index + 1].kind == "string" and tokens[index - 1].kind == "name":
            yield tokens[index - 1], tokens[index + 1]
