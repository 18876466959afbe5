"""What the pages and grants need to know of people, and the development users of a blueprint."""

from dataclasses import dataclass
from typing import Any, Protocol

from ringwall.identity.issuer.assurance import NOT_PROVEN, Proof
from ringwall.identity.issuer.directory import Directory
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

ClaimPairs = tuple[tuple[str, str | int | bool | tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be signed in, as they are now.

    Attributes:
        name: `sub` of their tokens.
        user_name: what they call themselves at sign-in.
        display_name: for others to read.
        email: empty where there is none.
        roles: names of roles.
        claims: claims of the plan with their values.
    """

    name: str
    user_name: str
    display_name: str
    email: str = ""
    roles: tuple[str, ...] = ()
    claims: ClaimPairs = ()


class SignInFailedError(RingwallError):
    """Nobody is signed in; the message is for the page and tells nothing about accounts.

    Attributes:
        wait: seconds after which to try again; 0 where that is not the reason.
    """

    code = "sign-in-failed"

    def __init__(self, message: str, *, wait: int = 0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What is known of a browser before anybody signs in.

    Attributes:
        source: the client's address as the edge saw it.
        binding: what only this browser has shown.
        devices: what `Proof.device` said at sign-ins before.
    """

    source: str
    binding: str
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """Somebody knows the password; one thing more is asked for.

    Attributes:
        kept: what the next step needs; never leaves the issuer.
        ways: what will do: `totp`, `recovery-code`, `passkey`.
    """

    kept: dict[str, Any]
    ways: frozenset[str]


class People(Protocol):
    """Finds people, and checks who they are."""

    async def find(self, subject: str) -> Person | None:
        """Return who a `sub` is; None where there is nobody, or nobody who may sign in, any more."""
        ...

    async def check_password(self, user_name: str, password: Secret, visitor: Visitor) -> Proof | SecondFactor:
        """Return what a user name with its password proves, or raise SignInFailedError."""
        ...

    async def check_second_factor(self, kept: dict[str, Any], way: str, code: str, visitor: Visitor) -> Proof:
        """Return what a code proves after the password, or raise SignInFailedError."""
        ...

    async def must_set_up(self, subject: str) -> bool:
        """Return whether somebody has an account, and nothing yet by which they could sign in to it."""
        ...

    async def passkey_options(self, binding: str) -> dict[str, Any] | None:
        """Return the options with which a browser asks for a passkey; None where there can be none."""
        ...

    async def check_passkey(self, answer: str, visitor: Visitor) -> Proof:
        """Return what an authenticator's answer proves, or raise SignInFailedError."""
        ...

    def pickable(self) -> tuple[Person, ...]:
        """Return whom anybody may sign in as without any proof: development users, else nobody."""
        ...


def development_people(directory: Directory) -> tuple[Person, ...]:
    """Return the people of the blueprint who can be picked; nobody outside development mode."""
    found = (development_person(name, directory) for name in directory.people)
    return tuple(person for person in found if person is not None)


def development_person(name: str, directory: Directory) -> Person | None:
    """Return a person of the blueprint, in development mode, whose name is no client's."""
    person = directory.people.get(name)
    if person is None or not directory.development or name in directory.ambiguous:
        return None
    return Person(name=name, user_name=name, display_name=name, roles=person.roles, claims=person.claims)


def picked(person: Person) -> Proof:
    """Return what picking a development user proves: nothing."""
    return Proof(subject=person.name, acr=NOT_PROVEN, amr=())
