"""What is said of client metadata that are not taken."""

from ringwall.model.errors import RingwallError


class MetadataRefusedError(RingwallError):
    """Client metadata are refused (RFC 7591, section 3.2.2).

    Attributes:
        oauth: the error's code.
    """

    code = "client-metadata"

    def __init__(self, message: str, *, oauth: str = "invalid_client_metadata") -> None:
        super().__init__(message)
        self.oauth = oauth
