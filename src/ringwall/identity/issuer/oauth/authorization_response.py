"""Answers of the authorization endpoint to a client (RFC 6749, section 4.1.2; RFC 9207; OAuth 2.0 Form Post)."""

from starlette.responses import Response

from ringwall.identity.issuer.oauth.authorization_request import ReplyTo
from ringwall.identity.issuer.pages.render import Pages
from ringwall.model.secret import Secret


def send_code(reply: ReplyTo, code: Secret, *, issuer: str, pages: Pages) -> Response:
    """Send the person back with a code."""
    return _send(reply, {"code": code.reveal().decode("ascii")}, issuer=issuer, pages=pages)


def send_error(reply: ReplyTo, oauth: str, message: str, *, issuer: str, pages: Pages) -> Response:
    """Send the person back with an error (RFC 6749, section 4.1.2.1)."""
    return _send(reply, {"error": oauth, "error_description": message}, issuer=issuer, pages=pages)


def _send(reply: ReplyTo, parameters: dict[str, str], *, issuer: str, pages: Pages) -> Response:
    """Send parameters, with `state` as it came and with `iss`, which tells issuers apart (RFC 9207, section 2)."""
    if reply.state:
        parameters["state"] = reply.state
    parameters["iss"] = issuer
    if reply.mode == "form_post":
        return pages.show(
            "form_post", form_targets=(reply.uri.origin,), script=True, uri=reply.uri.text, fields=parameters
        )
    return Response(
        status_code=303,
        headers={
            "location": reply.uri.with_query(parameters),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        },
    )
