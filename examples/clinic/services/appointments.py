"""Appointments, with the reason for each. Holds health data."""

from web import App, ProblemError, Request, Store, as_json

app = App("appointments")
store = Store(
    "appointments",
    """
    CREATE TABLE appointments (id INTEGER PRIMARY KEY, patient TEXT NOT NULL, day TEXT NOT NULL,
                               clinician TEXT NOT NULL, reason TEXT NOT NULL);
    INSERT INTO appointments (patient, day, clinician, reason) VALUES
        ('7', '2027-02-01', 'dana', 'Allergy test'), ('7', '2027-03-15', 'dana', 'Results'),
        ('8', '2027-02-01', 'noor', 'Blood pressure'), ('9', '2027-02-02', 'dana', 'Headache diary');
    """,
)


@app.route("GET", "/appointments")
def list_days(_: Request) -> list:
    """How full each clinician's days are: no names, no reasons."""
    return store.rows("SELECT day, clinician, count(*) AS booked FROM appointments GROUP BY day, clinician")


@app.route("GET", "/appointments/{patient}")
def list_appointments(request: Request) -> list:
    """One patient's appointments."""
    return store.rows(
        "SELECT id, day, clinician, reason FROM appointments WHERE patient = ? ORDER BY day", request.params["patient"]
    )


@app.route("POST", "/appointments/{patient}")
def book(request: Request) -> object:
    """Book an appointment."""
    body = request.json("day", "clinician", "reason")
    made = store.rows(
        "INSERT INTO appointments (patient, day, clinician, reason) VALUES (?, ?, ?, ?) RETURNING id",
        request.params["patient"],
        body["day"],
        body["clinician"],
        body["reason"],
    )
    return as_json(made[0], 201)


@app.route("DELETE", "/appointments/{patient}/{id}")
def cancel(request: Request) -> dict:
    """Cancel an appointment of that patient, and of no other."""
    gone = store.rows(
        "DELETE FROM appointments WHERE patient = ? AND id = ? RETURNING id",
        request.params["patient"],
        request.params["id"],
    )
    if not gone:
        raise ProblemError(404, "no such appointment")
    return gone[0]


app.run()
