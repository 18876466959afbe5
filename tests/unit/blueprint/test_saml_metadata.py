"""A SAML provider is known from its metadata."""

import pytest
from tests.support.saml_provider import ENTITY, LOCATION, metadata, signer

from ringwall.blueprint.files import MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.blueprint.saml_metadata import read_metadata
from ringwall.compile.upstreams import lower_upstreams

BLUEPRINT = """
ringwall: 1
system: clinic
roles: {clinician: }
issuers:
  local:
    upstreams:
      adfs:
        title: Clinic account
        saml: {metadata: idp/adfs.xml, subject: objectid, email: mail, display_name: cn}
        accounts: create
        roles: {claim: ["http://schemas.example/role"], map: {doctors: clinician}}
        acr: {"urn:gold": mfa}
services:
  portal:
    run: python portal.py
    operations: [GET /]
"""


def test_the_plan_holds_what_the_metadata_says() -> None:
    files = MemoryFiles({"ringwall.yaml": BLUEPRINT, "idp/adfs.xml": metadata(signer("a").text, signer("b").text)})
    blueprint, _ = load_blueprint(files)
    (found,) = lower_upstreams(blueprint)
    assert found.oidc is None
    assert found.saml is not None
    assert (found.saml.entity_id, found.saml.location) == (ENTITY, LOCATION)
    assert found.saml.certificates == (signer("a").text, signer("b").text)
    assert (found.saml.subject, found.email, found.display_name) == ("objectid", ("mail",), ("cn",))
    assert found.user_name == ("name_id",)
    assert [(rule.claim, rule.value, rule.role) for rule in found.roles] == [
        (("http://schemas.example/role",), "doctors", "clinician")
    ]
    assert found.acr == (("urn:gold", "mfa"),)


def test_keys_for_encryption_are_no_keys_for_signatures() -> None:
    text = metadata(signer("a").text, signer("b").text).replace('use="signing"', 'use="encryption"', 1)
    assert read_metadata(text.encode()).certificates == (signer("b").text,)


def test_a_weak_key_is_refused() -> None:
    with pytest.raises(ValueError, match="weak"):
        read_metadata(metadata(signer("a").text, signer("weak", "weak").text).encode())


def test_one_provider_among_other_entities_is_found() -> None:
    other = '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>'
    opened = '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
    text = f"{opened}{other}{metadata()}</md:EntitiesDescriptor>"
    assert read_metadata(text.encode()).entity_id == ENTITY
