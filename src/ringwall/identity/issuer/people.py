"""Who signs in here: what the pages and grants need to know of people, and the development users of a blueprint."""

from dataclasses import dataclass
from typing import Protocol

from ringwall.identity.issuer.assurance import NOT_PROVEN, Proof
from ringwall.identity.issuer.directory import LiveDirectory
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


class People(Protocol):
    """Finds people, and checks who they are."""

    async def find(self, subject: str) -> Person | None:
        """Return who a `sub` is; None where there is nobody, or nobody who may sign in, any more."""
        ...

    async def check_password(self, user_name: str, password: Secret, *, source: str) -> Proof:
        """Return the proof of a user name with its password, or raise SignInFailedError."""
        ...

    def pickable(self) -> tuple[Person, ...]:
        """Return whom anybody may sign in as without any proof: development users, else nobody."""
        ...


class DevelopmentPeople:
    """The people of a blueprint in development mode: whoever picks one is that one."""

    def __init__(self, directory: LiveDirectory) -> None:
        self._directory = directory

    async def find(self, subject: str) -> Person | None:
        """Return the person of that name, in development mode."""
        return next((person for person in self.pickable() if person.name == subject), None)

    async def check_password(self, user_name: str, password: Secret, *, source: str) -> Proof:  # noqa: ARG002  # the protocol's
        """Refuse: nobody here has a password."""
        raise SignInFailedError("The user name or the password is wrong.")

    def pickable(self) -> tuple[Person, ...]:
        """Return everybody whose name is nobody else's; nobody outside development mode."""
        directory = self._directory.current()
        if not directory.development:
            return ()
        return tuple(
            Person(name=p.name, user_name=p.name, display_name=p.name, roles=p.roles, claims=p.claims)
            for p in directory.people.values()
            if p.name not in directory.ambiguous
        )


def picked(person: Person) -> Proof:
    """Return what picking a development user proves: nothing."""
    return Proof(subject=person.name, acr=NOT_PROVEN, amr=())
