"""Messages between patients and their clinicians. Holds health data."""

from web import App, Request, Store, as_json

app = App("messages")
store = Store(
    "messages",
    """
    CREATE TABLE messages (patient TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL);
    INSERT INTO messages VALUES ('7', 'alice', 'May I take the tablets in the evening?'), ('7', 'dana', 'You may.'),
                                ('8', 'noor', 'Please bring your readings.');
    """,
)


@app.route("GET", "/messages/{patient}")
def list_messages(request: Request) -> list:
    """What was written about one patient."""
    return store.rows("SELECT author, text FROM messages WHERE patient = ?", request.params["patient"])


@app.route("POST", "/messages/{patient}")
def send_message(request: Request) -> object:
    """Write, in the name that the proxy vouches for."""
    text = request.json("text")["text"]
    store.rows("INSERT INTO messages VALUES (?, ?, ?)", request.params["patient"], request.subject, text)
    return as_json({"author": request.subject, "text": text}, 201)


app.run()
