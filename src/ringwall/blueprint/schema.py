"""The JSON Schema of `ringwall.yaml`, for editors; derived from the table that the parser reads by."""

import json
from typing import Any, Final

from ringwall.blueprint.format import BLUEPRINT

SCHEMA_ID: Final = "urn:ringwall:blueprint:1"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12). What it refuses, the parser refuses; the parser also checks names."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Ringwall blueprint",
        **BLUEPRINT.json_schema(),
    }


def json_schema_text() -> str:
    """Return the schema as the text that is kept in docs/reference/ringwall.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
