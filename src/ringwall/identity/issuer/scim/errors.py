"""What SCIM requests are refused with (RFC 7644, section 3.12)."""

from typing import Any, Final

from ringwall.model.errors import RingwallError

ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(RingwallError):
    """A request is refused.

    Attributes:
        status: HTTP status.
        scim_type: what kind of error it is (RFC 7644, table 9); empty where none fits.
    """

    code = "scim"

    def __init__(self, status: int, scim_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.scim_type = scim_type

    def told(self) -> dict[str, Any]:
        """Return the body of the answer."""
        kind = {"scimType": self.scim_type} if self.scim_type else {}
        return {"schemas": [ERROR], "status": str(self.status), **kind, "detail": self.message}


def invalid_value(message: str) -> ScimError:
    """Return the error for a value that an attribute cannot have."""
    return ScimError(400, "invalidValue", message)


def invalid_syntax(message: str) -> ScimError:
    """Return the error for a body that is not what the endpoint takes."""
    return ScimError(400, "invalidSyntax", message)
