"""What was done: the issuer's events, to read backwards or to follow."""

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ringwall.identity.issuer.administration import schemas
from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.administration.reading import cursor_of, limit_of, place_of, query, tell
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext

if TYPE_CHECKING:
    from ringwall.identity.store.events import IdentityEvent

START: Final = "start"
SETTLED_SECONDS: Final = 2.0
"""What is younger is not told to those who follow: what another process writes may still come before it."""


class EventAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {"events.list": self.page}

    async def page(self, asked: Asked) -> Response:
        """Answer with events.

        With `after`, a cursor or `start`, those that follow it, the oldest first; ask again with `next`.
        Otherwise the newest first, of all, about one `subject`, or done `by` somebody.
        """
        parameters = query(asked, "after", "limit", "subject", "by")
        events, limit = (await self._context.storage.database()).events, limit_of(parameters)
        filters = {"subject", "by"} & parameters.keys()
        if "after" in parameters:
            if filters:
                raise ProblemError(400, "bad-request", "events are followed as they are, without `subject` and `by`")
            place = None if parameters["after"] == START else place_of(parameters, float, str)
            time, event = place or (0.0, "")
            until = self._context.clock.now() - SETTLED_SECONDS
            following = await events.since(time, event, until=until, limit=limit)
            after = cursor_of(following[-1].time, following[-1].id) if following else parameters["after"]
            return tell(schemas.Events(events=[_told(each) for each in following], next=after))
        if len(filters) > 1:
            raise ProblemError(400, "bad-request", "say either `subject` or `by`")
        if "subject" in parameters:
            found = await events.by_subject(parameters["subject"], limit=limit)
        elif "by" in parameters:
            found = await events.by_actor(parameters["by"], limit=limit)
        else:
            found = await events.page(limit=limit)
        return tell(schemas.Events(events=[_told(each) for each in found]))


def _told(event: "IdentityEvent") -> schemas.Event:
    return schemas.Event(
        id=event.id,
        cursor=cursor_of(event.time, event.id),
        time=event.time,
        act=event.act,
        by=event.actor,
        subject=event.subject,
        detail=event.payload,
    )
