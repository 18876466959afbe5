"""What is revoked in a running system: kept on disk, brought to the proxies, forgotten when it no longer matters."""

REVOCATIONS_FILE = "overlay/revocations.json"
"""Where it lies in the state folder."""
