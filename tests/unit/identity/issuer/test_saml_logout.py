"""Single logout with a SAML provider: it ends sessions here, and who signs out here is signed out there."""

import asyncio
import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.support.issuer_browser import RelyingParty, browser, forms_of, send, sent_back
from tests.support.issuer_plan import write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.saml_messages import LogoutAsked, brought, packed, saml_keys
from tests.support.saml_provider import encoded, provider, signer
from tests.support.upstream_world import ROLES, upstream_plan
from tests.unit.identity.issuer.test_saml_sign_in import AUDIENCE, CALLBACK, RETURN_TO, SamlWorld

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.redirect import signed_message
from ringwall.plan.upstream import Upstream

LOGOUT = "/auth/upstream/adfs/logout"
OURS = f"https://localhost:8443{LOGOUT}"
THEIRS = "https://idp.example/slo?tenant=1"
ANSWERS = "https://idp.example/slo/answers"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


def plan_of(**changes: Any) -> Any:
    keys = (signer("right").text, signer("new", "ec").text)
    saml = provider(**{"certificates": keys, "logout_location": THEIRS, "logout_response_location": ANSWERS, **changes})
    return upstream_plan(
        Upstream(name="adfs", title="ADFS", saml=saml, create=True, roles=ROLES, user_name=("name_id",))
    )


@pytest.fixture
def here(tmp_path: Path) -> SamlWorld:
    world = IssuerWorld(tmp_path / "state", store=saml_keys()._store)
    write_plan(world.settings.state, plan_of())
    return SamlWorld(world)


async def sign_in(here: SamlWorld, page: httpx.AsyncClient, person: str = "ines", session: str = "s1") -> None:
    request, state = await here.leave(page)
    text = here.answer(request, name_id=person, session=session)
    back = await page.post(CALLBACK, data={"SAMLResponse": text, "RelayState": state})
    assert "code" in sent_back(back, here.party.callback)


async def is_signed_in(page: httpx.AsyncClient) -> bool:
    return "code" in sent_back(await page.get(RelyingParty().url(prompt="none")))


def asked(here: SamlWorld, **changes: Any) -> LogoutAsked:
    return LogoutAsked(**{"destination": OURS, "now": here.world.clock.now(), **changes})


def certificate() -> str:
    return saml_keys().ring().signing_certificates[0]


@pytest.mark.parametrize("by_form", [False, True])
def test_the_provider_ends_a_session_and_is_answered(here: SamlWorld, *, by_form: bool) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            request = asked(here)
            if by_form:
                done = await page.post(LOGOUT, data={"SAMLRequest": request.form(), "RelayState": "there"})
            else:
                done = await page.get(f"{LOGOUT}?{request.query()}")
            assert done.status_code == 303, done.text
            assert done.headers["location"].startswith(f"{ANSWERS}?SAMLResponse=")
            answer, state = brought(done.headers["location"], "SAMLResponse", certificate())
            assert (answer.tag, answer.get("InResponseTo"), state) == (f"{SAMLP}LogoutResponse", "_out1", "there")
            assert (answer.get("Destination"), answer.findtext(f"{SAML}Issuer")) == (ANSWERS, AUDIENCE)
            assert answer.find(f"{SAMLP}Status/{SAMLP}StatusCode").get("Value").endswith(":Success")
            assert not await is_signed_in(page)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sessions", "left"),
    [
        (("s1",), ["s2", "s3"]),
        (("s1", "s2"), ["s3"]),
        ((), ["s3"]),
        (("s3",), ["s1", "s2", "s3"]),
        (("s9",), ["s1", "s2", "s3"]),
    ],
)
def test_exactly_the_sessions_end_that_are_named(here: SamlWorld, sessions: tuple[str, ...], left: list[str]) -> None:
    async def run() -> None:
        async with browser(here.world.app) as one, browser(here.world.app) as two, browser(here.world.app) as three:
            people = [(one, "ines", "s1"), (two, "ines", "s2"), (three, "stan", "s3")]
            for page, person, session in people:
                await sign_in(here, page, person, session)
            async with browser(here.world.app) as other:  # whoever's browser brings it
                done = await other.get(f"{LOGOUT}?{asked(here, sessions=sessions).query()}")
            assert done.status_code == 303
            assert [session for page, _, session in people if await is_signed_in(page)] == left

    asyncio.run(run())


def test_a_request_signed_with_ecdsa_is_taken(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            request = asked(here, by=signer("new", "ec"), algorithm="ecdsa-sha256")
            assert (await page.get(f"{LOGOUT}?{request.query()}")).status_code == 303
            assert not await is_signed_in(page)

    asyncio.run(run())


def test_a_request_counts_once(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            request = asked(here)
            assert (await page.get(f"{LOGOUT}?{request.query()}")).status_code == 303
            await sign_in(here, page)
            for again in (
                await page.get(f"{LOGOUT}?{request.query()}"),
                await page.post(LOGOUT, data={"SAMLRequest": request.form()}),
            ):
                assert (again.status_code, "may still be signed in" in again.text) == (400, True)
            assert await is_signed_in(page)

    asyncio.run(run())


WRONG: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"destination": RETURN_TO},
    {"destination": ""},
    {"issued": -700},
    {"issued": 120},
    {"until": -61},
    {"version": "1.1"},
    {"tag": "AuthnRequest"},
    {"tag": "LogoutResponse"},
    {"name": ""},
    {"person": ""},
    {"person": "<saml:NameID/>"},
    {"person": "<saml:NameID>ines</saml:NameID><saml:NameID>stan</saml:NameID>"},
    {"person": "<saml:EncryptedID/>"},
    {"sessions": ("",)},
    {"sessions": ("s1",) * 101},
    {"by": signer("evil")},
    {"by": signer("evil", "ec"), "algorithm": "ecdsa-sha256"},
]


@pytest.mark.parametrize("changes", WRONG, ids=" and ".join)
def test_a_wrong_request_ends_nothing(here: SamlWorld, changes: dict[str, Any]) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            request = asked(here, **changes)
            assert (await page.get(f"{LOGOUT}?{request.query()}")).status_code == 400
            if "algorithm" not in changes:
                assert (await page.post(LOGOUT, data={"SAMLRequest": request.form()})).status_code == 400
            assert await is_signed_in(page)

    asyncio.run(run())


def _tricks() -> dict[str, Callable[[LogoutAsked], str]]:
    def resigned(request: LogoutAsked, **fields: str) -> str:
        query = dict(pair.partition("=")[::2] for pair in request.query().split("&"))
        return "&".join(f"{name}={value}" for name, value in {**query, **fields}.items() if value)

    def other(request: LogoutAsked) -> str:
        evil = LogoutAsked(destination=OURS, now=request.now, sessions=())
        return resigned(request, SAMLRequest=quote_plus(packed(evil.xml().encode())))

    return {
        "no signature": lambda request: resigned(request, Signature=""),
        "no algorithm": lambda request: resigned(request, SigAlg=""),
        "another message": other,
        "another state": lambda request: resigned(request, RelayState="evil"),
        "no state": lambda request: resigned(request, RelayState=""),
        "two messages": lambda request: f"{request.query()}&SAMLRequest={quote_plus(packed(request.xml().encode()))}",
        "sha1": lambda request: LogoutAsked(destination=OURS, now=request.now, algorithm="rsa-sha1").query(),
        "no base64": lambda request: resigned(request, Signature="!"),
        "bomb": _bomb,
        "written otherwise": lambda request: request.query().replace("RelayState=there", "RelayState=%74here"),
    }


def _bomb(request: LogoutAsked) -> str:
    """Return a signed query of a few kilobytes that unpacks to a megabyte."""
    request.person = f"<saml:NameID>{' ' * 1_000_000}ines</saml:NameID>"
    return request.query()


def test_a_parameter_that_comes_twice_is_refused_whoever_reads_it(here: SamlWorld) -> None:
    """What is verified must be what is read, so there is only one of each."""
    query = asked(here).query()
    with pytest.raises(UpstreamRefusedError, match="twice"):
        signed_message(f"x=1&x=2&{query}", kind="SAMLRequest", certificates=[signer("right").text])


@pytest.mark.parametrize("trick", _tricks())
def test_a_query_that_is_not_signed_as_it_came_ends_nothing(here: SamlWorld, trick: str) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            assert (await page.get(f"{LOGOUT}?{_tricks()[trick](asked(here))}")).status_code == 400
            assert await is_signed_in(page)

    asyncio.run(run())


def test_a_form_without_a_signature_or_with_another_request_around_it_ends_nothing(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            request = asked(here)
            bare = base64.b64encode(request.xml().encode()).decode()
            other = asked(here, sessions=(), name="_evil", person="<saml:NameID>stan</saml:NameID>")
            outer = etree.fromstring(other.xml())
            outer.append(etree.fromstring(base64.b64decode(request.form())))
            moved = etree.fromstring(base64.b64decode(request.form()))
            signature = moved.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
            outer_signed = etree.fromstring(other.xml())
            outer_signed.insert(1, signature)
            outer_signed.append(moved)
            for text in ("", "!", bare, encoded(outer), encoded(outer_signed), request.form()[:-40]):
                done = await page.post(LOGOUT, data={"SAMLRequest": text})
                assert done.status_code == 400, text
            assert (await page.post(LOGOUT)).status_code == 400
            assert (await page.get(LOGOUT)).status_code == 400
            assert (await page.get(LOGOUT.replace("adfs", "nobody"))).status_code == 404
            assert await is_signed_in(page)

    asyncio.run(run())


def test_a_provider_that_takes_no_answer_leaves_a_page(here: SamlWorld) -> None:
    write_plan(here.world.settings.state, plan_of(logout_location="", logout_response_location=""))

    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            done = await page.get(f"{LOGOUT}?{asked(here).query()}")
            assert (done.status_code, "You are signed out" in done.text) == (200, True)
            assert not await is_signed_in(page)

    asyncio.run(run())


def test_who_signs_out_here_is_signed_out_there(here: SamlWorld) -> None:
    write_plan(here.world.settings.state, plan_of(logout=True))

    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page)
            shown = await page.get("/auth/end_session")
            assert "form-action 'self' https://idp.example" in shown.headers["content-security-policy"]
            done = await send(page, forms_of(shown)[0], {})
            assert done.headers["location"].startswith(f"{THEIRS}&SAMLRequest=")
            request, state = brought(done.headers["location"], "SAMLRequest", certificate())
            assert (request.tag, request.get("Destination")) == (f"{SAMLP}LogoutRequest", THEIRS)
            name = request.find(f"{SAML}NameID")
            assert (name.text, name.get("Format")) == ("ines", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")
            assert request.findtext(f"{SAMLP}SessionIndex") == "s1"
            assert request.findtext(f"{SAML}Issuer") == AUDIENCE
            assert not await is_signed_in(page), "at once"
            back = f"{LOGOUT}?{urlencode({'SAMLResponse': 'x', 'RelayState': state})}"
            assert "You are signed out" in (await page.get(back)).text
            form = {"SAMLResponse": "x", "RelayState": "made up"}
            assert "You are signed out" in (await page.post(LOGOUT, data=form)).text

    asyncio.run(run())


def test_our_metadata_names_our_keys_and_where_we_take_logouts(here: SamlWorld) -> None:
    write_plan(here.world.settings.state, plan_of(sign_requests=True, encrypted=True))

    async def run() -> None:
        async with browser(here.world.app) as page:
            about = etree.fromstring((await page.get("/auth/upstream/adfs/metadata")).content)
        role = about.find("{*}SPSSODescriptor")
        assert role.get("AuthnRequestsSigned") == "true"
        assert {
            (each.get("Location"), each.get("Binding").rpartition(":")[2])
            for each in role.findall("{*}SingleLogoutService")
        } == {
            (OURS, "HTTP-Redirect"),
            (OURS, "HTTP-POST"),
        }
        ring = saml_keys().ring()
        keys = {each.get("use"): each.findtext(".//{*}X509Certificate") for each in role.findall("{*}KeyDescriptor")}
        assert keys == {"signing": ring.signing_certificates[0], "encryption": ring.encryption_certificate}
        for text in keys.values():
            assert x509.load_der_x509_certificate(base64.b64decode(text)).public_key().key_size >= 2048  # type: ignore[union-attr]
        methods = [each.get("Algorithm") for each in role.iter("{*}EncryptionMethod")]
        assert not re.search("cbc|rsa-1_5", " ".join(methods))
        write_plan(here.world.settings.state, plan_of())
        async with browser(here.world.app) as page:
            text = (await page.get("/auth/upstream/adfs/metadata")).text
        assert 'use="encryption"' not in text, "providers would encrypt by themselves, some of them with CBC"

    asyncio.run(run())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["SAMLRequest", "Signature", "SigAlg", "RelayState", "x"]), st.text(max_size=80))
)
def test_whatever_comes_nothing_answers_500(here: SamlWorld, fields: dict[str, str]) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            for done in (await page.get(f"{LOGOUT}?{urlencode(fields)}"), await page.post(LOGOUT, data=fields)):
                assert done.status_code in {400, 413}

    asyncio.run(run())
