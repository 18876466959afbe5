"""The browser that somebody is about to sign in with: where it is, and what it was given at sign-ins before."""

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.host_cookies import DEVICES, read_cookie, write_cookie
from ringwall.identity.issuer.pages.forms import held_by
from ringwall.identity.issuer.people import Visitor
from ringwall.model.headers import FORWARDED_FOR
from ringwall.model.secret import Secret

_SECONDS: Final = 180 * 86_400
_MOST: Final = 8
_MAX_TEXT: Final = 1024


def visitor_of(request: Request) -> Visitor:
    """Return what is known of the browser. Its address is the one the edge saw: hops remove other claims to it."""
    held = held_by(request)
    return Visitor(
        source=request.headers.get(FORWARDED_FOR, "")[-64:],
        binding=binding_of(held) if held is not None else "",
        devices=_devices(request),
    )


def binding_of(handle: Secret) -> str:
    """Return what stands for a browser that holds, or is just being given, this cookie (`Visitor.binding`)."""
    return hashlib.sha256(handle.reveal()).hexdigest()


def remember_device(response: Response, request: Request, device: str) -> None:
    """Let the browser be known next time, so that others' wrong guesses do not slow its person down."""
    if device:
        text = ".".join((device, *_devices(request)[: _MOST - 1]))
        write_cookie(response, DEVICES, text, seconds=_SECONDS, same_site="Strict")


def _devices(request: Request) -> tuple[str, ...]:
    value = read_cookie(request, DEVICES, longest=_MAX_TEXT)
    return tuple(value.split(".")[:_MOST]) if value else ()
