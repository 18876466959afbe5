"""`pages` of the built-in issuer: what is refused, and what reaches the plan."""

import base64
from typing import Any

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.blueprint.logo import MAX_BYTES
from ringwall.compile.planner import plan_files
from ringwall.model.colours import DARK, ENOUGH, LIGHT, contrast, for_dark_pages
from ringwall.model.errors import InvalidBlueprintError
from ringwall.plan.identity import Appearance

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
BLUEPRINT = """
ringwall: 1
system: clinic
issuers:
  local: {{pages: {pages}}}
services:
  app: {{listen: "127.0.0.1:9000", expose: /, operations: ["GET /"], allow: [{{users: any}}]}}
"""


def files(pages: str, **logos: bytes) -> MemoryFiles:
    named: dict[str, Any] = {f"{name}.img": content for name, content in logos.items()}
    return MemoryFiles({"ringwall.yaml": BLUEPRINT.format(pages=pages), **named})


def test_title_colour_and_logo_reach_the_plan() -> None:
    given = files('{title: "Example Clinic", colour: "#0B5CAD", logo: logo.img}', logo=PNG)
    assert plan_files(given).plan.issuers[0].pages == Appearance(
        title="Example Clinic",
        colour="#0b5cad",
        dark_colour=for_dark_pages("#0b5cad"),
        logo=base64.b64encode(PNG).decode(),
        logo_type="image/png",
    )
    assert plan_files(files("{}")).plan.issuers[0].pages == Appearance()


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ('{colour: "#ffee00"}', "too light to be read on white"),
        ("{colour: red}", "must be a colour"),
        ('{colour: "#0b5cad; } body { display: none"}', "must be a colour"),
        ('{title: ""}', "must be a title"),
        ("{logo: ../secret.png}", "leads out"),
        ("{logo: absent.png}", "there is no file"),
        ("{logo: text.img}", "neither a PNG nor an SVG"),
        ("{logo: large.img}", "larger than 64 KiB"),
        ("{styles: own.css}", "styles"),
    ],
)
def test_what_cannot_be_is_told(pages: str, told: str) -> None:
    given = files(pages, text=b"<html><script>", large=PNG + bytes(MAX_BYTES))
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(given)
    assert told in str([each.message for each in caught.value.diagnostics])


def test_issuers_of_others_have_no_pages_of_ringwall() -> None:
    text = BLUEPRINT.replace("local:", "other:").format(pages="{title: x}, issuer: https://idp.example, audience: a")
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(MemoryFiles({"ringwall.yaml": text}))
    assert "only Ringwall's own" in caught.value.diagnostics[0].message


def test_contrast_is_that_of_the_standard() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert contrast("#123456", "#123456") == 1
    assert round(contrast("#777777", LIGHT), 2) == 4.48
    assert round(contrast(LIGHT, "#767676"), 2) == 4.54


@pytest.mark.parametrize("colour", ["#000000", "#0b5cad", "#a31515", "#003300", "#123456", "#767676"])
def test_dark_pages_get_a_colour_that_can_be_read_there(colour: str) -> None:
    assert contrast(for_dark_pages(colour), DARK) >= ENOUGH
