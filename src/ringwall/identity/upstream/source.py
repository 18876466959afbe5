"""What every way of signing in at a provider has in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ringwall.identity.upstream.identity import UpstreamIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a provider for one sign-in.

    Attributes:
        return_to: our URL for its answer; another one for each provider, so that no answer can be taken for another's
            (RFC 9700, section 4.4.2.2).
        now: seconds since the epoch.
        login_hint: who may be there; empty for nothing.
        again: whether the person must prove anew who they are.
        choose: whether the person is to choose who they are.
        max_age: how many seconds ago they may have done so at most; None for any.
        levels: our levels of assurance of which one suffices; empty for any.
    """

    return_to: str
    now: float
    login_hint: str = ""
    again: bool = False
    choose: bool = False
    max_age: int | None = None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that has begun.

    Attributes:
        kept: what `finish` needs; JSON values. It is kept here under the state, and never leaves the issuer.
        location: returns where the browser is sent, for the state that names this sign-in.
    """

    kept: dict[str, Any]
    location: Callable[[str], str]


class SignInSource(Protocol):
    """One provider. Every method raises an UpstreamError, and nothing else, for whatever a provider does."""

    async def begin(self, wish: Wish) -> Begun:
        """Begin a sign-in."""
        ...

    async def finish(self, kept: Mapping[str, Any], answer: Mapping[str, str], *, now: float) -> UpstreamIdentity:
        """Return whom the provider has signed in, by what the browser has brought back.

        Args:
            kept: what `begin` wanted kept; the caller has made sure that this browser began it, and uses it up.
            answer: the parameters of the provider's answer.
            now: seconds since the epoch.
        """
        ...

    async def sign_out(self, session: Mapping[str, Any], *, return_to: str, state: str) -> str | None:
        """Return where a browser is sent to sign out at the provider too; None where that is not wanted or possible."""
        ...
