"""How the administration says no: problem documents (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.people.errors import AccountTakenError, OvertakenError, PeopleError
from ringwall.identity.store.errors import ConflictError, StoreError, UnstorableError
from ringwall.identity.tokens.encoding import encode_json
from ringwall.model.errors import RingwallError

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:ringwall:problem:"

_log = logging.getLogger(__name__)


class ProblemError(RingwallError):
    """A request is refused.

    Attributes:
        status: HTTP status.
        kind: what is wrong, in one word that programs can tell apart; ends the problem's `type`.
        headers: further headers of the answer.
    """

    code = "administration"

    def __init__(
        self, status: int, kind: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


def missing(what: str) -> ProblemError:
    """Return the refusal of something that is not there."""
    return ProblemError(404, "not-found", f"there is no such {what}")


def problem_of(error: RingwallError) -> Response:
    """Return the answer to a request that could not be carried out; what it tells is for whoever was admitted."""
    if not isinstance(error, ProblemError):
        error = _translated(error)
    told: dict[str, Any] = {
        "type": _TYPE + error.kind,
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
    }
    if error.hint:
        told["hint"] = error.hint
    headers = {"cache-control": NO_STORE, **error.headers}
    return Response(encode_json(told), error.status, headers, MEDIA_TYPE)


def _translated(error: RingwallError) -> ProblemError:
    match error:
        case RequestRefusedError():
            return ProblemError(error.status, "bad-request", error.message, headers=error.headers)
        case UnstorableError():
            return ProblemError(400, "bad-request", error.message)
        case OvertakenError():
            return ProblemError(412, "changed-meanwhile", error.message, hint=error.hint)
        case ConflictError() | AccountTakenError():
            return ProblemError(409, "conflict", error.message, hint=error.hint)
        case PeopleError():
            return ProblemError(400, error.code, error.message, hint=error.hint)
        case StoreError():
            _log.error("cannot administer: %s", error)
        case _:
            _log.error("cannot administer: %s", error)
    return ProblemError(503, "unavailable", "try again later", headers={"retry-after": "5"})
