"""What is asked of a proxy over its administration socket: new log files, its counters, and to take no more in."""

import http.client
import json
import socket
from pathlib import Path
from typing import Final

_TIMEOUT_SECONDS: Final = 2.0
_LONGEST_ANSWER: Final = 1024 * 1024
_OWN: Final = "http.admin."


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("proxy", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class ProxyAdmin:
    """One proxy's administration interface; every method raises OSError where it cannot be reached."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def reopen_logs(self) -> None:
        """Have the proxy close its log files and open them by name again; it does so a moment later."""
        self._ask("POST", "/reopen_logs")

    def counters(self) -> dict[str, int]:
        """Return the proxy's counters about its log files."""
        try:
            stats = json.loads(self._ask("GET", "/stats?format=json&filter=^filesystem"))["stats"]
            return {stat["name"]: int(stat["value"]) for stat in stats if "value" in stat}
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{self._path} gave no statistics") from error

    def drain(self) -> None:
        """Have the proxy accept no more connections, and close those it has after the request that each carries."""
        self._ask("POST", "/healthcheck/fail")  # from now on each answer asks its client to go
        self._ask("POST", "/drain_listeners")

    def active_requests(self) -> int:
        """Return how many requests the proxy is busy with, this one not counted."""
        try:
            stats = json.loads(self._ask("GET", "/stats?format=json&filter=downstream_rq_active$"))["stats"]
            return sum(int(stat["value"]) for stat in stats if not stat.get("name", _OWN).startswith(_OWN))
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{self._path} gave no statistics") from error

    def _ask(self, method: str, target: str) -> bytes:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, target)
            response = connection.getresponse()
            body = response.read(_LONGEST_ANSWER)
        except http.client.HTTPException as error:
            raise OSError(f"{self._path} did not answer") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise OSError(f"{self._path} answered {response.status}")
        return body
