"""`in`, `is` and equality of entities: users, roles, callers, and what is known anyway."""

from dataclasses import dataclass

from ringwall.compile.cedar import facts
from ringwall.compile.cedar.cel import Cel, const, every, infix
from ringwall.compile.cedar.formula import FALSE, TRUE, Atom, Formula, Lit, any_of, constant
from ringwall.compile.cedar.place import Place, System
from ringwall.compile.cedar.terms import Caller, ClaimString, Entity, SetOf, Term, User
from ringwall.compile.cedar.text import TextIs
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.model.spiffe import SpiffeId
from ringwall.plan.cedar import ACTION, ROLE, USER, WORKLOAD, action_group
from ringwall.plan.model import EDGE
from ringwall.plan.rule import CallerIs, ClaimHas, Predicate

SUB = ClaimString(("sub",))
ISS = ClaimString(("iss",))


@dataclass(frozen=True, slots=True)
class RoleGiven(Atom):
    """The list of roles holds this value; a token without such a list gives no roles."""

    path: tuple[str, ...]
    value: str

    def native(self) -> Predicate:
        """A list match."""
        return ClaimHas(path=self.path, value=self.value)

    def cel(self) -> Cel:
        """`"value" in claim`, false where there is no such claim."""
        return every([facts.present(self.path), infix("in", const(self.value), facts.claim(self.path))])

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a list holds something."""
        return (self.path,)


@dataclass(frozen=True, slots=True)
class CalledBy(Atom):
    """The peer's certificate names this workload."""

    spiffe_id: str

    def native(self) -> Predicate:
        """The URI SAN of the peer."""
        return CallerIs(spiffe_id=self.spiffe_id)

    def cel(self) -> Cel:
        """`connection.uri_san_peer_certificate == "spiffe://…"`."""
        return infix("==", facts.CALLER, const(self.spiffe_id))


def is_type(term: Term, name: str) -> Formula:
    """Return `term is name`."""
    match term:
        case User():
            return constant(name == USER)
        case Caller():
            return constant(name == WORKLOAD)
        case Entity(type=kind):
            return constant(kind == name)
    raise UnsupportedError("`is` of something that is not an entity")


def is_in(term: Term, target: Term, place: Place) -> Formula:
    """Return `term in target`, where the target is an entity or a set of entities written out."""
    if isinstance(target, SetOf):
        return any_of(is_in(term, one, place) for one in target.items)
    if not isinstance(target, Entity):
        raise UnsupportedError("`in` something that is known only with the request")
    match term:
        case User() if target.type == ROLE:
            return holds_role(target.id, place)
        case Entity(type=kind, id=name) if kind == target.type == ROLE:
            return constant(name in place.system.holders.get(target.id, {target.id}))
        case Entity(type=kind, id=name) if kind == target.type == ACTION:
            return constant(target.id in (name, action_group(place.service)))
        case _:
            return same_entity(term, target, place)


def same_entity(left: Term, right: Term, place: Place) -> Formula:
    """Return `left == right` for two entities."""
    match left, right:
        case Entity(), Entity():
            return constant(left == right)
        case Entity(), _:
            return same_entity(right, left, place)
        case User(), Entity(type=kind, id=name):
            return is_user(name, place) if kind == USER else FALSE
        case Caller(), Entity(type=kind, id=name):
            return called_by(name, place) if kind == WORKLOAD else FALSE
        case (User(), User()) | (Caller(), Caller()):
            return TRUE
        case (User(), Caller()) | (Caller(), User()):
            return FALSE
    raise UnsupportedError("a comparison of an entity with something else")


def called_by(name: str, place: Place) -> Formula:
    """Return whether this workload calls, where several may."""
    if name not in place.callers:
        return FALSE
    return TRUE if len(place.callers) == 1 else Lit(CalledBy(caller_id(name, place.system)))


def caller_id(name: str, system: System) -> str:
    """Return the SPIFFE ID of a service, or of the edge for `edge`."""
    return str(SpiffeId(system.trust_domain, "/edge" if name == EDGE else f"/service/{name}"))


def is_user(name: str, place: Place) -> Formula:
    """Return whether the token names this user: `sub` for the built-in issuer, `issuer|sub` for every other one."""
    issuer = place.issuer
    prefix, bar, rest = name.partition("|")
    if issuer is None:
        return FALSE
    if issuer.builtin:
        return Lit(TextIs(SUB, name)) if name and not bar else FALSE
    return Lit(TextIs(SUB, rest)) if bar and prefix == issuer.name and rest else FALSE


def holds_role(role: str, place: Place) -> Formula:
    """Return whether the token gives a role, directly or by a role that includes it."""
    issuer = place.issuer
    if issuer is None:
        return FALSE
    holders = place.system.holders.get(role, frozenset())
    granting = place.system.granting[issuer.name]
    return any_of(Lit(RoleGiven(issuer.role_claim, value)) for value, given in granting if given in holders)
