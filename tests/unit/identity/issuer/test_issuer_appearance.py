"""The issuer's pages in the look that the plan gives them."""

import base64
import re
from importlib.resources import files
from pathlib import Path

from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.model.colours import DARK, LIGHT
from ringwall.plan.identity import Appearance

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
LOOK = Appearance(
    title="<b>Example</b>",
    colour="#0a5000",
    dark_colour="#70c060",
    logo=base64.b64encode(SVG).decode(),
    logo_type="image/svg+xml",
)


def world(folder: Path, look: Appearance | None) -> IssuerWorld:
    plan = login_plan()
    issuers = tuple(each.model_copy(update={"pages": look}) if each.builtin else each for each in plan.issuers)
    return IssuerWorld(folder, plan=plan.model_copy(update={"issuers": issuers}))


def test_title_colour_and_logo_are_shown_and_run_nothing(tmp_path: Path) -> None:
    themed = world(tmp_path, LOOK)
    shown = themed.ask("GET", "/end_session")
    assert "&lt;b&gt;Example&lt;/b&gt;</span>" in shown.text
    assert 'assets/logo" alt=""' in shown.text
    assert "img-src 'self'" in shown.headers["content-security-policy"]
    logo = themed.ask("GET", "/assets/logo")
    assert (logo.content, logo.headers["content-type"]) == (SVG, "image/svg+xml")
    assert logo.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert logo.headers["x-content-type-options"] == "nosniff"
    theme = themed.ask("GET", "/assets/theme.css").text
    assert re.findall(r"--accent: (#\w+)", theme)[-2:] == ["#0a5000", "#70c060"]


def test_without_a_look_there_is_none(tmp_path: Path) -> None:
    plain = world(tmp_path, None)
    shown = plain.ask("GET", "/end_session")
    assert "brand" not in shown.text
    assert "img-src" not in shown.headers["content-security-policy"]
    assert plain.ask("GET", "/assets/logo").status_code == 404
    assert plain.ask("GET", "/assets/theme.css").text.count("--accent:") == 2


def test_colours_are_judged_against_what_the_theme_has() -> None:
    theme = files("ringwall.identity.issuer.pages").joinpath("assets", "theme.css").read_text()
    assert re.findall(r"--card: (#\w+)", theme) == [LIGHT, DARK]
