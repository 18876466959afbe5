"""SPIFFE identities, parsed strictly.

Source: the SPIFFE-ID standard, sections 2 (SPIFFE Identity) and 2.3 (maximum length).
"""

import re
from dataclasses import dataclass
from typing import Self

from ringwall.model.errors import RingwallError

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_MAX_BYTES = 2048
_SCHEME = "spiffe://"


class SpiffeIdError(RingwallError):
    """A text is not a valid SPIFFE ID."""

    code = "spiffe-id"


def check_trust_domain(name: str) -> str:
    """Return `name` if it is a valid trust domain name, else raise SpiffeIdError (SPIFFE-ID 2.1)."""
    if not _TRUST_DOMAIN.fullmatch(name):
        raise SpiffeIdError(
            f"{name!r} is not a trust domain",
            hint="use lower-case letters, digits, dots, dashes and underscores, at most 255 of them",
        )
    return name


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """One SPIFFE ID: a trust domain and a path of zero or more segments."""

    trust_domain: str
    path: str

    def __post_init__(self) -> None:
        """Check the parts as the standard's section 2 asks; no value of this type is ever invalid."""
        check_trust_domain(self.trust_domain)
        if self.path:
            if not self.path.startswith("/"):
                raise SpiffeIdError(f"the path {self.path!r} does not begin with '/'")
            for segment in self.path[1:].split("/"):
                if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
                    raise SpiffeIdError(
                        f"{segment!r} is not a path segment of a SPIFFE ID",
                        hint="segments are letters, digits, dots, dashes and underscores; never empty, '.' or '..'",
                    )
        if len(str(self)) > _MAX_BYTES:
            raise SpiffeIdError(f"a SPIFFE ID is at most {_MAX_BYTES} bytes long")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `spiffe://trust-domain/path`; raise SpiffeIdError for anything the standard does not allow."""
        if not text.startswith(_SCHEME):
            raise SpiffeIdError(f"{text[:80]!r} does not begin with {_SCHEME!r}")
        domain, slash, path = text[len(_SCHEME) :].partition("/")
        return cls(domain, slash + path)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain}{self.path}"
