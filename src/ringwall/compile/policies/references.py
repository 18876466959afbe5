"""Whether the entities that a policy names exist: roles, workloads, services, actions, issuers of users."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.compile.issuers import has_builtin_issuer
from ringwall.compile.policies.collect import Written
from ringwall.compile.policies.parse import EntityName
from ringwall.compile.policies.text import SourceText
from ringwall.model.administration import IDS, ISSUER_SERVICE, OPERATOR
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
            f"{service.name.value}/{operation.id}"
            for service in blueprint.services
            for operation in service.known_operations
        }
        own = {EDGE}
        services = set(names)
        if has_builtin_issuer(blueprint):
            actions |= IDS
            services.add(ISSUER_SERVICE)
            own.add(OPERATOR)
        groups = {f"{name}/*" for name in services}
        return cls(
            entities={
                ROLE: {role.name.value for role in blueprint.roles},
                WORKLOAD: names | own,
                SERVICE: services,
                ACTION: actions | groups,
                GUEST: {GUEST_ID},
            },
            people={person.name.value for person in blueprint.people}
            | {client.name.value for client in blueprint.clients},
            issuers={issuer.name.value for issuer in blueprint.issuers or () if not issuer.builtin},
            incomplete={s.name.value for s in blueprint.services if s.operations is None},
        )


def check_references(written: Written, known: Known, report: Report) -> bool:
    """Return whether every entity that a policy names exists; reports each that does not."""
    if written.source is None or written.parsed is None:
        return True
    found = [_check(entity, written.source, known, report) for entity in written.parsed.entities]
    return all(found)


def _check(entity: EntityName, source: SourceText, known: Known, report: Report) -> bool:
    if entity.type == USER:
        return _check_user(entity, source, known, report)
    declared = known.entities.get(entity.type)
    if declared is None:
        report.error(
            "unknown-entity-type",
            f"there is no entity type {entity.type!r}",
            source.span(entity.type_at),
            hint=report.suggest(entity.type, [*known.entities, USER]),
        )
        return False
    if entity.name in declared:
        return True
    if entity.type != ACTION or entity.name.partition("/")[0] not in known.incomplete:
        what = "operation" if entity.type == ACTION else entity.type.lower()
        report.unknown(what, entity.name, source.span(entity.name_at), declared)
    return False


def _check_user(entity: EntityName, source: SourceText, known: Known, report: Report) -> bool:
    issuer, bar, _ = entity.name.partition("|")
    if bar and issuer not in known.issuers:
        report.unknown("issuer", issuer, source.span(entity.name_at), known.issuers)
        return False
    if not bar and entity.name not in known.people:
        hint = report.suggest(entity.name, known.people)
        if hint.startswith("did you mean"):
            message = f"{entity.name!r} is not declared under `people`"
            report.warning("unknown-user", message, source.span(entity.name_at), hint=hint)
    return True
