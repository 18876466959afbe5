"""A real Chromium for tests: Debian's, driven by its own driver, without a window, with nothing kept.

Debian's packages are `chromium` and `chromium-driver`; `.ci/run` installs them. Other systems: `chromium` (or
`google-chrome`) and `chromedriver` in PATH. Where they are missing, what needs them is skipped and named, never in CI.
"""

import base64
import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

WAIT_SECONDS = 20
_BROWSERS = ("chromium", "google-chrome", "chromium-browser")
_HARMLESS = ("Failed to load resource", "Clear-Site-Data header")
"""In what the browser says of a status that is an error, and of having done what it was told."""
_PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


class Chromium(webdriver.Chrome):
    """One browser with a profile of its own."""

    def button(self, text: str) -> WebElement:
        """Return the button that can be seen and says this."""
        found = [each for each in self.find_elements(By.TAG_NAME, "button") if each.is_displayed()]
        (button,) = [each for each in found if each.text.strip() == text]
        return button

    def press(self, text: str) -> None:
        """Press a button that leads to another page, and wait for it."""
        self._leave(self.button(text))

    def follow(self, text: str) -> None:
        """Follow a link."""
        self._leave(self.find_element(By.LINK_TEXT, text))

    def fill(self, **fields: str) -> None:
        """Type into fields by their ids."""
        for name, value in fields.items():
            field = self.find_element(By.ID, name)
            field.clear()
            field.send_keys(value)

    @property
    def heading(self) -> str:
        """What the page is called."""
        return self.find_element(By.TAG_NAME, "h1").text

    @property
    def body(self) -> str:
        """What can be read on the page."""
        return self.find_element(By.TAG_NAME, "body").text

    def give_authenticator(self, **options: Any) -> None:
        """Plug in an authenticator such as a phone's: it keeps passkeys, and knows its user."""
        chosen = VirtualAuthenticatorOptions(
            protocol=VirtualAuthenticatorOptions.Protocol.CTAP2,
            transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
            has_resident_key=True,
            has_user_verification=True,
            is_user_verified=True,
        )
        for name, value in options.items():
            setattr(chosen, name, value)
        self.add_virtual_authenticator(chosen)

    def press_of(self, text: str, what: str) -> None:
        """Press the button of one of several things, by the name that a screen reader says."""
        self._leave(self.find_element(By.CSS_SELECTOR, f'button[aria-label="{text}: {what}"]'))

    def until_heading(self, text: str) -> None:
        """Wait until the page is called so."""
        self._until(lambda: self.heading == text, lambda: self.body)

    def until_text(self, text: str) -> None:
        """Wait until the page says so."""
        self._until(lambda: text in self.body, lambda: self.body)

    def until_address(self, start: str) -> None:
        """Wait until the browser is somewhere, whether or not there is anything."""
        self._until(lambda: self.current_url.startswith(start), lambda: self.current_url)

    def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so."""
        self._until(done, lambda: f"{self.current_url}: {self.body}")

    def complaints(self) -> list[str]:
        """Return what the browser has complained of since the last time, such as a breach of a page's policy."""
        return [
            each["message"]
            for each in self.get_log("browser")  # type: ignore[no-untyped-call]
            if not any(harmless in each["message"] for harmless in _HARMLESS)
        ]

    def _until(self, done: Callable[[], bool], told: Callable[[], str]) -> None:
        try:
            WebDriverWait(self, WAIT_SECONDS, ignored_exceptions=[WebDriverException]).until(lambda _: done())
        except TimeoutException:
            raise AssertionError(told()) from None

    def _leave(self, pressed: WebElement) -> None:
        page = self.find_element(By.TAG_NAME, "html")
        pressed.click()
        WebDriverWait(self, WAIT_SECONDS).until(lambda _: _gone(page))
        WebDriverWait(self, WAIT_SECONDS).until(
            lambda driver: driver.execute_script("return document.readyState") == "complete"
        )


def _gone(element: WebElement) -> bool:
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


@contextlib.contextmanager
def chromium(port: int, *arguments: str, others: tuple[int, ...] = ()) -> Iterator[Chromium]:
    """Run a browser that believes in the certificate of the edge at `port`; end it with all that it started.

    `others` are ports of the edges of other systems in which it believes.
    """
    browser, driver = _programs()
    folder = Path(tempfile.mkdtemp(prefix="rw-chromium-"))
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.page_load_strategy = "normal"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "--headless=new",
        "--no-sandbox",  # Chromium refuses to run as root with one
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder}",
        f"--ignore-certificate-errors-spki-list={','.join(map(_key_of, (port, *others)))}",
        *arguments,
    ):
        options.add_argument(argument)
    try:
        service = Service(driver, popen_kw={"preexec_fn": _end_with_parent})
        opened = Chromium(options=options, service=service)
        try:
            opened.set_page_load_timeout(WAIT_SECONDS)
            yield opened
        finally:
            opened.quit()
    finally:
        _end_what_is_left(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> tuple[str, str]:
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    missing = "there is no Chromium: `apt-get install chromium chromium-driver`"
    if os.environ.get("CI"):
        raise AssertionError(missing)
    pytest.skip(missing)  # a newcomer's machine needs no browser; what lands is tested with one


def _key_of(port: int) -> str:
    """Return the hash of the edge's key. Its own certificate is made of a development authority that nobody knows.

    Chromium then has nothing to complain of, and makes passkeys; where errors are merely passed over, it does not.
    """
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate(("localhost", port)).encode())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")


def _end_with_parent() -> None:
    """Stop the driver also if the test process is killed."""
    if _prctl is not None:  # only Linux has it
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_what_is_left(folder: Path) -> None:
    needle = str(folder).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if needle in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
