"""Texts and numbers that several parts of the blueprint hold."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.record import Field, Pairs
from ringwall.blueprint.shape import Either, ListOf, Plain, Text, Words
from ringwall.model.errors import Span

NOWHERE: Final = Span("ringwall.yaml")
"""Stands in where a required value is missing."""


def choice(known: tuple[str, ...], or_else: str = "") -> Text[str]:
    """Return the form of a text that is one of `known`."""
    pattern = "^(" + "|".join(word.replace("(", r"\(").replace("+", r"\+") for word in known) + ")$"
    what = ", ".join(known[:-1]) + f" or {known[-1]}" if len(known) > 1 else known[0]
    return Text(what + or_else, pattern, str, known=known)


NAME: Final = Text("a name of lower-case letters, digits and '-'", values.NAME, str, "billing-store")
IDENTIFIER: Final = Text("a name of letters, digits, '_' and '-'", values.IDENTIFIER, str, "clinician")
USER: Final = Text("a user: the token's `sub`, or `issuer|sub`", r"^[^\s\"\\|]+(\|[^\s\"\\|]+)?$", str, "alice")
OPERATION: Final = Text("an operation of this service", r"^[^\x00-\x1f\"\\]{1,200}$", str, "getPatient")
SCOPE: Final = Text("a scope", values.SCOPE, str, "orders:read")
FILE: Final = Text("a path below this folder", r"^[^\0]{1,400}$", str, "contracts/patients.yaml")
ANY_TEXT: Final = Text("text", r"^[^\0]*$", str)
WORD: Final = Text("text without spaces", r"^\S{1,400}$", str)
LIMIT: Final = Text("a rate", values.LIMIT, values.limit, "100/s burst 200")
DURATION: Final = Text("a duration", values.DURATION, values.duration, "30s")
CLAIM_PATH: Final = Either(
    scalar=Text("a claim's path in the token", r"^\S{1,400}$", values.dotted, "realm_access.roles"),
    sequence=Words(ListOf(WORD, minimum=1)),
)
SCOPES: Final = ListOf(SCOPE, minimum=1)
CLAIM_VALUES: Final = Field(Pairs(IDENTIFIER, Plain()), "Values of claims declared under `claims`.")
KEYS: Final = ListOf(Pairs(Text("a member of a JWK", r"^[a-z0-9_#S]{1,32}$", str, "kty"), Plain()), minimum=1)
