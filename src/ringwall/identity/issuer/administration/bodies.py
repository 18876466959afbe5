"""What requests to the administration hold.

A member that is not known is refused, and so is one of another type: nothing is taken over that was not asked for.
"""

# ruff: noqa: D101  # what a class holds is what its name says; the operations say the rest
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=256)]
Names = Annotated[list[Name], Field(max_length=64)]
Hours = Annotated[int, Field(ge=1, le=720)]
Attributes = Annotated[dict[str, str | int | bool | list[str]], Field(max_length=32)]


class Body(BaseModel):
    """What is sent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Profile(Body):
    user_name: Name
    display_name: str = ""
    email: str = ""
    roles: Names = []
    groups: Names = []
    attributes: Attributes = {}


class Invite(Profile):
    hours: Hours | None = None


class Reset(Body):
    hours: Hours | None = None


class Import(Profile):
    password: Annotated[str, Field(max_length=1024)] | None = None
    totp: Annotated[str, Field(max_length=256)] | None = None
    disabled: bool = False
    dry_run: bool = False


class Change(Body):
    user_name: Name | None = None
    display_name: str | None = None
    email: str | None = None
    managed_by: str | None = None


class SetAttributes(Body):
    set: Attributes = {}
    remove: Names = []


class Disable(Body):
    reason: Annotated[str, Field(max_length=200)] = ""


class NewGroup(Body):
    name: Name
    roles: Names = []
    managed_by: str = ""


class ChangeGroup(Body):
    name: Name | None = None
    managed_by: str | None = None


class Revoke(Body):
    seconds: Annotated[float, Field(ge=0)] = 0.0
