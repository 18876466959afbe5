"""Why something about an account is refused."""

import math

from ringwall.model.errors import RingwallError


class PeopleError(RingwallError):
    """Base of everything that this package refuses."""

    code = "people"


class UserNameError(PeopleError):
    """A text cannot be a user name."""

    code = "user-name"


class PasswordRefusedError(PeopleError):
    """A password that somebody chose is not to be used."""

    code = "password-refused"


class SignInRefusedError(PeopleError):
    """Nobody is signed in. The message is the same whatever was wrong, so that it tells nothing about accounts."""

    code = "sign-in-refused"

    def __init__(self, message: str = "this does not match what is known here", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)


class TooManyAttemptsError(PeopleError):
    """There were too many attempts.

    Attributes:
        wait: seconds after which the next attempt is heard.
    """

    code = "too-many-attempts"

    def __init__(self, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__("too many attempts", hint=f"try again in {self.wait} seconds, or use a passkey")


class BusyError(PeopleError):
    """More passwords wait to be checked than can be checked soon."""

    code = "busy"


class PasskeyRefusedError(SignInRefusedError):
    """What an authenticator answered is not believed."""

    code = "passkey-refused"


class PasskeyCopiedError(PasskeyRefusedError):
    """A passkey signed rightly, but has counted less than was counted before: there is a copy of it."""

    code = "passkey-copied"


class CredentialError(PeopleError):
    """A way to sign in cannot be added or taken away like this."""

    code = "credential"


class InvitationRefusedError(PeopleError):
    """An invitation is unknown, used, or over."""

    code = "invitation-refused"


class AccountError(PeopleError):
    """There is no such account, or there is one already."""

    code = "account"


class AccountTakenError(AccountError):
    """There is an account, or a group, of that name already."""

    code = "name-taken"


class OvertakenError(AccountError):
    """Somebody else has changed it since it was read."""

    code = "overtaken"


class PasskeysUnavailableError(PeopleError):
    """The issuer has no host name, so browsers make no passkeys for it."""

    code = "passkeys-unavailable"
