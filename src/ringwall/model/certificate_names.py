"""Names that a certificate can hold in `subjectAltName` (RFC 5280, section 4.2.1.6), as people write them."""

from typing import Final

DNS_NAME: Final = (
    r"^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?){0,20}$"
)
"""Without a wildcard, which is no name but a pattern."""
EMAIL: Final = r"^[!-?A-~]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
URI: Final = r"^[A-Za-z][A-Za-z0-9+.-]{0,30}:[!-~]{1,500}$"


def mail_address(text: str) -> str:
    """Return an address whose host is in lower case (RFC 5280, section 7.5)."""
    local, at, host = text.rpartition("@")
    return f"{local}{at}{host.lower()}"
