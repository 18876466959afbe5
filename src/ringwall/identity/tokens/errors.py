"""What goes wrong with tokens and keys; nothing else is ever raised by this package on bad input."""

from ringwall.model.errors import RingwallError


class TokenRefusedError(RingwallError):
    """A token is not to be believed.

    Attributes:
        reason: short stable name of the check that failed, such as `expired` or `signature`.
    """

    code = "token-refused"

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class KeyRefusedError(RingwallError):
    """A JSON Web Key, or a set of them, is not fit to verify tokens with.

    Attributes:
        reason: short stable name of the check that failed, such as `rsa-size` or `mixed-set`.
    """

    code = "key-refused"

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
