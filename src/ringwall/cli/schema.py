"""`ringwall schema`."""

import sys

from ringwall.blueprint.schema import json_schema_text


def schema() -> None:
    """Print the JSON Schema of ringwall.yaml.

    An editor with the YAML language server uses it when the file begins with
    `# yaml-language-server: $schema=ringwall.schema.json`.
    """
    sys.stdout.write(json_schema_text())
