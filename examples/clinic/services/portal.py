"""The clinic's web portal: a backend for frontend that asks the other services on behalf of whoever is there.

It decides nothing. It shows what the others give, and says of which part the answer was no.
"""

from html import escape
from http import HTTPStatus
from pathlib import Path

from web import Answer, App, Request, as_json, call, segment

app = App("portal")
STYLE = Path(__file__).with_name("portal.css").read_bytes()
PARTS = {
    "record": ("patients", "/patients/"),
    "appointments": ("appointments", "/appointments/"),
    "messages": ("messages", "/messages/"),
    "invoices": ("billing", "/invoices/"),
}


def gather(request: Request) -> dict:
    """Ask every service for its part about one patient; a part that is refused is given as its status."""
    gathered = {}
    for part, (service, path) in PARTS.items():
        status, answer = call(service, "GET", path + segment(request.params["patient"]), request)
        gathered[part] = answer if status == HTTPStatus.OK else {"refused": status}
    return gathered


@app.route("GET", "/")
def home(_: Request) -> Answer:
    """Welcome everybody."""
    return page("Welcome", "<p>Sign in, then open <code>/patient/</code> with your number.</p>")


@app.route("GET", "/style.css")
def style(_: Request) -> Answer:
    """Give the style sheet."""
    return Answer(STYLE, media_type="text/css; charset=utf-8")


@app.route("GET", "/overview/{patient}")
def get_overview(request: Request) -> dict:
    """Give everything about one patient that the caller may see, as JSON."""
    return gather(request)


@app.route("GET", "/patient/{patient}")
def show_patient(request: Request) -> Answer:
    """Give the same as a page."""
    return page(f"Patient {request.params['patient']}", "".join(map(section, gather(request).items())))


@app.route("POST", "/contact/{patient}")
def contact(request: Request) -> object:
    """Pass a message on."""
    path = "/messages/" + segment(request.params["patient"])
    status, answer = call("messages", "POST", path, request, request.json("text"))
    return as_json(answer, status)


def section(item: tuple[str, object]) -> str:
    """Write one part of a page."""
    title, content = item
    if isinstance(content, dict) and "refused" in content:
        return f"<section><h2>{escape(title)}</h2><p class=refused>Not for you.</p></section>"
    return f"<section><h2>{escape(title)}</h2>{table(content)}</section>"


def table(content: object) -> str:
    """Write rows, or the fields of one thing, as a table."""
    if isinstance(content, dict):
        rows = "".join(f"<tr><th>{escape(key)}</th><td>{table(value)}</td></tr>" for key, value in content.items())
        return f"<table>{rows}</table>"
    if isinstance(content, list):
        return "".join(map(table, content)) or "<p>None.</p>"
    return escape(str(content)) if content is not None else "-"


def page(title: str, body: str, status: int = 200) -> Answer:
    """Write a whole page."""
    head = f"<!doctype html><html lang=en><title>{escape(title)}</title><link rel=stylesheet href=/style.css>"
    return Answer(f"{head}<main><h1>{escape(title)}</h1>{body}</main></html>".encode(), status)


app.run()
