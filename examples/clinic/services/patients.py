"""Patients and their medical records. Holds health data."""

from web import App, ProblemError, Request, Store, as_json

app = App("patients")
store = Store(
    "patients",
    """
    CREATE TABLE patients (id TEXT PRIMARY KEY, name TEXT NOT NULL, born TEXT NOT NULL);
    CREATE TABLE notes (patient TEXT NOT NULL, diagnosis TEXT NOT NULL, author TEXT NOT NULL);
    INSERT INTO patients VALUES ('7', 'Alice Adler', '1984-03-11'), ('8', 'Bert Brandt', '1959-10-02'),
                                ('9', 'Carla Conti', '2001-06-23');
    INSERT INTO notes VALUES ('7', 'Seasonal allergic rhinitis', 'dana'), ('8', 'Essential hypertension', 'noor'),
                             ('8', 'Type 2 diabetes', 'noor'), ('9', 'Migraine without aura', 'dana');
    """,
)


@app.route("GET", "/patients")
def list_patients(_: Request) -> list:
    """Names only: what an administrator needs."""
    return store.rows("SELECT id, name FROM patients ORDER BY id")


@app.route("POST", "/patients")
def register_patient(request: Request) -> object:
    """Add a patient."""
    body = request.json("id", "name", "born")
    if store.rows("SELECT 1 FROM patients WHERE id = ?", body["id"]):
        raise ProblemError(409, f"there is a patient {body['id']} already")
    store.rows("INSERT INTO patients VALUES (?, ?, ?)", body["id"], body["name"], body["born"])
    return as_json({"id": body["id"]}, 201)


@app.route("GET", "/patients/{id}")
def get_patient(request: Request) -> dict:
    """The whole record, diagnoses included."""
    found = store.rows("SELECT id, name, born FROM patients WHERE id = ?", request.params["id"])
    if not found:
        raise ProblemError(404, "no such patient")
    notes = store.rows("SELECT diagnosis, author FROM notes WHERE patient = ?", request.params["id"])
    return {**found[0], "notes": notes}


@app.route("POST", "/patients/{id}/notes")
def add_note(request: Request) -> object:
    """Add a diagnosis to a record, signed with the name that the proxy vouches for."""
    body = request.json("diagnosis")
    store.rows("INSERT INTO notes VALUES (?, ?, ?)", request.params["id"], body["diagnosis"], request.subject)
    return as_json({"diagnosis": body["diagnosis"], "author": request.subject}, 201)


app.run()
