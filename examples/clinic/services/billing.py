"""Invoices and payments. Holds card data, in a store that only this service can reach."""

import json
import os
import socket
from urllib.parse import urlsplit

from web import App, ProblemError, Request, as_json

app = App("billing")
CARD_DIGITS = range(12, 20)
"""How long a card number is (ISO/IEC 7812-1)."""


def ask_store(do: str, **values: object) -> list[dict]:
    """Send one command to the store, see `billing_store.py`, and return the rows it answers."""
    address = urlsplit(os.environ["BILLING_STORE_URL"])
    try:
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(json.dumps({"do": do, **values}).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
    except (OSError, ValueError) as error:
        raise ProblemError(502, "the store did not answer") from error
    if "error" in answer:
        raise ProblemError(502, "the store refused")
    return answer["rows"]


@app.route("GET", "/invoices")
def open_invoices(_: Request) -> dict:
    """How much is unpaid."""
    return ask_store("open")[0]


@app.route("GET", "/invoices/{patient}")
def list_invoices(request: Request) -> list:
    """One patient's invoices, with the last digits of the card that paid."""
    return ask_store("list", patient=request.params["patient"])


@app.route("POST", "/invoices/{patient}")
def create_invoice(request: Request) -> object:
    """Write an invoice."""
    cents = request.json().get("cents")
    if type(cents) is not int or cents <= 0:
        raise ProblemError(400, "'cents' is a whole number above 0")
    return as_json(ask_store("add", patient=request.params["patient"], cents=cents)[0], 201)


@app.route("POST", "/invoices/{patient}/{id}/payment")
def pay(request: Request) -> dict:
    """Pay an invoice; only the last four digits of the card are kept."""
    card = request.json("card")["card"].replace(" ", "")
    if not card.isdecimal() or len(card) not in CARD_DIGITS:
        raise ProblemError(400, "'card' is a card number of 12 to 19 digits")
    paid = ask_store("pay", patient=request.params["patient"], id=request.params["id"], card=card[-4:])
    if not paid:
        raise ProblemError(404, "no such unpaid invoice")
    return paid[0]


app.run()
