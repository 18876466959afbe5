"""How a construct says that it has no sound form in Envoy."""


class UnsupportedError(Exception):
    """Raised inside the compiler only; it ends as a reason of a `DecisionPointRule`.

    Attributes:
        construct: what cannot be compiled, in the words of somebody who wrote the policy.
    """

    def __init__(self, construct: str) -> None:
        super().__init__(construct)
        self.construct = construct
