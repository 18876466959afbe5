"""What the collector asks of a proxy, over its administration socket: to begin a new log file, and its counters."""

import http.client
import json
import socket
from pathlib import Path
from typing import Final

_TIMEOUT_SECONDS: Final = 2.0
_LONGEST_ANSWER: Final = 1024 * 1024


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
