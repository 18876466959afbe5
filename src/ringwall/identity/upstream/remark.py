"""Something that the operator should know about a provider, before people do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a provider.

    Attributes:
        wrong: whether people cannot sign in, or not as the plan means it.
        text: what it is.
        hint: what to do.
    """

    wrong: bool
    text: str
    hint: str = ""
