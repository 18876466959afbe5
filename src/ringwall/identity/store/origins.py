"""By what a provider of others names a session here when it ends it."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where somebody has signed in.

    Attributes:
        issuer: who the provider is.
        person: what it calls them; empty where nobody says.
        session: what it calls their session there (`sid`, `SessionIndex`); empty where it has no name.
    """

    issuer: str
    person: str = ""
    session: str = ""

    @property
    def person_key(self) -> str | None:
        """What is kept of the person: a hash, as names are of any length."""
        return self._key("person", self.person)

    @property
    def session_key(self) -> str | None:
        """What is kept of the session there."""
        return self._key("session", self.session)

    def _key(self, kind: str, name: str) -> str | None:
        if not name:
            return None
        text = f"{kind}\n{len(self.issuer)}:{self.issuer}{name}"
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
