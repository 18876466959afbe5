"""Checks what a page must have so that everybody can use it (WCAG 2.2, level AA), in a real browser."""

from tests.support.chromium import Chromium

NARROW = 320
"""CSS pixels that a page must fit into without scrolling sideways (success criterion 1.4.10)."""

_FAULTS = """
const faults = [];
const fault = (what, element) => faults.push(what + ": " + (element ? element.outerHTML.slice(0, 120) : ""));
const seen = (element) => element.checkVisibility({visibilityProperty: true}) && element.getClientRects().length > 0;

if (!document.documentElement.lang) fault("3.1.1 no language");
if (!document.title.trim()) fault("2.4.2 no title");
if (document.querySelectorAll("h1").length !== 1) fault("1.3.1 not one h1");
if (document.querySelectorAll("main").length !== 1) fault("1.3.1 not one main");
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) fault("1.3.1 a heading level is left out", heading);
  level = own;
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) fault("an id occurs twice: " + id);
for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
  const named = `${element.getAttribute("aria-describedby") || ""} ${element.getAttribute("aria-labelledby") || ""}`;
  for (const id of named.split(" ").filter(Boolean)) if (!ids.includes(id)) fault("1.3.1 refers to nothing", element);
}
for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
  if (seen(field) && ![...field.labels].some((label) => label.textContent.trim())) fault("3.3.2 no label", field);
  if (document.querySelector("#message") && field.form.contains(field) && seen(field) &&
      field.required && !(field.getAttribute("aria-describedby") || "").split(" ").includes("message")) {
    fault("3.3.1 the error is not told with the field", field);
  }
}
for (const element of document.querySelectorAll("button, a[href], summary")) {
  if (!(element.getAttribute("aria-label") || element.textContent).trim()) fault("4.1.2 no name", element);
  const label = element.getAttribute("aria-label");
  if (label && !label.includes(element.textContent.trim())) fault("2.5.3 the label is not in the name", element);
  const box = element.getBoundingClientRect();
  const inText = element.tagName === "A" && !element.classList.contains("button");
  if (seen(element) && !inText && (box.height < 24 || box.width < 24)) fault("2.5.8 too small", element);
}
const TOKENS = ["username", "username webauthn", "current-password", "new-password", "one-time-code", "off"];
for (const field of document.querySelectorAll("input:not([type=hidden])")) {
  if (!TOKENS.includes(field.getAttribute("autocomplete"))) fault("1.3.5 no purpose", field);
  if (field.type === "password" && !field.autocomplete.endsWith("-password")) fault("3.3.8 no password manager", field);
}
const told = new Map();
for (const element of document.querySelectorAll("button, a[href]")) {
  if (!seen(element)) continue;
  const described = (element.getAttribute("aria-describedby") || "").split(" ").filter(Boolean);
  const said = [element.getAttribute("aria-label") || element.textContent.trim(),
                ...described.map((id) => document.getElementById(id).textContent)].join("; ");
  const does = element.href || new FormData(element.form, element).entries().toArray().join() + element.form.action;
  if (told.has(said) && told.get(said) !== does) fault("2.4.4 cannot be told from another", element);
  told.set(said, does);
}
if (!document.body.innerText.trim().startsWith(document.querySelector("main").innerText.trim().slice(0, 20))) {
  fault("1.3.1 text outside of main");
}
for (const element of document.querySelectorAll("[autofocus], marquee, blink, [accesskey]")) fault("2.4.3", element);
for (const element of document.querySelectorAll("section")) {
  if (!element.hasAttribute("aria-labelledby")) fault("1.3.1 a region without a name", element);
}
for (const element of document.querySelectorAll("[tabindex]")) {
  if (element.tabIndex > 0) fault("2.4.3 a tab order of its own", element);
}
for (const image of document.querySelectorAll("img:not([alt]), svg:not([aria-label])")) {
  if (!image.closest("[role=img][aria-label]")) fault("1.1.1 no text for an image", image);
}
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) fault("1.4.10 scrolls sideways");

const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, a = 1] = channels(getComputedStyle(at).backgroundColor);
    if (a === 1) return [r, g, b];
    if (a !== 0) fault("a background that is seen through", at);
  }
  return [255, 255, 255];
};
const contrast = (one, other) => {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.nodeValue.trim() || !seen(element) || element.closest("svg")) continue;
  const ratio = contrast(channels(getComputedStyle(element).color), behind(element));
  if (ratio < 4.5) fault(`1.4.3 contrast of ${ratio.toFixed(2)}`, element);
}
for (const field of document.querySelectorAll("input:not([type=hidden]), button")) {
  if (!seen(field)) continue;
  const ratio = contrast(channels(getComputedStyle(field).borderTopColor), behind(field.parentElement));
  if (ratio < 3) fault(`1.4.11 contrast of ${ratio.toFixed(2)} at the edge`, field);
}
return faults;
"""
_FOCUS = """
const element = document.activeElement;
if (element === document.body) return null;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
return [element.outerHTML.slice(0, 120), parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none",
        box.top + window.scrollY, box.left];
"""


def assert_accessible(page: Chromium) -> None:
    """Check the page that is shown: light, dark, as narrow as a phone, and with text of twice the size."""
    size = page.get_window_size()
    for scheme in ("light", "dark"):
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        faults = page.execute_script(_FAULTS)
        assert not faults, (page.heading, scheme, faults)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": NARROW, "height": 640, "deviceScaleFactor": 1, "mobile": False},
    )
    faults = page.execute_script(_FAULTS)
    assert not faults, (page.heading, "narrow", faults)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 2 * NARROW, "height": 640, "deviceScaleFactor": 1, "mobile": False},
    )
    page.execute_script("document.documentElement.style.fontSize = '200%';")  # 1.4.4
    faults = page.execute_script(_FAULTS)
    assert not faults, (page.heading, "large", faults)
    page.execute_script("document.documentElement.style.fontSize = '';")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.set_window_size(size["width"], size["height"])


def assert_keyboard_order(page: Chromium) -> None:
    """Go through the page with the tab key: each stop can be seen to have the focus, and they go downwards."""
    page.execute_script("document.activeElement.blur(); window.scrollTo(0, 0);")
    stops: list[tuple[str, bool, float, float]] = []
    wanted = page.execute_script(
        "return [...document.querySelectorAll('a[href], button, summary, input:not([type=hidden])')]"
        ".filter((element) => !element.disabled && element.checkVisibility()).length"
    )
    for _ in range(wanted):
        page.switch_to.active_element.send_keys("\ue004")  # tab
        found = page.execute_script(_FOCUS)
        assert found is not None, (page.heading, stops)
        stops.append(tuple(found))
    assert all(stop[1] for stop in stops), [stop[0] for stop in stops if not stop[1]]
    assert len({stop[:1] + stop[2:] for stop in stops}) == wanted, "the keyboard reaches everything"
    heights = [stop[2] for stop in stops]
    assert heights == sorted(heights), (page.heading, heights)
