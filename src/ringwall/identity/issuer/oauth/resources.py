"""Resource indicators (RFC 8707): which services a token is for.

All services of a system believe tokens of one audience, which is what every `resource` within the system maps to
(RFC 8707, section 2); a resource elsewhere is refused.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.issuer.directory import Directory


def check_resources(resources: Iterable[str], directory: Directory) -> None:
    """Raise TokenNotIssuedError `invalid_target` for a resource that is not a part of this system."""
    for resource in resources:
        if resource == directory.audience:
            continue
        edge = urlsplit(directory.issuer)
        try:
            parts = urlsplit(resource)
        except ValueError:
            raise _unknown() from None
        if (parts.scheme, parts.netloc) != (edge.scheme, edge.netloc) or "#" in resource:
            raise _unknown()


def _unknown() -> TokenNotIssuedError:
    return TokenNotIssuedError("invalid_target", "the resource is not a part of this system")
