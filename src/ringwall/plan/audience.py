"""Services of others, outside the system, for whom services of the plan may get tokens."""

from pydantic import Field

from ringwall.plan.base import Part


class Audience(Part):
    """A service outside the system (RFC 8707, section 2).

    Attributes:
        name: short name, as services of the plan list it.
        url: `aud` of its tokens.
        jwks: its public key, a JWK set as JSON; empty where its tokens are only signed.
        alg: how the key is used (RFC 7518, section 4.1); empty without one.
        enc: how tokens are encrypted (RFC 7518, section 5.1); empty without a key.
    """

    name: str
    url: str
    jwks: str = Field(default="", exclude_if=lambda jwks: not jwks)
    alg: str = Field(default="", exclude_if=lambda alg: not alg)
    enc: str = Field(default="", exclude_if=lambda enc: not enc)
