"""The store behind billing: a small database server of our own, over plain TCP. Holds card data.

One JSON object per line each way: `{"do": "list", "patient": "7"}` gives `{"rows": [...]}`, and what it
does not understand gives `{"error": "..."}`. It knows nothing of TLS, tokens or callers: that only billing can
reach it is Ringwall's doing.
"""

import json
import os
import socketserver

from web import Store

store = Store(
    "billing-store",
    """
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, patient TEXT NOT NULL, cents INTEGER NOT NULL, card TEXT);
    INSERT INTO invoices (patient, cents, card) VALUES
        ('7', 4200, '4242'), ('7', 1850, NULL), ('8', 9900, NULL), ('9', 4200, '1881');
    """,
)

COMMANDS = {
    "list": "SELECT id, cents, card FROM invoices WHERE patient = :patient ORDER BY id",
    "add": "INSERT INTO invoices (patient, cents) VALUES (:patient, :cents) RETURNING id",
    "pay": "UPDATE invoices SET card = :card WHERE patient = :patient AND id = :id AND card IS NULL RETURNING id",
    "open": "SELECT count(*) AS invoices, coalesce(sum(cents), 0) AS cents FROM invoices WHERE card IS NULL",
}


class Conversation(socketserver.StreamRequestHandler):
    """One connection: answer line by line until the other side closes."""

    def handle(self) -> None:
        """Read commands, write answers."""
        for line in self.rfile:
            try:
                command = json.loads(line)
                answer = {"rows": store.rows(COMMANDS[command.pop("do")], **command)}
            except Exception as error:  # noqa: BLE001  # whatever the line did, the next one is served
                answer = {"error": type(error).__name__}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Conversation).serve_forever()
