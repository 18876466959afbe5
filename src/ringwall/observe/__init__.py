"""From access logs to decision events; search and explanation."""

EVENTS_FILE = "events.db"
"""Name of the event store in the state folder."""
