"""Conditional requests (RFC 7644, section 3.14; RFC 9110, section 13.1): ETags, all of them weak."""

from dataclasses import dataclass

from ringwall.identity.issuer.scim.errors import ScimError

_MAX_HEADER = 1024


@dataclass(frozen=True, slots=True)
class IfMatch:
    """For which versions of a resource a request is meant.

    Attributes:
        tags: what `If-Match` names; None where any version will do.
    """

    tags: frozenset[str] | None

    @classmethod
    def of(cls, header: str | None) -> "IfMatch":
        """Return what a header says; none is no condition, and so is `*`, as what is not there is not found anyway."""
        if header is None or header.strip() == "*":
            return cls(None)
        return cls(_tags(header))

    @property
    def strict(self) -> bool:
        """Whether there is a condition."""
        return self.tags is not None

    def check(self, version: str) -> None:
        """Refuse to go on with another version."""
        if self.tags is not None and _opaque(version) not in self.tags:
            raise ScimError(412, "", "the resource was changed meanwhile; read it again")


def is_known(header: str | None, version: str) -> bool:
    """Return whether the client has this version already, as `If-None-Match` says (RFC 9110, section 13.1.2)."""
    return header is not None and (header.strip() == "*" or _opaque(version) in _tags(header))


def _tags(header: str) -> frozenset[str]:
    return frozenset(_opaque(each.strip()) for each in header[:_MAX_HEADER].split(","))


def _opaque(tag: str) -> str:
    """Return a tag without saying how strong it is: for SCIM all compare weakly."""
    return tag.removeprefix("W/")
