"""What can go wrong with the database, and with what is looked up in it."""

from ringwall.model.errors import RingwallError


class StoreError(RingwallError):
    """The database did not do what was asked of it; nothing was stored."""

    code = "database"


class StoreUnavailableError(StoreError):
    """The database cannot be reached, or did not answer in time. Whether the last statement took effect is unknown."""

    code = "database-unavailable"


class StoreDamagedError(StoreError):
    """The database is damaged, or is not the issuer's."""

    code = "database-damaged"


class StoreUnwritableError(StoreError):
    """The database cannot be written: permissions, a read-only file system or server, or no space."""

    code = "database-unwritable"


class NewerDatabaseError(StoreError):
    """A later version of Ringwall has upgraded the database."""

    code = "database-newer"


class UnstorableError(StoreError):
    """A value cannot be stored: a text with a NUL or a lone surrogate, or a number that is too large."""

    code = "value-unstorable"


class InvalidUrlError(StoreError):
    """The database's URL is malformed, or of a kind that is not supported."""

    code = "database-url"


class ConflictError(StoreError):
    """There is already one of that name, or somebody else has changed the row meanwhile."""

    code = "conflict"


class HandleRefusedError(RingwallError):
    """A handle (code, token, session…) opens nothing: unknown, expired, ended, or another client's.

    Which of them is not told apart on purpose: the one who presented it is to learn nothing.
    """

    code = "handle-refused"


class HandleReusedError(HandleRefusedError):
    """A handle was used a second time, so it may have been stolen. What came of its first use has been ended.

    Attributes:
        family: the family of refresh tokens that has been ended; access tokens that carry its id are to be revoked.
        client: whose it is.
        account: the person, or an empty string.
        session: the person's login session, or an empty string.
    """

    code = "handle-reused"

    def __init__(self, message: str, *, family: str, client: str, account: str, session: str) -> None:
        super().__init__(message)
        self.family = family
        self.client = client
        self.account = account
        self.session = session
