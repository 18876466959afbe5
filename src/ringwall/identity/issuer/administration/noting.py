"""Events of what is done here to no account: by whom, in the order in which it was done."""

from typing import Any

from ringwall.identity.issuer.administration.routes import Asked
from ringwall.identity.issuer.context import IssuerContext


async def note(context: IssuerContext, asked: Asked, act: str, subject: str = "", **detail: Any) -> None:
    """Write down what whoever asks has done to something."""
    journal = (await context.people.services()).journal
    await journal.note(act, by=asked.actor.name, account=subject, **detail)
